package reach

import (
	"fmt"
	"net/netip"
	"strings"
)

// packet is what a packet filter may look at.
type packet struct {
	iif, oif string
	src, dst netip.Addr
}

// outcome of a chain for a packet.
type outcome int

const (
	passes outcome = iota
	drops
	mayDrop
)

// filter judges the packet filters that forwarded packets meet, in both directions.
func (j *judgement) filter() {
	var ways []packet
	for _, l := range j.in() {
		in, answer := packet{l.From, j.Dev, l.Src, l.Dst}, packet{j.Dev, l.From, l.Dst, l.Src}
		if o := j.Overlay; o != nil { // what is in a VRF comes in by that (l3mdev_ip_rcv)
			in.iif, answer.iif = o.VRF, o.VRF
		}
		ways = append(ways, in, answer)
	}
	suspects, broken := []string{}, false
	for _, c := range j.Filters {
		if !c.sees(j.ipv6()) {
			continue
		}
		var worst outcome
		var rule string
		for _, p := range ways {
			o, text := c.decide(p)
			if c.OneDevice && o == drops {
				o, text = mayDrop, text+", on one device"
			}
			if o == drops || o == mayDrop && worst == passes {
				worst, rule = o, text
			}
			if worst == drops {
				break
			}
		}
		switch worst {
		case drops:
			broken = true
			j.broken("filter", CodePacketFilter, "nft list chain "+c.Family+" "+c.Table+" "+c.Name,
				fmt.Sprintf("chain %s (hook %s) drops forwarded packets: %s", c.title(), c.Hook, rule))
		case mayDrop:
			suspects = append(suspects, c.title()+" ("+rule+")")
		case passes:
		}
	}
	switch {
	case len(suspects) > 0:
		j.Stages = append(j.Stages, Stage{
			Name: "filter", State: Suspect, Text: "may drop packets: " + strings.Join(suspects, ", "), Try: "nft list ruleset",
		})
	case !broken && len(ways) > 0:
		j.add("filter", OK, "no packet filter drops forwarded packets")
	}
}

func (c Chain) title() string { return c.Family + " " + c.Table + " " + c.Name }

// sees reports whether packets of the family meet the chain.
func (c Chain) sees(ipv6 bool) bool {
	return c.Family == "inet" || c.Family == "netdev" || ipv6 == (c.Family == "ip6")
}

// decide follows the rules. What is not understood may match or not.
func (c Chain) decide(p packet) (outcome, string) {
	unsure := ""
	for _, r := range c.Rules {
		match, known := r.matches(p)
		if known && !match {
			continue
		}
		switch {
		case known && r.Action == Accept:
			if unsure != "" {
				return mayDrop, unsure
			}
			return passes, ""
		case known && r.Action == Drop && unsure == "":
			return drops, r.Text
		case r.Action == Other, r.Action == Drop, r.Action == Accept && c.Drop:
			if unsure == "" {
				unsure = r.Text + " decides by what is not looked at here"
			}
		}
	}
	switch {
	case unsure != "" && (c.Drop || c.anyDrop()):
		return mayDrop, unsure
	case c.Drop:
		return drops, "policy drop"
	case unsure != "":
		return mayDrop, unsure
	default:
		return passes, ""
	}
}

func (c Chain) anyDrop() bool {
	for _, r := range c.Rules {
		if r.Action == Drop || r.Action == Other {
			return true
		}
	}
	return false
}

// matches reports whether all conditions hold, and whether that is known.
func (r FilterRule) matches(p packet) (match, known bool) {
	known = true
	for _, c := range r.Conditions {
		m, k := c.holds(p)
		if k && !m {
			return false, true
		}
		known = known && k
	}
	return true, known
}

// holds reports whether a condition holds, and whether that is known.
func (c Condition) holds(p packet) (match, known bool) {
	var is bool
	switch c.Field {
	case "iif":
		is = nameFits(c.Value, p.iif)
	case "oif":
		is = nameFits(c.Value, p.oif)
	case "family":
		is = (c.Value == "ip6") == p.dst.Is6()
	case "src", "dst":
		at := p.src
		if c.Field == "dst" {
			at = p.dst
		}
		prefix, err := netip.ParsePrefix(c.Value)
		if err != nil {
			return false, false
		}
		is = prefix.Contains(at)
	default:
		return false, false
	}
	return is != c.Not, true
}

// nameFits compares a device with a name, which may end in an asterisk.
func nameFits(pattern, name string) bool {
	if stem, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, stem)
	}
	return pattern == name
}
