package reconcile

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// madeUp is a third party's driver: it exposes ports that are marked with its name
// and bound here. It panics at the ports that it is told, and as a whole at "".
type madeUp struct {
	name   string
	panics map[string]bool
}

func (m *madeUp) Name() string { return m.name }

func (m *madeUp) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	e := expose.New(m.Name(), expose.DefaultOptions(), out)
	networks, _ := expose.FindNetworks(snap, expose.DefaultOptions())
	e.Base(networks)
	me, _ := snap.SB.ChassisByName(snap.Chassis)
	for port := range snap.SB.Ports.All() {
		n, ok := networks.Of(port.Datapath)
		if port.ExternalIDs[m.name] != "true" || !ok {
			continue
		}
		e.Row("Port_Binding", port.LogicalPort, func() {
			why := e.Why("made up", "Port_Binding", port.LogicalPort)
			why.Decides = true
			for _, el := range port.Addresses {
				for _, a := range el.Addrs {
					if port.Chassis == me.UUID {
						e.ExposeIP(n, a.Addr(), nil, why)
					}
				}
			}
			m.panicAt(port.LogicalPort)
		})
	}
	m.panicAt("")
	return e.Skips()
}

func (m *madeUp) panicAt(row string) {
	if m.panics[row] {
		panic("made up")
	}
}

func (m *madeUp) Explain(observe.Snapshot, netip.Addr) []reason.Account {
	m.panicAt("explain")
	return nil
}

// TestPanic: what a driver's panic hits is held, in the process that saw it coming
// and in a fresh one, until a row says that another chassis has it. All else goes
// on. The stack is in the log once.
func TestPanic(t *testing.T) {
	s, err := story.Parse(`include base
port plain on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.90" chassis cmp-1 up id other=true
port a on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.91" chassis cmp-1 up id made_up=true
port b on dp-pub mac "fa:16:3e:15:9e:f2 172.24.4.92" chassis cmp-1 up id made_up=true
`)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	m := &madeUp{name: "made_up", panics: map[string]bool{}}
	n := newNode(t, "cmp-1", s, defaults(), func(c *Config) {
		c.Drivers = []desired.Driver{&madeUp{name: "other"}, m}
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	n.settle()
	tell := func(text string) {
		t.Helper()
		if err := s.Tell(text); err != nil {
			t.Fatal(err)
		}
	}
	announced := func(want string) {
		t.Helper()
		r := n.round()
		have, err := n.world.Read(t.Context(), actual.Focus{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, v := range object.Of[object.Path](have) {
			got = append(got, strings.TrimPrefix(v.Prefix.Addr().String(), "172.24.4."))
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("announced are %s, want %s; the round:\n%s", g, want, r.Plan)
		}
		for _, v := range object.Of[object.Path](have) { // nothing of it has lost what it stands on
			if !have.Has(object.NewRoute(201, v.Prefix, "br-ex", netip.Addr{}).Key()) {
				t.Errorf("%s has no route", v.Prefix)
			}
		}
	}
	announced("90 91 92")

	m.panics["a"] = true
	tell("drop b\nport c on dp-pub mac \"fa:16:3e:15:9e:f3 172.24.4.93\" chassis cmp-1 up id made_up=true")
	announced("90 91 93")
	announced("90 91 93")

	m.panics[""] = true
	tell("drop c\ndrop plain")
	announced("91 93")
	if _, err := n.line("speaker restarts"); err != nil {
		t.Fatal(err)
	}
	n.start()
	announced("91 93")

	tell("set a chassis gw-1")
	announced("93")
	if got := strings.Count(log.String(), "made up at reconcile/panic_test.go"); got != 3 {
		t.Errorf("want a stack for each of two panics, and one again in the new process, got %d:\n%s", got, log.String())
	}

	m.panics["explain"] = true
	e := n.c.Explain(n.round(), addr("172.24.4.93"), nil, false)
	if len(e.Accounts) == 0 || !strings.Contains(e.String(), reason.DriverPanic) {
		t.Errorf("got %s", e)
	}
	m.panics = nil
	announced("")
}
