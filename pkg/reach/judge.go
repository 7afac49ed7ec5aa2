package reach

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// judgement is a verdict being made.
type judgement struct {
	Facts
	Verdict
}

// Judge makes a verdict of facts. The same facts give the same verdict.
func Judge(f Facts) Verdict {
	j := &judgement{Facts: f, Verdict: Verdict{Address: f.Addr, Checked: true, Stages: []Stage{}}}
	if o := f.Overlay; o != nil {
		j.Verdict.VNI = o.VNI
		j.overlay()
	} else {
		j.underlay()
	}
	for _, text := range f.Unread {
		j.add("unread", Unknown, text)
	}
	_, broken := j.First()
	j.Reachable = !broken
	return j.Verdict
}

// underlay judges the way of a packet that comes in by an uplink, and of the answer to it.
func (j *judgement) underlay() {
	j.uplinks()
	j.rule()
	j.route()
	j.filter()
	j.device()
	j.neighbour()
	j.bridge()
	j.port()
	j.answer()
}

func (j *judgement) ipv6() bool { return j.Addr.Is6() }

// up are the uplinks that are up.
func (j *judgement) up() []Device {
	return slices.DeleteFunc(slices.Clone(j.Uplinks), func(d Device) bool { return !d.Up || !d.Carrier })
}

func (j *judgement) uplinks() {
	if len(j.Uplinks) == 0 {
		j.add("uplink", Unknown, "no device leads to a BGP peer")
		return
	}
	up := j.up()
	for _, d := range j.Uplinks {
		switch text := d.Name + " is up"; {
		case d.Up && d.Carrier:
			j.forwards("uplink", d, text)
		default:
			text, try := d.Fault()
			if len(up) > 0 {
				j.Stages = append(j.Stages, Stage{Name: "uplink", State: Suspect, Text: text, Try: try})
			} else {
				j.broken("uplink", CodeUplinkDown, try, text)
			}
		}
	}
}

// Fault says how a device is down, and what to do; empty if it is up.
func (d Device) Fault() (text, try string) {
	switch {
	case d.Up && d.Carrier:
		return "", ""
	case d.Missing:
		return "device " + d.Name + " does not exist", "ip link show"
	case !d.Up:
		return "device " + d.Name + " is down", "ip link set " + d.Name + " up"
	default:
		return "device " + d.Name + " has no carrier: its other end is down", "ip -d link show " + d.Name +
			"; look at the cable and the port at the other end"
	}
}

// forwards adds a stage for a device that packets come in by.
func (j *judgement) forwards(stage string, d Device, text string) {
	switch {
	case !j.ForwardAll && j.ipv6():
		j.broken(stage, CodeForwardingOff, "sysctl -w net.ipv6.conf.all.forwarding=1",
			"net.ipv6.conf.all.forwarding is 0: the kernel forwards no IPv6")
	case !j.ipv6() && !d.Forwarding:
		j.broken(stage, CodeForwardingOff, "sysctl -w net.ipv4.conf."+strings.ReplaceAll(d.Name, ".", "/")+".forwarding=1",
			"net.ipv4.conf."+d.Name+".forwarding is 0: what comes in by "+d.Name+" is not forwarded")
	default:
		j.add(stage, OK, text)
	}
}

// forwardsNot reports whether the kernel refuses whatever comes in by a device.
func (j *judgement) forwardsNot(dev string) bool {
	if j.ipv6() {
		return !j.ForwardAll
	}
	return slices.ContainsFunc(j.Uplinks, func(d Device) bool { return d.Name == dev && !d.Forwarding })
}

// in are the lookups of packets that come in by an uplink that is up. What comes from an
// address to which no route leads is left out: the way back tells of that.
func (j *judgement) in() []Lookup {
	up := j.up()
	return slices.DeleteFunc(slices.Clone(j.In), func(l Lookup) bool {
		return !slices.ContainsFunc(up, func(d Device) bool { return d.Name == l.From }) ||
			j.Overlay == nil && slices.ContainsFunc(j.Back, func(b Lookup) bool {
				return b.Dst == l.Src && b.Refused == RefusedNoRoute
			})
	})
}

// fits reports whether a packet passes our rule and meets our route.
func (j *judgement) fits(l Lookup) bool {
	return l.Refused == "" && (j.Table == 0 || l.Route.Table == j.Table) &&
		(j.Dev == "" || l.Route.leadsTo(j.Dev))
}

// taker is the first rule of others that takes a packet before our rule does.
func (j *judgement) taker(l Lookup) (Rule, bool) {
	for _, r := range j.Rules {
		switch {
		case r.Ours && r.Table == j.Table, r.Priority >= j.Priority:
			return Rule{}, false
		case r.Ours || r.Table == tableLocal || r.More || !r.matches(l):
		case r.Action == "blackhole" || r.Action == "unreachable" || r.Action == "prohibit":
			if l.Refused != "" {
				return r, true
			}
		case r.Action == "" && l.Refused == "" && r.Table == l.Route.Table:
			return r, true
		case r.Action == "" && l.Refused != "" && slices.ContainsFunc(j.Refusing, func(e Route) bool {
			return e.Table == r.Table && e.Dst.Contains(l.Dst)
		}):
			return r, true
		}
	}
	return Rule{}, false
}

const (
	tableLocal   = 255
	tableMain    = 254
	tableDefault = 253
)

// matches reports whether a rule selects a packet, as far as its selectors are known.
func (r Rule) matches(l Lookup) bool {
	is := (!r.From.IsValid() || r.From.Contains(l.Src)) && (!r.To.IsValid() || r.To.Contains(l.Dst)) &&
		(r.Iif == "" || r.Iif == l.From)
	return is != r.Inverted
}

func (j *judgement) hasOurRule() bool {
	return slices.ContainsFunc(j.Rules, func(r Rule) bool { return r.Ours && r.Table == j.Table })
}

func (j *judgement) rule() {
	if j.Table == 0 {
		return
	}
	for _, l := range j.in() {
		if j.fits(l) {
			continue
		}
		if r, ok := j.taker(l); ok {
			j.broken("rule", CodeForeignRule, "ip"+six(l.Dst)+" rule del priority "+fmt.Sprint(r.Priority),
				fmt.Sprintf("rule %q comes before ours (%d) and takes packets for %s%s", r.Text, j.Priority, l.Dst,
					suffix(l)))
			return
		}
	}
	if len(j.Rules) > 0 && !j.hasOurRule() {
		j.broken("rule", CodeRuleMissing, "bgp-ovn plan; bgp-ovn audit --repair",
			fmt.Sprintf("there is no rule %d that looks up table %d", j.Priority, j.Table))
		return
	}
	j.add("rule", OK, fmt.Sprintf("%d: lookup %d", j.Priority, j.Table))
}

// suffix says where the packet goes instead.
func suffix(l Lookup) string {
	if l.Refused != "" {
		return ": " + string(l.Refused)
	}
	return ", which leave by " + devices(l.Route)
}

func devices(r Route) string {
	var names []string
	for _, h := range r.Hops {
		if !slices.Contains(names, h.Dev) {
			names = append(names, h.Dev)
		}
	}
	if len(names) == 0 {
		return "no device"
	}
	return strings.Join(names, ", ")
}

// six is the option of ip(8) for the family.
func six(a netip.Addr) string {
	if a.Is6() {
		return " -6"
	}
	return ""
}

// Text is a route as ip(8) prints it.
func (r Route) Text() string {
	var words []string
	if r.Type != "unicast" {
		words = append(words, r.Type)
	}
	switch {
	case r.Dst.Bits() == 0:
		words = append(words, "default")
	case r.Dst.IsSingleIP():
		words = append(words, r.Dst.Addr().String())
	default:
		words = append(words, r.Dst.String())
	}
	for _, h := range r.Hops {
		if h.Via.IsValid() {
			words = append(words, "via", h.Via.String())
		}
		if h.Dev != "" {
			words = append(words, "dev", h.Dev)
		}
	}
	words = append(words, "table", tableName(r.Table))
	if r.Protocol != 0 {
		words = append(words, "proto", protocolName(r.Protocol))
	}
	if r.Metric != 0 {
		words = append(words, "metric", fmt.Sprint(r.Metric))
	}
	return strings.Join(words, " ")
}

// delete is the command that removes a route.
func (r Route) delete() string {
	words := []string{"ip" + six(r.Dst.Addr()) + " route del"}
	if r.Type != "unicast" {
		words = append(words, r.Type)
	}
	words = append(words, r.Dst.String(), "table", tableName(r.Table))
	if r.Metric != 0 {
		words = append(words, "metric", fmt.Sprint(r.Metric))
	}
	return strings.Join(words, " ")
}

func tableName(t uint32) string {
	switch t {
	case tableMain:
		return "main"
	case tableLocal:
		return "local"
	case tableDefault:
		return "default"
	default:
		return fmt.Sprint(t)
	}
}

// protocolName is the name that ip(8) prints without files of names.
func protocolName(p uint8) string {
	names := map[uint8]string{2: "kernel", 3: "boot", 4: "static", 9: "ra", 16: "dhcp"}
	if name, ok := names[p]; ok {
		return name
	}
	return fmt.Sprint(p)
}

// refuser is the most specific route that refuses an address, of others before ours.
func (j *judgement) refuser(l Lookup) (best Route, ok bool) {
	for _, r := range j.Refusing {
		if !r.Dst.IsValid() || !r.Dst.Contains(l.Dst) || j.Overlay == nil && !j.consulted(r.Table, l) {
			continue
		}
		// A VRF has routes of ours that refuse what nothing else leads to.
		if j.Overlay != nil && (r.Table != j.Table || r.Protocol == j.Protocol) {
			continue
		}
		if !ok || r.Dst.Bits() > best.Dst.Bits() {
			best, ok = r, true
		}
	}
	return best, ok
}

// consulted reports whether a rule has the kernel look a packet up in a table. Those of OVN's routers have routes
// that refuse, too, and are for OVN alone, or for their VRF.
func (j *judgement) consulted(table uint32, l Lookup) bool {
	return len(j.Rules) == 0 || slices.ContainsFunc(j.Rules, func(r Rule) bool {
		return r.Action == "" && !r.L3MDev && r.Table == table && (r.More || r.matches(l))
	})
}

func (j *judgement) route() {
	if slices.ContainsFunc(j.Stages, func(s Stage) bool { return s.Name == "rule" && s.State == Broken }) {
		return // what another rule leads to is nothing to judge our table by
	}
	if d := j.Facts.Device; d.Name != "" && (d.Missing || !d.Up) {
		return // its routes have gone with it
	}
	in := j.in()
	for _, l := range in {
		if j.fits(l) {
			continue
		}
		if j.forwardsNot(l.From) {
			return // which is why the kernel refuses
		}
		j.wrongRoute(l)
		return
	}
	if len(in) == 0 {
		j.add("route", Unknown, "the kernel was not asked: no uplink is up")
		return
	}
	j.add("route", OK, in[0].Route.Text())
}

// wrongRoute tells of a packet that does not meet our route.
func (j *judgement) wrongRoute(l Lookup) {
	switch refuser, found := j.refuser(l); {
	case l.Refused == RefusedSource:
		j.filtered("uplink", l)
	case l.Refused != "" && found:
		j.broken("route", CodeForeignRoute, refuser.delete(), fmt.Sprintf("route %q refuses packets for %s", refuser.Text(),
			l.Dst))
	case l.Refused == RefusedBlackhole && slices.ContainsFunc(j.Uplinks, func(d Device) bool {
		return d.Name == l.From && d.RPFilter > 0
	}):
		j.filtered("uplink", l)
	case l.Refused == RefusedBlackhole:
		j.broken("route", CodeForeignRoute, "ip"+six(l.Dst)+" route show table all | grep -w "+l.Dst.String(),
			fmt.Sprintf("the kernel drops packets for %s that come in by %s: blackhole, or a source that cannot be", l.Dst,
				l.From))
	case l.Refused != "" && !l.Refused.known():
		j.add("route", Unknown, fmt.Sprintf("the kernel does not say how it would forward packets for %s: %s", l.Dst,
			l.Refused))
	case l.Refused != "":
		j.broken("route", CodeRouteMissing, "ip"+six(l.Dst)+" route show table "+tableName(j.Table)+"; bgp-ovn plan",
			fmt.Sprintf("the kernel has no way to forward packets for %s that come in by %s: %s", l.Dst, l.From, l.Refused))
	default:
		j.broken("route", CodeForeignRoute, l.Route.delete(), fmt.Sprintf(
			"route %q wins over ours: packets for %s leave by %s", l.Route.Text(), l.Dst, devices(l.Route)))
	}
}

// filtered tells of a packet that the reverse path filter drops.
func (j *judgement) filtered(stage string, l Lookup) {
	key := "net.ipv4.conf." + strings.ReplaceAll(l.From, ".", "/") + ".rp_filter"
	j.broken(stage, CodeReversePath, "sysctl -w net.ipv4.conf.all.rp_filter=0 "+key+"=0",
		fmt.Sprintf("the reverse path filter of %s drops packets from %s: the way back is by another device", l.From, l.Src))
}

func (j *judgement) device() {
	d := j.Facts.Device
	switch {
	case d.Name == "":
	case d.Up && d.Carrier:
		j.add("device", OK, fmt.Sprintf("%s is up, MTU %d", d.Name, d.MTU))
		for _, u := range j.up() {
			if u.MTU > 0 && u.MTU < d.MTU {
				j.Stages = append(j.Stages, Stage{
					Name: "device", State: Suspect, Try: "ip link set " + u.Name + " mtu " + fmt.Sprint(d.MTU),
					Text: fmt.Sprintf("%s has an MTU of %d, %s of %d: larger packets are refused", u.Name, u.MTU, d.Name, d.MTU),
				})
			}
		}
	default:
		text, try := d.Fault()
		j.broken("device", CodeDeviceDown, try, text)
	}
}

func (j *judgement) neighbour() {
	n := j.Neighbour
	switch {
	case j.Dev == "":
	case n == nil:
		j.add("neighbour", OK, fmt.Sprintf("%s is not in the neighbour table of %s yet", j.Hop(), j.Dev))
	case n.State == "FAILED":
		// The port's link says why, if it is down.
		if j.Interface != nil && (j.Interface.LinkDown || j.Interface.AdminDown || j.Interface.Name == "") {
			j.add("neighbour", Suspect, fmt.Sprintf("%s does not answer on %s", j.Hop(), j.Dev))
			return
		}
		j.broken("neighbour", CodeNeighbourFailed, fmt.Sprintf("ip neigh show %s dev %s; ovs-ofctl dump-flows %s",
			j.Hop(), j.Dev, j.Way.bridgeOr()), fmt.Sprintf("nobody answers for %s on %s (ARP or NDP failed)", j.Hop(), j.Dev))
	default:
		j.add("neighbour", OK, fmt.Sprintf("%s is %s, %s", j.Hop(), n.MAC, n.State))
	}
}

func (w Way) bridgeOr() string {
	if w.Bridge == "" {
		return w.Dev
	}
	return w.Bridge
}

func (j *judgement) bridge() {
	s := j.Switch
	switch {
	case s == nil:
	case s.Err != "":
		j.broken("bridge", CodeSwitchSilent, "ovs-appctl version; systemctl restart ovs-vswitchd",
			"ovs-vswitchd does not answer: "+s.Err)
	case s.In.Asked && s.In.Dropped && s.In.Bridge != "" && s.In.Bridge != j.Way.Bridge:
		// OVN's own decision about this one packet: a security group, or an address of a
		// router, which answers no TCP. It is policy, and no fault of the node.
		j.Stages = append(j.Stages, Stage{
			Name: "bridge", State: Suspect, Try: "ovn-trace; openstack security group rule list",
			Text: fmt.Sprintf("OVN drops such a packet on %s at flow: %s", s.In.Bridge, s.In.Last),
		})
	case s.In.Asked && s.In.Dropped:
		j.broken("bridge", CodeFlowDrops, deleteFlow(j.Way.Bridge, s.In.Last),
			"Open vSwitch drops packets for "+j.Addr.String()+" at flow: "+s.In.Last)
	case s.In.Asked:
		j.add("bridge", OK, fmt.Sprintf("%s, flow %s, output %s", j.Way.Bridge, s.In.First, s.In.Output))
	}
}

func (j *judgement) port() {
	i := j.Interface
	switch {
	case i == nil:
	case i.Name == "":
		j.broken("port", CodePortMissing, "ovs-vsctl --columns=name find Interface external_ids:iface-id="+j.Port,
			"no interface of Open vSwitch has external_ids:iface-id="+j.Port)
	case i.Error != "":
		j.broken("port", CodePortDown, "ovs-vsctl list Interface "+i.Name, "interface "+i.Name+": "+i.Error)
	case i.AdminDown:
		j.broken("port", CodePortDown, "ip link set "+i.Name+" up", "interface "+i.Name+" of port "+j.Port+" is down")
	case i.LinkDown:
		j.broken("port", CodePortDown, "ip link show "+i.Name+"; is the VM running?",
			"interface "+i.Name+" of port "+j.Port+" has no link: the VM's end is down")
	default:
		j.add("port", OK, i.Name+" is up, port "+j.Port)
	}
}
