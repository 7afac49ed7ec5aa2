package story

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// String prints lines that lead to the same snapshots, in an order that does not
// depend on the lines that the story was made of. Failed property tests print it.
func (s *Story) String() string {
	var b strings.Builder
	say := func(words ...string) { b.WriteString(strings.Join(words, " ") + "\n") }
	if len(s.chassis) > 0 {
		say("chassis", strings.Join(slices.Sorted(maps.Keys(s.chassis)), " "))
	}
	if s.mapping != "" {
		say("mapping", s.mapping)
	}
	for _, name := range slices.Sorted(maps.Keys(s.bridges)) {
		br := s.bridges[name]
		say("bridge", name, "mac", br.MAC.String())
		for _, p := range br.Patches {
			say("patch", name, p.Localnet, "ofport", ofport(p.OFPort))
		}
		for _, p := range br.Made {
			say("made", p.Name, "on", name, "ofport", ofport(p.OFPort))
		}
		if _, ok := s.devices[name]; !ok {
			say("device", name, "gone")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.devices)) {
		if l := s.devices[name]; l.Table != 0 {
			ours := ""
			if l.Ours {
				ours = "ours"
			}
			say("vrf", name, "table", fmt.Sprint(l.Table), ours)
		} else if br, ok := s.bridges[name]; !ok || br.MAC != l.MAC {
			say("device", name, "mac", s.devices[name].MAC.String())
		}
	}
	for _, id := range slices.Sorted(maps.Keys(s.tables)) {
		if t := s.tables[id]; t.Foreign {
			say("table", fmt.Sprint(id), "foreign")
		} else {
			say("table", fmt.Sprint(id), "name", t.Name)
		}
	}
	for _, a := range s.host().Addresses {
		say("address", netip.PrefixFrom(a.Addr, a.Net.Bits()).String(), "dev", a.Dev)
	}
	for _, line := range s.learned.lines() {
		say(line)
	}
	for _, name := range slices.Sorted(maps.Keys(s.ports)) {
		say(s.portWords(s.ports[name])...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.balancers)) {
		say(s.balancers[name].words(name)...)
	}
	s.north.say(say)
	for _, k := range slices.SortedFunc(maps.Keys(s.bad), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		say("unreadable", k[0], quote(k[1]), quote(s.bad[k]))
	}
	for _, source := range [][2]string{{"sb", s.staleSB}, {"ovs", s.staleOVS}} {
		if source[1] != "" {
			say("stale", source[0], quote(source[1]))
		}
	}
	return b.String()
}

// ofport is what reader.ofport reads.
func ofport(n uint16) string {
	if n == 0 {
		return "none"
	}
	return fmt.Sprint(n)
}

// portWords is the line of a port in the general form: with its type and with keys
// as they are in the row, whichever head and words described it.
func (s *Story) portWords(p *observe.PortBinding) []string {
	head := "port"
	for name, router := range s.datapaths {
		if UUID("datapath "+name) == p.Datapath && router {
			head = "routerport"
		}
	}
	on := s.nameOf("datapath ", p.Datapath, slices.Collect(maps.Keys(s.datapaths)))
	out := []string{head, p.LogicalPort, "type", quote(p.Type), "on", on}
	for _, mac := range p.RawMAC {
		out = append(out, "mac", quote(mac))
	}
	for _, nat := range p.RawNAT {
		out = append(out, "nat", quote(nat))
	}
	chassis := slices.Collect(maps.Keys(s.chassis))
	if !p.Chassis.IsZero() {
		out = append(out, "chassis", s.nameOf("chassis ", p.Chassis, chassis))
	}
	for _, u := range p.AdditionalChassis {
		out = append(out, "additional", s.nameOf("chassis ", u, chassis))
	}
	if p.Down {
		out = append(out, "down")
	}
	if p.VirtualParent != "" {
		out = append(out, "parent", p.VirtualParent)
	}
	if p.Tag != 0 {
		out = append(out, "tag", fmt.Sprint(p.Tag))
	}
	for _, k := range slices.Sorted(maps.Keys(p.Options)) {
		out = append(out, "option", quote(k+"="+p.Options[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(p.ExternalIDs)) {
		out = append(out, "id", quote(k+"="+p.ExternalIDs[k]))
	}
	return out
}

// nameOf finds the name that a row's UUID was made of; none is that of an empty
// reference.
func (s *Story) nameOf(kind string, u observe.UUID, names []string) string {
	for _, name := range names {
		if UUID(kind+name) == u {
			return name
		}
	}
	return "none"
}

// words is the line of a load balancer.
func (b *balancer) words(name string) []string {
	out := []string{"balancer", name}
	for _, vip := range slices.Sorted(maps.Keys(b.vips)) {
		out = append(out, "vip", vip)
	}
	for _, dp := range b.switches {
		out = append(out, "ls", dp)
	}
	for _, dp := range b.routers {
		out = append(out, "lr", dp)
	}
	return out
}
