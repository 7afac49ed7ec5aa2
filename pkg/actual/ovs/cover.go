package ovs

import (
	"fmt"
	"maps"
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// fields are those of a match. A protocol such as ip or tcp6 is written out as the
// fields that it stands for.
type fields map[string]string

// protocols are the words of a match that stand for an Ethernet type and, if they have
// one, a protocol number (ovs-fields(7)).
var protocols = map[string][2]string{
	"ip": {"0x0800"}, "ipv6": {"0x86dd"}, "arp": {"0x0806"}, "rarp": {"0x8035"},
	"icmp": {"0x0800", "1"}, "tcp": {"0x0800", "6"}, "udp": {"0x0800", "17"}, "sctp": {"0x0800", "132"},
	"icmp6": {"0x86dd", "58"}, "tcp6": {"0x86dd", "6"}, "udp6": {"0x86dd", "17"}, "sctp6": {"0x86dd", "132"},
}

func fieldsOf(match string) fields {
	out := fields{}
	if match == anyMatch {
		return out
	}
	for _, word := range strings.Split(match, ",") {
		name, value, _ := strings.Cut(word, "=")
		p, known := protocols[word]
		if !known {
			out[name] = value
			continue
		}
		if out["dl_type"] = p[0]; p[1] != "" {
			out["nw_proto"] = p[1]
		}
	}
	return out
}

// covers reports whether every packet that inner matches is matched by outer too.
func (outer fields) covers(inner fields) bool {
	for name, value := range outer {
		have, ok := inner[name]
		if !ok || have != value && !covering(value, have) {
			return false
		}
	}
	return true
}

// covering reports whether one prefix of addresses has the other in it.
func covering(outer, inner string) bool {
	o, i := prefixOf(outer), prefixOf(inner)
	return o.IsValid() && i.IsValid() && o.Bits() <= i.Bits() && o.Contains(i.Addr())
}

func prefixOf(text string) netip.Prefix {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, _ := netip.ParsePrefix(text) // invalid for what is no prefix
	return p
}

// overridden finds the flows of ours of which another owner's takes every packet,
// because it has a higher priority in the same table, and names that. One that does the
// same to the packets does no harm.
func (br *bridge) overridden(all map[object.Key]object.Flow) map[object.Key]string {
	out := map[object.Key]string{}
	for k, ours := range br.flows {
		if !br.ours(ours.Cookie) {
			continue
		}
		for _, f := range all {
			if f.Priority <= ours.Priority || f.Table != ours.Table || br.ours(f.Cookie) || f.Actions == ours.Actions ||
				!fieldsOf(f.Match).covers(fieldsOf(ours.Match)) {
				continue
			}
			// Of several the same one is named each time.
			if text := object.Text(f); out[k] == "" || text < out[k] {
				out[k] = text
			}
		}
	}
	return out
}

// mayOverride reports whether an event is about a flow of another owner that would take
// every packet of one of ours, if its priority, which events do not have, is higher.
func (br *bridge) mayOverride(e event) bool {
	match := fieldsOf(e.key.match)
	for _, f := range br.flows {
		if f.Table == e.key.table && br.ours(f.Cookie) && match.covers(fieldsOf(f.Match)) {
			return true
		}
	}
	return false
}

// setOverridden takes over what was found and reports whether it is new.
func (br *bridge) setOverridden(now map[object.Key]string) bool {
	same := maps.Equal(br.over, now)
	br.over = now
	return !same
}

// found is what there is to tell of a flow beside its value; nil for nothing.
func (br *bridge) found(f object.Flow) *object.Found {
	switch by := br.over[f.Key()]; {
	case !br.ours(f.Cookie):
		return &object.Found{Deviates: fmt.Sprintf("cookie %#x", f.Cookie)}
	case by != "":
		return &object.Found{Overridden: by}
	default:
		return nil
	}
}
