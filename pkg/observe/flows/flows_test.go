package flows_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/flows"
)

const patience = time.Minute

// await waits until what is read is the lines that are wanted, with a reason why they may be
// old that contains stale.
func await(t *testing.T, s *flows.Source, want, stale string) {
	t.Helper()
	harness.Eventually(t, patience, func() string {
		got, err := s.Read(t.Context())
		if err != nil {
			return err.Error()
		}
		var text []string
		for _, f := range got.Bridges["br-ex"] {
			text = append(text, f.String())
		}
		if lines := strings.Join(text, "\n"); lines != want || (got.Stale == "") != (stale == "") ||
			!strings.Contains(got.Stale, stale) {
			return fmt.Sprintf("stale %q, flows\n%s\nwant\n%s", got.Stale, lines, want)
		}
		return ""
	})
}

// TestSource: the source beside a real switch, which comes late, changes, is killed and
// loses a bridge.
func TestSource(t *testing.T) {
	sw := vswitchtest.Start(t)
	tool, err := openflow.New("", sw.Dir, 0)
	harness.Check(t, err)
	known := make(chan struct{})
	s := flows.Open(flows.Config{
		Tool: tool, Grace: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
		Bridges: func() ([]string, bool) {
			select {
			case <-known:
				return []string{"br-ex"}, true
			default:
				return nil, false
			}
		},
	})
	t.Cleanup(func() { harness.Check(t, s.Close()) })
	if _, err := s.Read(t.Context()); !errors.Is(err, observe.ErrNotSynced) {
		t.Fatalf("nothing is known of bridges: %v", err)
	}
	sw.AddBridge("br-ex")
	close(known)
	await(t, s, "", "")
	const web = "cookie=0x7, priority=110,tcp,in_port=1,nw_dst=198.51.100.20,tp_dst=80 actions=output:2"
	add := func(flow string) { sw.Ofctl("add-flow", "br-ex", flow) }
	add("cookie=7,priority=110,tcp,in_port=1,nw_dst=198.51.100.20,tp_dst=80,actions=output:2")
	await(t, s, web, "")
	add("priority=50,ip,actions=ct(table=1)")
	add("table=1,priority=110,tcp,in_port=1,nw_dst=198.51.100.21,tp_dst=80,actions=output:2")
	add("priority=110,icmp6,in_port=1,icmp_type=135,icmp_code=0,nd_target=2001:db8:53::20,actions=3")
	const nd = "cookie=0x0, priority=110,icmp6,in_port=1,icmp_type=135,icmp_code=0,nd_target=2001:db8:53::20 " +
		"actions=output:3"
	await(t, s, web+"\n"+nd, "")
	if len(s.Changed()) == 0 {
		t.Error("nobody was told of that")
	}
	sw.KillSwitch()
	await(t, s, web+"\n"+nd, "br-ex")
	sw.StartSwitch()
	await(t, s, "", "") // nobody has made them again
	add("cookie=7,priority=110,tcp,in_port=1,nw_dst=198.51.100.20,tp_dst=80,actions=output:2")
	await(t, s, web, "")
	sw.Ofctl("del-flows", "br-ex", "tcp,nw_dst=198.51.100.20")
	await(t, s, "", "")
	add("cookie=7,priority=110,tcp,in_port=1,nw_dst=198.51.100.20,tp_dst=80,actions=output:2")
	await(t, s, web, "")
	sw.Vsctl("del-br", "br-ex")
	await(t, s, "", "")
	if st := s.Status(); len(st) != 1 || st[0].Bridge != "br-ex" || st[0].Fault != "" || st[0].Reads == 0 {
		t.Errorf("status %+v", st)
	}
}
