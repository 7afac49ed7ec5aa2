//go:build guest

package evpn

import (
	"context"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// broken is what keeps packets from a tenant's address that is announced.
type broken struct {
	name string
	// make and heal are commands on the gateway's node. Where held is set, make is run again
	// and again, because bgp-ovn undoes it.
	make, heal string
	held       bool
	code, says string
	// lost says that packets are.
	lost bool
}

var brokens = []broken{
	{
		name: "a blackhole in the VRF", make: "ip route add blackhole 10.0.0.5/32 table 1001",
		heal: "ip route del blackhole 10.0.0.5/32 table 1001", code: reach.CodeForeignRoute,
		says: `route "blackhole 10.0.0.5 table 1001`, lost: true,
	},
	{
		name: "a rule before that of VRFs", make: "ip rule add pref 100 to 10.0.0.5 blackhole",
		heal: "ip rule del pref 100", code: reach.CodeForeignRule, says: "comes before that of VRFs", lost: true,
	},
	{
		name: "no rule of VRFs", make: "ip rule del pref 1000", heal: "ip rule add pref 1000 l3mdev protocol kernel",
		code: reach.CodeRuleMissing, says: "l3mdev", lost: true,
	},
	{
		name: "a flow of others", make: "ovs-ofctl add-flow br-ex priority=2000,ip,nw_dst=10.0.0.5,actions=drop",
		heal: "ovs-ofctl --strict del-flows br-ex priority=2000,ip,nw_dst=10.0.0.5", code: reach.CodeFlowDrops,
		says: "drops packets for 10.0.0.5", lost: true,
	},
	{
		name: "answers in a blackhole", make: "ip route add blackhole 10.9.0.1/32 table 1001",
		heal: "ip route del blackhole 10.9.0.1/32 table 1001", code: reach.CodeForeignRoute,
		says: `route "blackhole 10.9.0.1 table 1001`,
	},
	{
		name: "VXLAN device down", make: "ip link set vxlan-1001 down", held: true, code: reach.CodeDeviceDown,
		says: "vxlan-1001 is down: it is a part of VNI 1001", lost: true,
	},
	{
		name: "bridge down", make: "ip link set br-1001 down", held: true, code: reach.CodeDeviceDown,
		says: "br-1001 is down: it is a part of VNI 1001", lost: true,
	},
	{
		name: "no forwarding", make: "sysctl -qw net.ipv4.conf.br-1001.forwarding=0", held: true,
		code: reach.CodeForwardingOff, says: "net.ipv4.conf.br-1001.forwarding is 0", lost: true,
	},
}

// stretchedBrokens are the same of a stretched network, of which MAC and address are
// announced (type 2): its packets are switched and not routed.
var stretchedBrokens = []broken{
	{
		name: "VXLAN device down", make: "ip link set vxlan-3001 down", held: true, code: reach.CodeDeviceDown,
		says: "vxlan-3001 is down: it is a part of VNI 3001",
	},
	{
		name: "a flow of others", make: "ovs-ofctl add-flow br-ex priority=2000,ip,nw_dst=172.24.100.60,actions=drop",
		heal: "ovs-ofctl --strict del-flows br-ex priority=2000,ip,nw_dst=172.24.100.60", code: reach.CodeFlowDrops,
		says: "drops packets for 172.24.100.60", lost: true,
	},
}

// An address that the EVPN driver announces and that packets do not get through to is named
// with the first reason, by explain, status and metric, and only while it is so.
func TestTenantUnreachable(t *testing.T) {
	tn := newTenant(t, "t-reach", 1001, shared.flat, []string{"172.24.4.48", "2001:db8:4::48"}, shared.gw[0], shared.gw...)
	tn.connected(t)
	settled(t)
	for _, addr := range addrs(inside) {
		judged{addr: addr, vni: 1001}.await(t, "", "")
	}
	j := judged{addrs(inside)[0], 1001, tn.vrf.Host}
	for _, b := range brokens {
		t.Run(b.name, func(t *testing.T) { j.unreachable(t, b) })
	}
	settled(t)
	tn.connected(t)
}

// judged is an address that is announced into a VNI, and who pings it from outside.
type judged struct {
	addr netip.Addr
	vni  uint32
	from *lab.Remote
}

func (j judged) unreachable(t *testing.T, b broken) {
	ctx, began := storyContext(t), time.Now()
	gw, agent, addr := shared.gw[0], shared.agents[0], j.addr
	end := func() {
		if b.heal != "" {
			harness.Must(gw.Run(context.WithoutCancel(ctx), "sh", "-c", b.heal))(t)
		}
	}
	if b.held {
		cmd := gw.Command(context.WithoutCancel(ctx), "sh", "-c", "while :; do "+b.make+" 2>/dev/null; sleep 0.05; done")
		harness.Check(t, cmd.Start())
		end = func() { stop(t, cmd) }
	} else {
		harness.Must(gw.Run(ctx, "sh", "-c", b.make))(t)
	}
	ended := false
	t.Cleanup(func() {
		if !ended {
			end()
		}
	})
	j.await(t, b.code, b.says)
	harness.Check(t, harness.Await(ctx, "status and metric to tell", func(ctx context.Context) (bool, error) {
		s, err := agent.Status(ctx)
		if err != nil {
			return false, err
		}
		text, err := agent.Metrics(ctx)
		counted := strings.Contains(text, fmt.Sprintf(`bgp_ovn_unreachable{reason="%s"} `, b.code))
		return counted && j.isTold(s, b), err
	}))
	if b.lost && !b.held {
		if res := harness.Must(j.from.Ping(ctx, addr, 2, 20e6))(t); res.Received > 0 {
			t.Errorf("packets get through: %+v", res)
		}
	}
	end()
	ended = true
	idle(t, agent)
	j.await(t, "", "")
	t.Logf("took %s", time.Since(began).Round(time.Millisecond))
}

// isTold reports whether status has the address with its VNI and the reason.
func (j judged) isTold(s control.Status, b broken) bool {
	for _, u := range s.Reach.Unreachable {
		if u.Address == j.addr && u.VNI == j.vni && u.Code == b.code && strings.Contains(u.Text, b.says) && u.Try != "" {
			return true
		}
	}
	return false
}

// stop ends a loop.
func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	harness.Check(t, cmd.Process.Kill())
	_ = cmd.Wait() // it was killed
}

// await waits until explain says that an address is not reachable for a reason, or
// that it is if there is none.
func (j judged) await(t *testing.T, code, says string) {
	t.Helper()
	var last control.Explanation
	err := harness.Await(storyContext(t), "the verdict on "+j.addr.String(), func(ctx context.Context) (bool, error) {
		all, err := shared.agents[0].Client().Explain(ctx, j.addr.String())
		if err != nil {
			return false, err
		}
		last = all
		if last.Reach == nil || !last.Advertised {
			return false, nil
		}
		first, bad := last.Reach.First()
		return bad == (code != "") && first.Code == code && strings.Contains(first.Text, says) && last.Reach.VNI == j.vni, nil
	})
	if err != nil {
		t.Fatalf("%v\n%s\n%+v", err, last.String(), last.Reach)
	}
}
