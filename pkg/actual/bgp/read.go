package bgp

import (
	"context"
	"fmt"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// mirror is what we have put into the speaker, which it answers for between
// audits: nobody else changes a speaker inside this process, and what somebody
// changes in another one is found by inspect, or by the next audit.
//
// The set that a reader got is never changed afterwards: the first change
// after a read works on a copy, and rounds without a change share one set.
type mirror struct {
	set object.Set
	// doubt is set when a change failed half-way: the next read asks.
	doubt bool
	// unread is set until the speaker has been read for the first time, or again after
	// it was restarted.
	unread bool
	// others are paths and peers that carry no mark of ours, by their keys.
	others object.Set
	// foreign tells of others, as they were read last.
	foreign Others
	// paths counts our paths by family.
	paths map[object.Family]int
}

// What is said of paths and peers of others.
var (
	noIdentifier  = &object.Found{Deviates: "another identifier"}
	noDescription = &object.Found{Deviates: "no bgp-ovn description"}
	// disabled is said of a peer of ours that somebody has shut (gobgp neighbor disable).
	disabled = &object.Found{Deviates: "its session administratively down"}
)

// share hands the set to a reader, as it is now.
func (m *mirror) share() object.Set { return m.set.Clone() }

func (m *mirror) put(v object.Value) {
	if !m.set.Has(v.Key()) {
		m.count(v, 1)
	}
	m.set.Put(object.Item{Value: v, Marked: true})
}

func (m *mirror) remove(k object.Key) {
	if it, ok := m.set.Get(k); ok {
		m.count(it.Value, -1)
	}
	m.set.Remove(k)
}

func (m *mirror) count(v object.Value, n int) {
	if f, ok := familyOf(v); ok {
		if m.paths == nil {
			m.paths = map[object.Family]int{}
		}
		m.paths[f] += n
	}
}

// familyOf is the family of a path, and not ok for a peer.
func familyOf(v object.Value) (object.Family, bool) {
	switch v := v.(type) {
	case object.Path:
		return v.Family, true
	case object.EVPNPath:
		return object.L2VPNEVPN, true
	}
	return 0, false
}

// announced is how many paths of a family originate here: others' are few, and counted
// for all families.
func (m *mirror) announced(f object.Family) int { return m.paths[f] + m.others.Len() }

func (m *mirror) has(v object.Value) bool {
	have, ok := m.set.Get(v.Key())
	return ok && have.Value == v
}

// Read returns the paths that originate here and the peers. Learned paths are
// not in it. A complete read lists what GoBGP holds.
func (b *Backend) Read(ctx context.Context, focus actual.Focus) (object.Set, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.speaker.Ready(); err != nil {
		return object.Set{}, err
	}
	if focus.Complete || b.mirror.doubt || b.mirror.unread {
		if err := b.refresh(ctx); err != nil {
			return object.Set{}, err
		}
	}
	return b.mirror.beside(focus.Want), nil
}

// beside is what is ours, and what others hold under keys that are wanted.
func (m *mirror) beside(want object.Set) object.Set {
	ours := m.share()
	for k, it := range m.others.All() {
		if !want.Has(k) || ours.Has(k) {
			continue
		}
		ours.Put(it)
	}
	return ours
}

// refresh replaces the mirror by what the speaker holds, unless they agree.
func (b *Backend) refresh(ctx context.Context) error {
	if b.idle {
		b.mirror.replace(nil)
		return nil
	}
	have := make([]object.Value, 0, b.mirror.set.Len())
	var others object.Set
	shut := map[object.Key]bool{}
	for _, family := range []object.Family{object.IPv4Unicast, object.IPv6Unicast, object.L2VPNEVPN} {
		err := b.listPaths(ctx, family, func(p object.Value, ours bool) {
			if ours {
				have = append(have, b.mirror.asAsked(p))
			} else {
				others.Put(object.Item{Value: p, Found: noIdentifier})
			}
		})
		if err != nil {
			return fmt.Errorf("list %s paths: %w", family, err)
		}
	}
	peers, err := b.speaker.Peers(ctx, "")
	if err != nil {
		return err
	}
	for _, p := range peers {
		if !speaker.IsOurPeer(p) {
			others.Put(object.Item{Value: peerFromAPI(p), Found: noDescription})
			continue
		}
		have = append(have, peerFromAPI(p))
		shut[have[len(have)-1].Key()] = isDisabled(p)
		b.running = true
		b.adopt(p)
	}
	b.mirror.replace(have)
	b.mirror.noteShut(shut)
	b.mirror.others, b.mirror.foreign = others, othersOf(others)
	b.room.found(peers)
	return nil
}

// noteShut notes which peers of ours somebody has shut.
func (m *mirror) noteShut(shut map[object.Key]bool) {
	for _, it := range m.set.SortedOf(object.KindPeer) {
		k := it.Value.Key()
		if is := it.Found == disabled; is == shut[k] {
			continue
		}
		it.Found = nil
		if shut[k] {
			it.Found = disabled
		}
		m.set.Put(it)
	}
}

// isDisabled reports whether a peer was shut by somebody, and not at its prefix limit.
func isDisabled(p *api.Peer) bool {
	return p.GetState().GetAdminState() == api.PeerState_ADMIN_STATE_DOWN
}

// replace takes the values over; where nothing differs the set stays the one
// that readers know.
func (m *mirror) replace(have []object.Value) {
	m.doubt, m.unread = false, false
	same := len(have) == m.set.Len()
	for i := 0; same && i < len(have); i++ {
		same = m.has(have[i])
	}
	if same {
		return
	}
	m.set, m.paths = object.Set{}, nil
	for _, v := range have {
		m.put(v)
	}
}

// listPaths calls fn for each path that originates here. What is ours and yet
// not as we write it is left out, and so will be written again.
func (b *Backend) listPaths(ctx context.Context, family object.Family, fn func(v object.Value, ours bool)) error {
	req := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: speaker.WireFamily(family)}
	return b.speaker.ListPaths(ctx, req, func(paths []*apiutil.Path) {
		for _, p := range paths {
			if !speaker.IsLocal(p) {
				continue
			}
			v, clean, ok := valueOfPath(p)
			if ours := speaker.IsOurPath(p); ok && (clean || !ours) {
				fn(v, ours)
			}
		}
	})
}

// valueOfPath is a path of any family. Clean is whether it is just as we would
// write it; it is not ok if it cannot be one of ours.
func valueOfPath(p *apiutil.Path) (v object.Value, clean, ok bool) {
	if p.Family == bgp.RF_EVPN {
		return decodeEVPN(p)
	}
	path, clean := decode(p)
	return path, clean, path.Prefix.IsValid()
}

// asAsked is what was asked for, where the speaker has only put in what had been
// left to it: an audit would announce the path again and again otherwise.
func (m *mirror) asAsked(v object.Value) object.Value {
	if asked, ok := m.set.Get(v.Key()); ok && sameButMobility(v, asked.Value) {
		return asked.Value
	}
	return v
}
