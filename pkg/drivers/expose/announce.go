package expose

import (
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Announcement is how a prefix is announced for which nothing has to be wired here.
type Announcement struct {
	// Attributes win over those of the class, one by one.
	Attributes
	// Block is set while the prefix must not be announced.
	Block *object.Block
	// Asked says that the operator asked for the prefix by name: only bgp.export.deny
	// keeps it back.
	Asked bool
	// LastResort says that neighbours are to prefer any other path, because this one is
	// withdrawn soon (RFC 8326).
	LastResort bool
}

// Announce advertises a prefix on top of nothing: somebody else has made the way that
// packets take. It is announced as ClassVIP unless As says otherwise.
func (e *Exposer) Announce(prefix netip.Prefix, a Announcement, why ...object.Source) {
	class := e.classOr(ClassVIP)
	path := e.opts.path(class, prefix)
	if !a.Communities.Empty() {
		path.Communities = a.Communities
	}
	if !a.LargeCommunities.Empty() {
		path.LargeCommunities = a.LargeCommunities
	}
	if a.MED.Set {
		path.MED = a.MED
	}
	if a.LocalPref.Set {
		path.LocalPref = a.LocalPref
	}
	it := object.Item{Value: path, Why: why, Block: a.Block, Rank: class.rank()}
	if a.LastResort {
		it.Value = path.Lowered(e.opts.LastResort)
	}
	if it.Block == nil {
		it.Block = e.opts.Export.block(path.Prefix, a.Asked)
	}
	if len(e.opts.Attributes) > 0 {
		e.reportRank(it)
	}
	e.addItem(it)
}
