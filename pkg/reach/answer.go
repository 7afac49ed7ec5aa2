package reach

import (
	"fmt"
	"slices"
	"strings"
)

// answer judges the way back: from the port over the bridge into the kernel, and out by
// an uplink.
func (j *judgement) answer() {
	j.answerFlow()
	d := j.Facts.Device
	if d.Name == "" || d.Missing || !d.Up {
		return
	}
	if !j.ipv6() && !d.ProxyARP && j.Table != 0 {
		j.broken("answer", CodeProxyARPOff, "sysctl -w net.ipv4.conf."+d.Name+".proxy_arp=1",
			"net.ipv4.conf."+d.Name+".proxy_arp is 0: the kernel does not answer for the gateway of the network")
	}
	if !j.ipv6() {
		j.forwards("answer", d, d.Name+" forwards")
	}
	j.back()
}

// answerFlow judges whether the answer meets our flow.
func (j *judgement) answerFlow() {
	s := j.Switch
	if s == nil || s.Err != "" || !s.Answer.Asked {
		return
	}
	if !slices.Contains(j.Cookies, s.Answer.Cookie) {
		j.broken("answer", CodeForeignFlow, deleteFlow(j.Way.Bridge, s.Answer.First),
			fmt.Sprintf("flow %q on %s takes answers of %s before ours does", s.Answer.First, j.Way.Bridge, j.Addr))
		return
	}
	if s.Answer.Dropped {
		j.broken("answer", CodeForeignFlow, "ovs-ofctl --rsort dump-flows "+j.Way.Bridge,
			"Open vSwitch drops answers of "+j.Addr.String()+" at flow: "+s.Answer.Last)
		return
	}
	j.add("answer", OK, "flow "+s.Answer.First)
}

// deleteFlow is the command that removes a flow as ofproto/trace prints it.
func deleteFlow(bridge, flow string) string {
	table, rest, _ := strings.Cut(flow, " ")
	match, priority, ok := strings.Cut(rest, ", priority ")
	if !ok {
		return "ovs-ofctl --rsort dump-flows " + bridge
	}
	return fmt.Sprintf("ovs-ofctl --strict del-flows %s %s,priority=%s,%s", bridge, table, priority, match)
}

// back judges the routes of answers.
func (j *judgement) back() {
	// That a device does not forward is said already, and is why every lookup is refused.
	if slices.ContainsFunc(j.Stages, func(s Stage) bool { return s.Code == CodeForwardingOff && s.Name == "answer" }) ||
		j.ipv6() && !j.ForwardAll {
		return
	}
	if len(j.Uplinks) > 0 && len(j.up()) == 0 {
		return // the routes have gone with the devices
	}
	shown := ""
	for _, l := range j.Back {
		refuser, found := j.refuser(l)
		switch {
		case l.Refused == "":
			shown = l.Route.Text()
		case l.Refused == RefusedSource, l.Refused == RefusedBlackhole && !found && j.Facts.Device.RPFilter > 0:
			j.filtered("answer", l)
			return
		case found:
			j.broken("answer", CodeForeignRoute, refuser.delete(),
				fmt.Sprintf("route %q refuses answers of %s to the fabric", refuser.Text(), j.Addr))
			return
		case l.Far && !j.NeedsDefault:
		default:
			j.noWayBack(l)
			return
		}
	}
	if shown != "" {
		j.add("answer", OK, shown)
	}
}

// noWayBack tells of an answer that no route leads to the fabric.
func (j *judgement) noWayBack(l Lookup) {
	text := "no route leads from here to " + l.Dst.String() + ": answers of " + j.Addr.String() + " are lost"
	if o := j.Overlay; o != nil {
		j.broken("answer", CodeNoWayBack, fmt.Sprintf("bgp-ovn evpn %d; bgp-ovn plan", o.VNI),
			"in "+o.VRF+" "+text)
		return
	}
	switch {
	case l.Far:
		text = "there is no default route: answers of " + j.Addr.String() + " beyond the connected networks are lost"
	case l.Refused != RefusedNoRoute:
		text += " (" + string(l.Refused) + ")"
	}
	j.broken("answer", CodeNoWayBack, "ip"+six(j.Addr)+" route show default; ip"+six(j.Addr)+
		" route add default via NEXTHOP", text)
}
