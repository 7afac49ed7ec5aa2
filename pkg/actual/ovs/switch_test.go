package ovs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	ourCookie   = 0x3e7
	otherCookie = 0x3e6
)

func open(t *testing.T, s *vswitchtest.Switch) *Backend {
	t.Helper()
	return openWithGrace(t, s, 300*time.Millisecond)
}

// openWithGrace is open for tests that read a bridge before its grace is over: that
// takes a few processes, and the machine may be busy.
func openWithGrace(t *testing.T, s *vswitchtest.Switch, grace time.Duration) *Backend {
	t.Helper()
	b, err := New(Config{RunDir: s.Dir, Cookies: []uint64{ourCookie, otherCookie}, Grace: grace})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// lab is a switch with bridge br-ex and a backend on it.
func lab(t *testing.T) (*vswitchtest.Switch, *Backend) {
	t.Helper()
	s := vswitchtest.Start(t)
	s.AddBridge("br-ex")
	return s, open(t, s)
}

// pair are the flows that a driver wants for a patch port.
func pair(port int) []object.Value {
	var out []object.Value
	for _, proto := range []string{"ip", "ipv6"} {
		out = append(out, object.Flow{
			Bridge: "br-ex", Priority: 900, Match: fmt.Sprintf("%s,in_port=%d", proto, port),
			Actions: "mod_dl_dst:" + mac + ",NORMAL", Cookie: ourCookie,
		})
	}
	return out
}

func focus(t *testing.T, values ...object.Value) actual.Focus {
	t.Helper()
	want, err := object.SetOf(values...)
	if err != nil {
		t.Fatal(err)
	}
	return actual.Focus{Want: want}
}

func read(t *testing.T, b *Backend, f actual.Focus) object.Set {
	t.Helper()
	have, err := b.Read(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return have
}

func creates(values ...object.Value) []object.Change {
	var out []object.Change
	for _, v := range values {
		out = append(out, object.Change{After: v})
	}
	return out
}

func mustApply(t *testing.T, b *Backend, changes ...object.Change) {
	t.Helper()
	if err := errors.Join(b.Apply(t.Context(), changes)...); err != nil {
		t.Fatal(err)
	}
}

// text prints a set in one string, ours with a star.
func text(s object.Set) string {
	var out strings.Builder
	for _, it := range s.Sorted() {
		if it.Marked {
			out.WriteString("* ")
		}
		out.WriteString(object.Text(it.Value) + "\n")
	}
	return out.String()
}

func wantText(t *testing.T, s object.Set, lines ...string) {
	t.Helper()
	want := strings.Join(append(lines, ""), "\n")
	if got := text(s); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// drain empties the channel of changes.
func drain(b *Backend) {
	select {
	case <-b.Changed():
	default:
	}
}

func awaitChange(t *testing.T, b *Backend, what string) {
	t.Helper()
	select {
	case <-b.Changed():
	case <-time.After(20 * time.Second):
		t.Fatalf("no change was signalled after %s", what)
	}
}

func TestContract(t *testing.T) { contract.Run(t, subject(vswitchtest.Start(t))) }

func subject(s *vswitchtest.Switch) contract.Subject {
	return contract.Subject{
		Bridge: "br-ex",
		New: func(t *testing.T) actual.Backend {
			s.Vsctl("--if-exists", "del-br", "br-ex")
			s.AddBridge("br-ex")
			return open(t, s)
		},
		Foreign: func(t *testing.T, _ actual.Backend, v object.Value) {
			f := v.(object.Flow)
			s.Ofctl("add-flow", "br-ex", fmt.Sprintf("cookie=0,%s,actions=%s", selector(f), f.Actions))
		},
	}
}

// What ovn-bgp-agent left is what a driver wants: taking over changes nothing.
func TestTakeover(t *testing.T) {
	s, b := lab(t)
	for _, v := range pair(1) {
		f := v.(object.Flow)
		s.Ofctl("add-flow", "br-ex", fmt.Sprintf("cookie=0x3e7,priority=900,%s,actions=%s", f.Match, f.Actions))
	}
	have := read(t, b, focus(t, pair(1)...))
	for _, v := range pair(1) {
		if it, ok := have.Get(v.Key()); !ok || it.Value != v || !it.Marked {
			t.Errorf("got %+v, %t, want %s", it, ok, object.Text(v))
		}
	}
}

// What a driver writes is what is read back, by every version of OpenFlow.
func TestCanonicalForm(t *testing.T) {
	s, b := lab(t)
	want := append(pair(1),
		object.Flow{
			Bridge: "br-ex", Priority: 1000, Match: "ip,in_port=1,dl_vlan=100,dl_src=" + mac + ",nw_src=10.0.0.0/26",
			Actions: "mod_dl_dst:" + mac + ",strip_vlan,output:3", Cookie: otherCookie,
		},
		object.Flow{
			Bridge: "br-ex", Priority: 1000, Match: "ipv6,in_port=1,dl_src=" + mac + ",ipv6_src=fd00::/64",
			Actions: "mod_dl_dst:" + mac + ",output:3", Cookie: otherCookie,
		},
		object.Flow{Bridge: "br-ex", Table: 7, Priority: 32768, Match: "any", Actions: "drop", Cookie: ourCookie},
		object.Flow{
			Bridge: "br-ex", Table: 7, Priority: 0, Match: "in_port=LOCAL", Actions: "mod_dl_src:" + mac + ",NORMAL",
			Cookie: ourCookie,
		},
	)
	f := focus(t, want...)
	for _, protocols := range []string{"[]", "OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow12", "OpenFlow15"} {
		s.Vsctl("set", "bridge", "br-ex", "protocols="+protocols)
		read(t, b, f)
		mustApply(t, b, creates(want...)...)
		for _, f.Complete = range []bool{false, true} {
			have := read(t, b, f)
			for _, v := range want {
				if it, ok := have.Get(v.Key()); !ok || it.Value != v || !it.Marked {
					t.Errorf("protocols %s, complete %t: got %v, want %s", protocols, f.Complete, it, object.Text(v))
				}
			}
		}
		for _, v := range want {
			mustApply(t, b, object.Change{Before: v})
		}
		if have := read(t, b, f); have.Len() != 0 {
			t.Errorf("protocols %s: left\n%s", protocols, text(have))
		}
	}
}

// The newer versions of OpenFlow refuse to strip a VLAN that the match does not
// demand; upstream's EVPN flows do just that.
func TestStripVLANWithoutMatch(t *testing.T) {
	s, b := lab(t)
	want := append(pair(1), object.Flow{
		Bridge: "br-ex", Priority: 1000, Match: "ip,in_port=1,dl_src=" + mac + ",nw_src=10.0.0.0/26",
		Actions: "mod_dl_dst:" + mac + ",strip_vlan,output:3", Cookie: otherCookie,
	})
	mustApply(t, b, creates(want...)...)
	if have := read(t, b, focus(t, want...)); have.Len() != len(want) {
		t.Errorf("got\n%s", text(have))
	}
	mustApply(t, b, object.Change{Before: want[2]})
	s.Vsctl("set", "bridge", "br-ex", "protocols=OpenFlow13")
	if errs := b.Apply(t.Context(), creates(want...)); errs[2] == nil || errs[1] != nil {
		t.Errorf("without OpenFlow 1.0 got %v", errs)
	}
}

// A flow that the switch prints in another form would be added for ever.
func TestNotCanonical(t *testing.T) {
	_, b := lab(t)
	bad := object.Flow{Bridge: "br-ex", Priority: 900, Match: "in_port=2,ip", Actions: "NORMAL", Cookie: ourCookie}
	errs := b.Apply(t.Context(), creates(append(pair(1), bad)...))
	if errs[0] != nil || errs[1] != nil || errs[2] == nil || !strings.Contains(errs[2].Error(), `"ip,in_port=2"`) {
		t.Errorf("got %v, want only the last to fail", errs)
	}
}

func TestForeignFlows(t *testing.T) {
	s, b := lab(t)
	s.Ofctl("add-flow", "br-ex", "cookie=0x5,priority=900,ip,in_port=1,actions=drop")
	s.Ofctl("add-flow", "br-ex", "cookie=0x3e7,priority=900,ip,in_port=9,actions=drop")
	s.Ofctl("add-flow", "br-ex", "cookie=0x6,priority=1,udp,actions=drop")
	f := focus(t, pair(1)...)
	const (
		foreign = "flow br-ex table 0 priority 900 ip,in_port=1  cookie 0x5 actions drop"
		left    = "* flow br-ex table 0 priority 900 ip,in_port=9  cookie 0x3e7 actions drop"
		six     = "* flow br-ex table 0 priority 900 ipv6,in_port=1  cookie 0x3e7 actions mod_dl_dst:" + mac + ",NORMAL"
	)
	have := read(t, b, f)
	wantText(t, have, foreign, left)

	errs := b.Apply(t.Context(), creates(pair(1)...))
	if errs[0] == nil || !strings.Contains(errs[0].Error(), "0x5") || errs[1] != nil {
		t.Errorf("got %v, want an error that names the cookie, and nil", errs)
	}
	wantText(t, read(t, b, f), foreign, left, six)

	// A delete of ours is not one of theirs.
	mustApply(t, b, object.Change{Before: pair(1)[0]}, object.Change{Before: pair(1)[1]},
		object.Change{Before: pair(9)[0]})
	wantText(t, read(t, b, f), foreign)
	if got := s.Ofctl("--no-stats", "dump-flows", "br-ex"); !strings.Contains(got, "priority=0 actions=NORMAL") ||
		!strings.Contains(got, "cookie=0x6, priority=1,udp actions=drop") {
		t.Errorf("flows of others are gone: %s", got)
	}
}

// Each change has an outcome of its own, though all are in one bundle.
func TestErrorsAreSingledOut(t *testing.T) {
	_, b := lab(t)
	var values []object.Value
	for port := range 20 {
		values = append(values, pair(port+1)...)
	}
	bad := map[int]object.Flow{
		3:  {Bridge: "br-ex", Priority: 900, Match: "ip,in_port=500", Actions: "group:77", Cookie: ourCookie},
		17: {Bridge: "br-ex", Priority: 900, Match: "nonsense", Actions: "drop", Cookie: ourCookie},
		18: {Bridge: "br-ex", Priority: 900, Match: "ip,in_port=501", Actions: "drop", Cookie: 0x77},
		30: {Bridge: "../br-ex", Priority: 900, Match: "ip", Actions: "drop", Cookie: ourCookie},
		31: {Bridge: "br-no", Priority: 900, Match: "ip", Actions: "drop", Cookie: ourCookie},
	}
	for i, f := range bad {
		values[i] = f
	}
	errs := b.Apply(t.Context(), creates(values...))
	for i, err := range errs {
		if _, wrong := bad[i]; wrong != (err != nil) {
			t.Errorf("change %d, %s: got %v", i, object.Text(values[i]), err)
		}
	}
	if !errors.Is(errs[31], actual.ErrGone) {
		t.Errorf("bridge that does not exist: got %v, want ErrGone", errs[31])
	}
	valid, err := object.SetOf(values...)
	if err != nil {
		t.Fatal(err)
	}
	valid.Remove(bad[31].Key())
	have := read(t, b, actual.Focus{Want: valid})
	for i, v := range values {
		if _, wrong := bad[i]; wrong == have.Has(v.Key()) {
			t.Errorf("%s: wrong %t, there %t", object.Text(v), wrong, have.Has(v.Key()))
		}
	}
}

// A bridge on which no flow is wanted is read if it is a wanted device.
func TestLeftoversOfAWantedDevice(t *testing.T) {
	s, b := lab(t)
	s.Ofctl("add-flow", "br-ex", "cookie=0x3e7,priority=900,ip,in_port=9,actions=drop")
	f := focus(t, object.Device{Name: "br-ex", Up: true}, object.Device{Name: "eth7", Up: true})
	wantText(t, read(t, b, f), "* flow br-ex table 0 priority 900 ip,in_port=9  cookie 0x3e7 actions drop")
	if have := read(t, b, actual.Focus{}); have.Len() != 0 || len(b.bridges) != 0 {
		t.Errorf("out of focus, got\n%s", text(have))
	}
}

// A bridge answers, one that is not there does not, and neither does one whose
// switch was killed and left the socket behind.
func TestAsk(t *testing.T) {
	s, b := lab(t)
	if err := b.Ask(t.Context(), "br-ex"); err != nil {
		t.Errorf("br-ex: %v", err)
	}
	if err := b.Ask(t.Context(), "br-none"); !errors.Is(err, actual.ErrGone) {
		t.Errorf("br-none: %v, want %v", err, actual.ErrGone)
	}
	s.Vsctl("set", "bridge", "br-ex", "protocols=OpenFlow10")
	if err := b.Ask(t.Context(), "br-ex"); !errors.Is(err, openflow.ErrVersion) {
		t.Errorf("a bridge of OpenFlow 1.0 alone: %v, want %v", err, openflow.ErrVersion)
	}
	s.KillSwitch()
	if err := b.Ask(t.Context(), "br-ex"); !errors.Is(err, openflow.ErrAway) {
		t.Errorf("without a switch: %v, want %v", err, openflow.ErrAway)
	}
}
