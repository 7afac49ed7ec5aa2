package agent

import (
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/gather"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// mostOverlays bounds for how many tenants one address is judged: all may use the same.
const mostOverlays = 8

// overlayWaysOf are the ways to an address by VNIs, one for each path that announces it, in
// the order of keys. It looks at every path: it is for one address, not for checks.
func overlayWaysOf(r reconcile.Round, addr netip.Addr) []reach.Way {
	best := map[string]object.Item{} // the most specific one of each route distinguisher
	for _, it := range r.Want.AllOf(object.KindEVPN) {
		k := it.Value.Key()
		if !k.Prefix.IsValid() || !k.Prefix.Contains(addr) || k.Num == uint32(object.EVPNMulticast) {
			continue
		}
		if old, ok := best[k.Name]; !ok || k.Prefix.Bits() > old.Value.Key().Prefix.Bits() ||
			k.Prefix.Bits() == old.Value.Key().Prefix.Bits() && k.Compare(old.Value.Key()) < 0 {
			best[k.Name] = it
		}
	}
	var chosen object.Set
	for _, it := range best {
		chosen.Put(it)
	}
	var out []reach.Way
	for _, it := range chosen.SortedOf(object.KindEVPN) {
		if w, ok := overlayWay(r, it, addr); ok && len(out) < mostOverlays {
			out = append(out, w)
		}
	}
	return out
}

// overlayWay is the way to an address by the VNI of a path, from what the path needs; false
// if that is not wanted any more.
func overlayWay(r reconcile.Round, it object.Item, addr netip.Addr) (reach.Way, bool) {
	path := it.Value.(object.EVPNPath)
	o := &reach.Overlay{VNI: path.VNI, Local: path.NextHop}
	w := reach.Way{Addr: addr, Overlay: o}
	if !path.MAC.IsZero() {
		o.MAC = path.MAC.String()
	}
	for _, k := range it.Needs() {
		need, ok := r.Want.Get(k)
		if !ok {
			continue
		}
		switch v := need.Value.(type) {
		case object.Link:
			w = overlayLink(w, v)
		case object.Master:
			w.Dev = v.Dev
		case object.OVSPort:
			w.Bridge, o.Port, o.VLAN = v.Bridge, v.Name, v.Tag
		case object.Route:
			w = withRoute(w, v)
		case object.Flow:
			if bridge := w.Bridge; flowIsOf(k, addr) {
				w = flowOf(w, r, k)
				w.Bridge = bridge
			}
		}
	}
	w.Port = portOf(r.Snapshot, it.Why)
	return w, o.Bridge != "" && o.VXLAN != "" && w.Dev != ""
}

// overlayLink takes what a device of a VNI says of the way.
func overlayLink(w reach.Way, l object.Link) reach.Way {
	switch o := w.Overlay; {
	case l.Type == object.LinkVRF:
		o.VRF, w.Table = l.Name, l.Table
	case l.Type == object.LinkBridge:
		o.Bridge = l.Name
	case l.Type == object.LinkVXLAN:
		o.VXLAN = l.Name
	case l.Type == object.LinkVeth && l.Master != "":
		w.Dev = l.Name
	}
	return w
}

// remoteKey is a VRF and a family.
type remoteKey struct {
	table uint32
	ipv6  bool
}

// mostRemotes bounds from how many addresses of others packets into a VRF are judged.
const mostRemotes = 2

// remotesOf are addresses that others announce into the VRF of a way. The caller holds mu.
func (c *reachability) remotesOf(r reconcile.Round, w reach.Way) []gather.Source {
	if c.remotes == nil || !c.remotesFor.Same(r.Want) {
		c.remotes, c.remotesFor = remotes(r), r.Want
	}
	var out []gather.Source
	for _, p := range c.remotes[remoteKey{w.Table, w.Addr.Is6()}] {
		addr := p.Addr()
		if !p.IsSingleIP() && addr.Next().IsValid() {
			addr = addr.Next()
		}
		if p.Bits() == 0 {
			addr = far4
			if p.Addr().Is6() {
				addr = far6
			}
		}
		out = append(out, gather.Source{Addr: addr, Dev: w.Overlay.Bridge})
	}
	if len(out) == 0 { // the kernel is asked about packets all the same
		out = []gather.Source{{Addr: far4, Far: true}}
		if w.Addr.Is6() {
			out[0].Addr = far6
		}
	}
	return out
}

// remotes are the lowest prefixes that others announce into each VRF: a route of ours with
// a next hop that is a VTEP.
func remotes(r reconcile.Round) map[remoteKey][]netip.Prefix {
	bridges := map[string]bool{}
	for _, it := range r.Want.AllOf(object.KindLink) {
		if l := it.Value.(object.Link); l.Type == object.LinkBridge && l.Master != "" {
			bridges[l.Name] = true
		}
	}
	out := map[remoteKey][]netip.Prefix{}
	if len(bridges) == 0 {
		return out
	}
	for _, it := range r.Want.AllOf(object.KindRoute) {
		v := it.Value.(object.Route)
		hops := v.NextHops()
		if it.Block != nil || len(hops) == 0 || !bridges[hops[0].Dev] {
			continue
		}
		k := remoteKey{v.Table, v.Dst.Addr().Is6()}
		out[k] = lowest(append(out[k], v.Dst))
	}
	return out
}

// lowest keeps the first few of a list that was in order before the last was added.
func lowest(list []netip.Prefix) []netip.Prefix {
	for i := len(list) - 1; i > 0 && object.ComparePrefix(list[i], list[i-1]) < 0; i-- {
		list[i], list[i-1] = list[i-1], list[i]
	}
	return list[:min(len(list), mostRemotes)]
}

// overlaySample are ways by VNIs: one of each VNI and family first, and others in turn. The
// caller holds mu.
func (c *reachability) overlaySample(r reconcile.Round) []announced {
	var out, first []announced
	networks := map[string]bool{}
	there := r.There()
	seen := 0
	for _, it := range r.Want.Shuffled(object.KindEVPN) { // another sample each time
		if seen++; seen > reachScan || len(first) >= reachSample {
			break
		}
		if isWithdrawn(it) {
			continue
		}
		a, ok := announcedBy(r, it, there)
		if !ok {
			continue
		}
		if name := fmt.Sprint(a.Overlay.VNI, a.Addr.Is6()); !networks[name] {
			networks[name] = true
			first = append(first, a)
		} else if len(out) < reachSample {
			out = append(out, a)
		}
	}
	return append(first, out[:min(len(out), reachSample-len(first))]...)
}
