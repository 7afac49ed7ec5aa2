package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Attribute names a path attribute that is compared.
type Attribute string

// The attributes that are compared, in the order in which changes are listed.
const (
	ASPath           Attribute = "as-path"
	NextHop          Attribute = "next-hop"
	Origin           Attribute = "origin"
	MED              Attribute = "med"
	LocalPref        Attribute = "local-pref"
	Communities      Attribute = "communities"
	LargeCommunities Attribute = "large-communities"
	RouteTargets     Attribute = "route-targets" // from here on of EVPN paths only
	VNI              Attribute = "vni"
	RouterMAC        Attribute = "router-mac"
	Encapsulation    Attribute = "encapsulation"
)

// Attributes are all of them, in that order.
func Attributes() []Attribute {
	return []Attribute{
		ASPath, NextHop, Origin, MED, LocalPref, Communities, LargeCommunities, RouteTargets, VNI, RouterMAC, Encapsulation,
	}
}

// Change is an attribute that a looking point holds otherwise than it was sent.
type Change struct {
	Attribute Attribute `json:"attribute"`
	// Sent and Held are both values; of communities only those that differ.
	Sent string `json:"sent"`
	Held string `json:"held"`
	// Text says what was changed.
	Text string `json:"text"`
}

func textOf(changes []Change) string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Text)
	}
	return strings.Join(out, "; ")
}

// defaultLocalPref is what a speaker puts in for its neighbours of the same AS where nothing
// is configured.
const defaultLocalPref = 100

// changes lists what is not as it was sent and should be. Some attributes do not travel: MED
// not beyond the neighbouring AS, LOCAL_PREF not beyond our own (RFC 4271 sections 5.1.4 and
// 5.1.5), and whoever prepends its AS to a unicast path puts itself in as next hop. That of
// an EVPN path is the end of a tunnel, which nobody on the way is.
func (n Node) changes(p Path, h Held, ignore []Attribute) []Change {
	d := differences{ignore: ignore, list: []Change{}}
	path, whole := p.unprepended(h.ASPath)
	if !whole {
		d.add(ASPath, n.asSent(p), asText(h.ASPath), fmt.Sprintf("AS path %s does not end with what was sent, %s",
			asText(h.ASPath), n.asSent(p)))
	} else if text := n.prepended(p, path); text != "" {
		d.add(ASPath, n.asSent(p), asText(h.ASPath), text)
	}
	untouched := len(path) == 0 || len(path) == 1 && path[0] == n.AS
	if (untouched || !IsUnicast(p.NLRI)) && !p.leftWith(h.NextHop) {
		d.differ(NextHop, p.Sent[0].NextHop.String(), h.NextHop.String())
	}
	if p.Origin != h.Origin {
		d.differ(Origin, p.Origin.String(), h.Origin.String())
	}
	if untouched && p.MED.Value != h.MED.Value { // none is 0
		d.differ(MED, metricText(p.MED), metricText(h.MED))
	}
	if len(path) == 0 && h.LocalPref.Set {
		sent := object.MetricOf(defaultLocalPref)
		if p.LocalPref.Set {
			sent = p.LocalPref
		}
		if sent.Value != h.LocalPref.Value {
			d.differ(LocalPref, metricText(sent), metricText(h.LocalPref))
		}
	}
	d.words(Communities, p.Communities, h.Communities)
	d.words(LargeCommunities, p.LargeCommunities, h.LargeCommunities)
	if !IsUnicast(p.NLRI) {
		d.overlay(p.Overlay, h.Overlay)
	}
	return d.list
}

// leftWith reports whether a path has left with a next hop.
func (p Path) leftWith(hop netip.Addr) bool {
	return slices.ContainsFunc(p.Sent, func(s Sent) bool { return s.NextHop == hop })
}

// differences collects changes, but those that a fabric may make.
type differences struct {
	ignore []Attribute
	list   []Change
}

func (d *differences) add(a Attribute, sent, held, text string) {
	if !slices.Contains(d.ignore, a) {
		d.list = append(d.list, Change{a, sent, held, text})
	}
}

func (d *differences) differ(a Attribute, sent, held string) {
	d.add(a, sent, held, fmt.Sprintf("%s is %s, was sent as %s", a, held, sent))
}

// words are communities, of which those are named that differ.
func (d *differences) words(a Attribute, sent, held object.Words) {
	removed, added := without(sent, held), without(held, sent)
	var words []string
	if len(removed) > 0 {
		words = append(words, fmt.Sprintf("%s %s removed", a, strings.Join(removed, ",")))
	}
	if len(added) > 0 {
		words = append(words, fmt.Sprintf("%s %s added", a, strings.Join(added, ",")))
	}
	if len(words) > 0 {
		d.add(a, strings.Join(removed, ","), strings.Join(added, ","), strings.Join(words, ", "))
	}
}

// overlay compares what an EVPN path says of its tenant.
func (d *differences) overlay(sent, held Overlay) {
	d.words(RouteTargets, sent.Targets, held.Targets)
	if sent.VNI != held.VNI && !held.Unlabelled {
		d.differ(VNI, fmt.Sprint(sent.VNI), fmt.Sprint(held.VNI))
	}
	if sent.RouterMAC != held.RouterMAC {
		d.differ(RouterMAC, macText(sent.RouterMAC), macText(held.RouterMAC))
	}
	if held.Encapsulation != "" && sent.Encapsulation != held.Encapsulation {
		d.differ(Encapsulation, sent.Encapsulation, held.Encapsulation)
	}
}

func macText(m object.MAC) string {
	if m.IsZero() {
		return "none"
	}
	return m.String()
}

func metricText(m object.Metric) string {
	if !m.Set {
		return "none"
	}
	return m.String()
}

// asSent is the AS_PATH that a neighbour of another AS has been sent.
func (n Node) asSent(p Path) string {
	if slices.ContainsFunc(p.Sent, func(s Sent) bool { return s.AS != n.AS }) {
		return asText(append([]uint32{n.AS}, slices.Repeat([]uint32{p.Prepend.AS}, int(p.Prepend.Times))...))
	}
	return ""
}

// unprepended is an AS_PATH without what we have put behind our own AS; not whole if it does
// not end with that.
func (p Path) unprepended(path []uint32) (rest []uint32, whole bool) {
	own := slices.Repeat([]uint32{p.Prepend.AS}, int(p.Prepend.Times))
	if len(path) < len(own) || !slices.Equal(path[len(path)-len(own):], own) {
		return path, false
	}
	return path[:len(path)-len(own)], true
}

// prepended says what is in an AS_PATH beyond one number of each AS on the way; empty if
// nothing is.
func (n Node) prepended(p Path, path []uint32) string {
	if len(path) == 0 {
		return ""
	}
	last := len(path) - 1
	if path[last] != n.AS && n.asSent(p) != "" {
		return fmt.Sprintf("AS path %s does not end with our AS %d: it was removed or replaced", asText(path), n.AS)
	}
	for i := 0; i < last; i++ {
		if path[i] == path[i+1] {
			return fmt.Sprintf("AS path %s has AS %d more than once in a row: it was prepended", asText(path), path[i])
		}
	}
	if last > 0 && path[last] == n.AS &&
		!slices.ContainsFunc(p.Sent, func(s Sent) bool { return s.AS == path[last-1] || s.AS == n.AS }) {
		return fmt.Sprintf("AS path %s has AS %d next to ours, which is no neighbour's", asText(path), path[last-1])
	}
	return ""
}

// without are the words of a that b does not have.
func without(a, b object.Words) (out []string) {
	have := b.List()
	for _, w := range a.List() {
		if _, ok := slices.BinarySearch(have, w); !ok {
			out = append(out, w)
		}
	}
	return out
}
