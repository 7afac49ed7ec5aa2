// Package fabric is the driver of the node's own place in the fabric: what its
// neighbours announce becomes routes in the main table, and what the node is to
// originate besides the cloud's addresses becomes paths.
//
//   - L1: an accepted prefix is a route over all of its best paths; over those
//     whose device has a carrier, while there is one,
//   - L2: on request, the addresses of lo are announced,
//   - L3: configured prefixes are announced.
//
// It refuses to touch routes of others: one of the same prefix and metric stays
// and is reported, one of another metric exists beside ours and the kernel
// prefers the lower number.
//
// Read next: Desired, then hops.go for the way to a next hop and explain.go for
// how it accounts for an address.
package fabric

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Name is the driver's name in explanations. It is not configured by name: it
// runs when one of its options asks for something.
const Name = "fabric"

// tableLearned is what sources and skips call the speaker's table.
const tableLearned = "Learned"

// Config are the driver's options.
type Config struct {
	// Accept are the prefixes that may become routes; none turns that off.
	Accept []observe.PrefixRange
	// Peers are the neighbours, which tell the devices that lead into the fabric.
	Peers []netip.Addr
	// Metric is that of all learned routes.
	Metric uint32
	// Source4 and Source6 are preferred source addresses; usually invalid.
	Source4, Source6 netip.Addr
	// Max bounds how many prefixes become routes.
	Max int
	// Loopback announces the addresses of lo.
	Loopback bool
	// Originate are prefixes to announce.
	Originate []netip.Prefix
	// Expose are the attributes of what is announced, and the export filter.
	Expose expose.Options
}

// Empty reports whether nothing is asked for.
func (c Config) Empty() bool { return len(c.Accept) == 0 && !c.Loopback && len(c.Originate) == 0 }

// Driver implements desired.Driver.
type Driver struct{ cfg Config }

// New returns the driver.
func New(cfg Config) *Driver { return &Driver{cfg} }

// Name is fabric.
func (d *Driver) Name() string { return Name }

// Desired adds learned routes and the paths of the node itself.
func (d *Driver) Desired(snap observe.Snapshot, out *object.Set) []observe.Skip {
	p := &pass{cfg: d.cfg, host: snap.Host, out: out, Exposer: expose.New(Name, d.cfg.Expose, out)}
	if len(d.cfg.Accept) > 0 {
		p.hold(snap.Learned)
		if snap.Learned != nil && snap.Host != nil {
			p.routes(snap.Learned.Paths)
		}
	}
	if d.cfg.Loopback && snap.Host != nil {
		p.loopback()
	}
	for _, prefix := range d.cfg.Originate {
		p.Originate(prefix, p.Why("L3", "configuration", "originate"))
	}
	return p.Skips()
}

// pass is one run over one snapshot.
type pass struct {
	*expose.Exposer
	cfg  Config
	host *observe.Host
	out  *object.Set
}

func (p *pass) skip(table, row, code, format string, args ...any) {
	p.Skip(observe.Skip{Table: table, Row: row, Code: code, Text: fmt.Sprintf(format, args...)})
}

// hold keeps learned routes that are there while it is not known whether they
// are still announced: a restart of ours must not remove the node's way out.
func (p *pass) hold(l *observe.Learned) {
	text := "the speaker has not reported what neighbours announce"
	if l != nil {
		text = l.Unsettled
	}
	if text == "" {
		return
	}
	for _, f := range []object.Family{object.IPv4Unicast, object.IPv6Unicast} {
		p.Skip(observe.Skip{Table: tableLearned, Row: f.String(), Code: observe.SkipDegraded, Text: text, Hold: true})
	}
}

// routes adds a route for each accepted prefix, the shortest first, so that it
// is never a default route that the maximum leaves out.
func (p *pass) routes(paths []observe.LearnedPath) {
	byPrefix, prefixes := p.accepted(paths)
	if over := len(prefixes) - p.cfg.Max; over > 0 {
		p.skip(tableLearned, "maximum", observe.SkipDegraded,
			"%d prefixes are announced and accepted, learn.max is %d: the longest %d are left out, beginning with %s; "+
				"accept fewer or raise it",
			len(prefixes), p.cfg.Max, over, prefixes[p.cfg.Max])
		prefixes = prefixes[:p.cfg.Max]
	}
	for _, prefix := range prefixes {
		family := object.FamilyOf(prefix.Addr()).String()
		held := func() []object.Source { return []object.Source{{Table: tableLearned, Row: family}} }
		p.Part("learned prefix "+prefix.String(), held, func() { p.route(prefix, byPrefix[prefix]) })
	}
}

// accepted groups the accepted paths and lists their prefixes, the shortest
// first.
func (p *pass) accepted(paths []observe.LearnedPath) (byPrefix map[netip.Prefix][]observe.LearnedPath,
	prefixes []netip.Prefix,
) {
	byPrefix = map[netip.Prefix][]observe.LearnedPath{}
	for _, path := range paths {
		if !p.accepts(path.Prefix) {
			continue
		}
		if byPrefix[path.Prefix] == nil {
			prefixes = append(prefixes, path.Prefix)
		}
		byPrefix[path.Prefix] = append(byPrefix[path.Prefix], path)
	}
	slices.SortFunc(prefixes, func(a, b netip.Prefix) int {
		return cmp.Or(cmp.Compare(a.Bits(), b.Bits()), a.Addr().Compare(b.Addr()))
	})
	return byPrefix, prefixes
}

func (p *pass) accepts(prefix netip.Prefix) bool {
	return slices.ContainsFunc(p.cfg.Accept, func(r observe.PrefixRange) bool { return r.Contains(prefix) })
}

// route adds the route of one prefix over all next hops that lead somewhere.
// The family is the first source because routes are held by it.
func (p *pass) route(prefix netip.Prefix, paths []observe.LearnedPath) {
	sources := []object.Source{p.Why("L1", tableLearned, object.FamilyOf(prefix.Addr()).String())}
	var hops []object.Hop
	for _, way := range p.ways(prefix, paths) {
		hops = append(hops, way.hop)
		sources = append(sources, p.Why("L1", "peer", way.peer))
	}
	if len(hops) == 0 {
		return
	}
	p.add(object.Item{Value: p.bare(prefix).WithHops(hops...), Why: sources})
}

// bare is the route of a prefix before its next hops.
func (p *pass) bare(prefix netip.Prefix) object.Route {
	r := object.Route{Table: object.TableMain, Dst: prefix, Metric: p.cfg.Metric, Src: p.cfg.Source4}
	if prefix.Addr().Is6() {
		r.Src = p.cfg.Source6
	}
	return r
}

// loopback announces the addresses of lo that are not everybody's.
func (p *pass) loopback() {
	e := p.As(expose.ClassLoopback)
	for _, a := range p.host.Addresses {
		if isLoopback(a) {
			e.Originate(netip.PrefixFrom(a.Addr, a.Addr.BitLen()), p.Why("L2", "address", a.Addr.String()))
		}
	}
}

// isLoopback reports whether it is an address of lo that is the node's own.
func isLoopback(a observe.DeviceAddress) bool { return a.Dev == "lo" && !a.Addr.IsLoopback() }

func (p *pass) add(it object.Item) {
	if err := p.out.Add(it); err != nil {
		p.skip(it.Why[0].Table, it.Value.Key().Text(), observe.SkipConflict, "%v", err)
	}
}
