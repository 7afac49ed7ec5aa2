package lab

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// egressFlows are those by which answers to what came from OVN go back there and answers to
// the node to it, as a dump of the bridge has them.
func egressFlows(mac string, patch int) []string {
	fill := strings.NewReplacer("UPLINK", strconv.Itoa(uplinkPort), "OVN", strconv.Itoa(patch), "MAC", mac)
	var out []string
	for _, form := range []string{
		"cookie=0xdeff105, priority=100,ip,in_port=OVN,dl_src=MAC " +
			"actions=ct(commit,zone=64000,exec(load:0x1->NXM_NX_CT_MARK[])),output:UPLINK",
		"cookie=0xdeff105, priority=100,ip,in_port=LOCAL " +
			"actions=ct(commit,zone=64000,exec(load:0x2->NXM_NX_CT_MARK[])),output:UPLINK",
		"cookie=0xdeff105, priority=50,ip actions=ct(table=1,zone=64000,nat)",
		"cookie=0xdeff105, table=1, priority=100,ct_state=+est+trk,ct_mark=0x1,ip actions=output:OVN",
		"cookie=0xdeff105, table=1, priority=100,ct_state=+est+trk,ct_mark=0x2,ip actions=LOCAL",
		"cookie=0xdeff105, table=1, priority=10,dl_dst=MAC actions=LOCAL",
	} {
		out = append(out, fill.Replace(form))
	}
	return out
}

// SetEgressIP has what a pod sends to the outside leave by a node with an address of IPv4;
// no node: with that of its own node again.
func (k *OVNKube) SetEgressIP(ctx context.Context, egress, pod netip.Addr, on *Chassis) error {
	match := fmt.Sprintf("ip4.src == %s", pod)
	var t transaction
	for _, c := range k.lab.Chassis {
		t.add("--if-exists", "lr-nat-del", "GR_"+c.Hostname, "snat", pod.String())
	}
	t.add("--if-exists", "lr-policy-del", "ovn_cluster_router", "100", match)
	if on == nil {
		return k.lab.Neutron.commit(ctx, t)
	}
	t.add("--id=@nat", "create", "NAT", "type=snat", "external_ip="+strconv.Quote(egress.String()),
		"logical_ip="+strconv.Quote(pod.String()), "logical_port="+strconv.Quote("k8s-"+on.Hostname),
		column("options", map[string]string{"stateless": "false"}))
	t.add("add", "Logical_Router", "GR_"+on.Hostname, "nat", "@nat")
	t.add("--id=@policy", "create", "Logical_Router_Policy", "priority=100", "match="+strconv.Quote(match),
		"action=reroute", strset("nexthops", k.joinAddrs(on)[0].String()))
	t.add("add", "Logical_Router", "ovn_cluster_router", "policies", "@policy")
	if err := k.lab.Neutron.commit(ctx, t); err != nil {
		return err
	}
	patch, err := k.PatchPort(ctx, on)
	if err != nil {
		return err
	}
	mac, err := on.LinkMAC(externalBridge)
	if err != nil {
		return err
	}
	return on.addFlows(ctx, egressFlows(mac.String(), patch)...)
}
