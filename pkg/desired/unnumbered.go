package desired

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Neighbours replaces peers that are configured by interface with those that have been
// found there, and says what is missing. Of two peers for one interface the first one counts,
// so that one interface of a group can have settings of its own.
func Neighbours(snap observe.Snapshot, fixed []object.Item) ([]object.Item, []observe.Skip) {
	named := func(it object.Item) bool {
		p, ok := it.Value.(object.Peer)
		if ok {
			_, ok = p.Interfaces()
		}
		return ok
	}
	if !slices.ContainsFunc(fixed, named) {
		return fixed, nil
	}
	x := expansion{links: map[string]observe.UnnumberedLink{}}
	if snap.Unnumbered != nil {
		x.order = snap.Unnumbered.Links
	}
	for _, l := range x.order {
		x.links[l.Dev] = l
	}
	for _, it := range fixed {
		if named(it) {
			x.expand(it)
		} else {
			x.out = append(x.out, it)
		}
	}
	if snap.Unnumbered == nil {
		x.skips = nil // nobody has listened
	}
	return x.out, x.skips
}

// expansion is one run of Neighbours. What it has used of links is not there any more.
type expansion struct {
	order []observe.UnnumberedLink
	links map[string]observe.UnnumberedLink
	out   []object.Item
	skips []observe.Skip
}

func (x *expansion) expand(it object.Item) {
	peer := it.Value.(object.Peer)
	pattern, _ := peer.Interfaces()
	found := false
	for _, l := range x.order {
		if _, free := x.links[l.Dev]; !observe.MatchesInterface(pattern, l.Dev) || !free {
			continue
		}
		delete(x.links, l.Dev)
		found = true
		if l.Other.IsValid() {
			x.skip(l.Dev, observe.SkipSecondRouter, "%s and %s both answer on %s, and the session is with the former: "+
				"connect one router alone, or configure the neighbour by its address", l.Neighbour, l.Other, l.Dev)
		}
		switch {
		case l.Neighbour.IsValid():
			peer.Address = l.Neighbour.String() + "%" + l.Dev
			it.Value = peer
			x.out = append(x.out, it)
		case l.Trouble != "":
			x.skip(l.Dev, observe.SkipNoNeighbour, "%s", l.Trouble)
		default:
			x.skip(l.Dev, observe.SkipNoNeighbour, "no router has been heard on %s: has the other end the neighbour "+
				"configured by its interface, too, and does it send router advertisements?", l.Dev)
		}
	}
	if !found && !strings.ContainsAny(pattern, "*?[") {
		x.skip(pattern, observe.SkipNoNeighbour, "%s is down, has no carrier or does not exist", pattern)
	}
}

func (x *expansion) skip(dev, code, format string, args ...any) {
	x.skips = append(x.skips, observe.Skip{
		Table: "configuration", Row: "peer " + dev, Code: code, Text: fmt.Sprintf(format, args...),
	})
}
