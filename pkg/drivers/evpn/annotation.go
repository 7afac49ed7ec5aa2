package evpn

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The keys of external_ids that networking-bgpvpn writes on ports.
const (
	keyVNI    = "neutron_bgpvpn:vni"
	keyAS     = "neutron_bgpvpn:as"
	keyRD     = "neutron_bgpvpn:rd"
	keyRT     = "neutron_bgpvpn:rt" // both directions
	keyImport = "neutron_bgpvpn:it"
	keyExport = "neutron_bgpvpn:et"
)

// annotation is what the BGPVPN service says of a port.
type annotation struct {
	vni uint32
	as  uint32
	// rd is empty, and the lists too, where nothing is said.
	rd               string
	imports, exports []string
	// lostImports and lostExports name the list of a direction that says something
	// of which nothing can be read. The default would be wider than what it says.
	lostImports, lostExports string
}

// annotated reports whether the BGPVPN service says anything of a port, even if
// that cannot be read: it is nobody else's then.
func annotated(port *observe.PortBinding) bool {
	return port.ExternalIDs[keyVNI] != "" || port.ExternalIDs[keyAS] != ""
}

// same reports whether two ports are in the same VPN.
func (a annotation) same(o annotation) bool { return a.vni == o.vni && a.as == o.as }

// annotationOf reads the annotations of a switch port that leads to a router. A
// port without both a VNI and an AS is not annotated. What cannot be read of them
// makes the row unreadable; what cannot be read of the lists loses only itself.
func (p *pass) annotationOf(port *observe.PortBinding) (annotation, bool) {
	ids := port.ExternalIDs
	if !annotated(port) {
		return annotation{}, false
	}
	var a annotation
	vni, errVNI := strconv.ParseUint(strings.TrimSpace(ids[keyVNI]), 10, 32)
	as, errAS := strconv.ParseUint(strings.TrimSpace(ids[keyAS]), 10, 32)
	switch {
	case ids[keyVNI] == "" || ids[keyAS] == "":
		p.report("Port_Binding", port.LogicalPort, observe.SkipDegraded,
			"only one of %s and %s is set: set both, or remove it", keyVNI, keyAS)
		return a, false
	case errVNI != nil || vni < 1 || vni > MaxVNI:
		p.unreadable(port, "%s: %q is not a number from 1 to %d", keyVNI, ids[keyVNI], MaxVNI)
		return a, false
	case errAS != nil:
		p.unreadable(port, "%s: %q is not an autonomous system number", keyAS, ids[keyAS])
		return a, false
	}
	a.vni, a.as = uint32(vni), uint32(as)
	lose := func(key string, err error) {
		p.report("Port_Binding", port.LogicalPort, observe.SkipUnreadable, "%s: %v; it is left out", key, err)
	}
	for _, rd := range listOf(ids[keyRD], func(err error) { lose(keyRD, err) }) {
		canon, err := object.ParseRD(rd)
		if err != nil {
			lose(keyRD, err)
			continue
		}
		a.rd = canon // the first good one is ours; the others are for other nodes
		break
	}
	take := func(key string) (list []string, lost string) {
		list = goodTargets(listOf(ids[key], func(err error) { lose(key, err) }), key == keyImport,
			func(err error) { lose(key, err) })
		if len(list) == 0 && hasElements(ids[key]) {
			lost = key
		}
		return list, lost
	}
	both, lostBoth := take(keyRT)
	imports, lostImports := take(keyImport)
	exports, lostExports := take(keyExport)
	a.imports, a.lostImports = slices.Concat(both, imports), cmp.Or(lostImports, lostBoth)
	a.exports, a.lostExports = slices.Concat(both, exports), cmp.Or(lostExports, lostBoth)
	return a, true
}

// hasElements reports whether a list has elements, valid or not.
func hasElements(list string) bool { return strings.Trim(list, "[] \t\n") != "" }

// unreadable reports a row whose effects are held until it can be read.
func (p *pass) unreadable(port *observe.PortBinding, format string, args ...any) {
	p.Skip(observe.Skip{
		Table: "Port_Binding", Row: port.LogicalPort, Code: observe.SkipUnreadable, Text: fmt.Sprintf(format,
			args...), Hold: true,
	})
}

// listOf reads a list in the notation of Python, such as ['64999:1001', "1:2"].
// Nothing at all is an empty list. What is not an element goes to lose.
func listOf(text string, lose func(error)) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	inner, opened := strings.CutPrefix(text, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !opened || !closed {
		lose(fmt.Errorf("%q is not a list such as ['64999:1001']", text))
		return nil
	}
	var out []string
	for i, item := range strings.Split(inner, ",") {
		item = strings.TrimSpace(item)
		if item == "" && (i > 0 || !strings.Contains(inner, ",")) {
			continue // an empty list, or a comma behind the last element
		}
		bare := strings.TrimPrefix(item, "u") // as Python 2 wrote text
		if len(bare) < 2 || bare[0] != bare[len(bare)-1] || bare[0] != '\'' && bare[0] != '"' {
			lose(fmt.Errorf("element %q is not in quotes", item))
			continue
		}
		out = append(out, bare[1:len(bare)-1])
	}
	return out
}

// goodTargets returns the route targets of a list in their one form; others go
// to lose.
func goodTargets(list []string, wildcards bool, lose func(error)) []string {
	var out []string
	for _, text := range list {
		if number, ok := wildcard(text); ok && wildcards {
			out = append(out, anyAS+number)
			continue
		}
		w, err := object.RouteTargetsOf(text)
		if err != nil {
			lose(err)
			continue
		}
		out = append(out, w.String())
	}
	return out
}
