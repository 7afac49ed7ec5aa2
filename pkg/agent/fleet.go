package agent

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
)

const (
	// fleetEvery is how often the metrics of the fleet follow what changes, and fleetShare
	// bounds what that costs: a pause is so many times as long.
	fleetEvery = 2 * time.Second
	fleetShare = 20
	// fleetNext is how many chassis after its own a node names.
	fleetNext = 2
)

// everywhere is a driver that knows what all chassis together announce.
type everywhere interface {
	Everywhere(sb *observe.Southbound) []netip.Prefix
}

// fleetView is what the metrics of the fleet were made of last.
type fleetView struct {
	from     *observe.Southbound
	loaded   time.Time // the settings
	expected []netip.Prefix
	all      *metrics.Sketch
	// paths are what of ours was looked through last, and ours what of them is expected of somebody.
	paths object.Set
	ours  *metrics.Sketch
}

// watchFleet keeps the metrics of the fleet up to date until ctx ends.
func (n *Node) watchFleet(ctx context.Context) {
	var v fleetView
	for {
		began := time.Now()
		n.metrics.Fleet(n.fleet(&v))
		if !pause(ctx, max(fleetEvery, fleetShare*time.Since(began))) {
			return
		}
	}
}

// fleet is what this node tells of itself and of all nodes.
func (n *Node) fleet(v *fleetView) metrics.Fleet {
	r, _ := n.ctl.Last()
	var f metrics.Fleet
	sb := r.Snapshot.SB
	if sb == nil {
		return f
	}
	f.Self, f.Next = ring(sb, r.Snapshot.Chassis)
	if !v.update(sb, n.everywhere) {
		return f
	}
	if fresh(r) {
		f.Expected = v.all
	}
	if paths, err := n.speaker.Ours(); err == nil {
		f.Announced = v.announced(paths)
	}
	return f
}

// everywhere is the driver that is asked, of the settings that hold, and since when these do;
// nil without one.
func (n *Node) everywhere() (everywhere, time.Time) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	for _, d := range n.current.NewDrivers() {
		if e, ok := d.(everywhere); ok {
			return e, n.loaded
		}
	}
	return nil, time.Time{}
}

// fresh reports whether the rows are those of now, and all there are.
func fresh(r reconcile.Round) bool {
	return r.Snapshot.SB.Stale == "" && r.Snapshot.SB.Asked == nil && !r.LastKnown
}

// update makes the list of all addresses anew if rows or settings are others; false if
// nobody knows it.
func (v *fleetView) update(sb *observe.Southbound, driver func() (everywhere, time.Time)) bool {
	d, loaded := driver()
	if d == nil {
		return false
	}
	if v.from == sb && v.loaded.Equal(loaded) {
		return true
	}
	v.from, v.loaded, v.expected, v.all, v.ours = sb, loaded, d.Everywhere(sb), new(metrics.Sketch), nil
	for _, p := range v.expected {
		v.all.Add(p)
	}
	return true
}

// announced stands for those of the paths that are expected of somebody.
func (v *fleetView) announced(paths object.Set) *metrics.Sketch {
	if v.ours != nil && v.paths.Same(paths) {
		return v.ours
	}
	v.paths, v.ours = paths, new(metrics.Sketch)
	for k := range paths.AllOf(object.KindPath) {
		if _, ok := slices.BinarySearchFunc(v.expected, k.Prefix, object.ComparePrefix); ok {
			v.ours.Add(k.Prefix)
		}
	}
	return v.ours
}

// ring is this node as the database names it, and the chassis after it by name: the first
// ones come after the last. Each node is named by two others, so that it is missed.
func ring(sb *observe.Southbound, self string) (own, next []metrics.Member) {
	all := sb.Chassis // by name
	at := slices.IndexFunc(all, func(c *observe.Chassis) bool { return c.Name == self })
	if at < 0 {
		return nil, nil
	}
	own = []metrics.Member{{Chassis: all[at].Name, Hostname: all[at].Hostname}}
	for i := 1; i <= fleetNext && i < len(all); i++ {
		c := all[(at+i)%len(all)]
		next = append(next, metrics.Member{Chassis: c.Name, Hostname: c.Hostname})
	}
	return own, next
}
