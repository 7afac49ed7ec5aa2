package bgp

import (
	"context"
	"fmt"

	api "github.com/osrg/gobgp/v3/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// mirror is what we have put into the speaker. Nobody else changes a speaker
// inside this process, so that it answers for the speaker between audits.
//
// The set that a reader got is never changed afterwards: the first change
// after a read works on a copy, and rounds without a change share one set.
type mirror struct {
	set  object.Set
	lent bool
	// doubt is set when a change failed half-way: the next read asks.
	doubt bool
}

func (m *mirror) lend() object.Set {
	m.lent = true
	return m.set
}

// own makes the set ours to change.
func (m *mirror) own() *object.Set {
	if m.lent {
		m.set, m.lent = m.set.Clone(), false
	}
	return &m.set
}

func (m *mirror) put(v object.Value)  { m.own().Put(object.Item{Value: v, Marked: true}) }
func (m *mirror) remove(k object.Key) { m.own().Remove(k) }
func (m *mirror) has(v object.Value) bool {
	have, ok := m.set.Get(v.Key())
	return ok && have.Value == v
}

// Read returns the paths that originate here and the peers. Learned paths are
// not in it. A complete read lists what GoBGP holds.
func (b *Backend) Read(ctx context.Context, focus actual.Focus) (object.Set, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if focus.Complete || b.mirror.doubt {
		if err := b.refresh(ctx); err != nil {
			return object.Set{}, err
		}
	}
	return b.mirror.lend(), nil
}

// refresh replaces the mirror by what the speaker says, unless they agree.
func (b *Backend) refresh(ctx context.Context) error {
	have := make([]object.Value, 0, b.mirror.set.Len())
	for _, family := range []object.Family{object.IPv4Unicast, object.IPv6Unicast} {
		paths, err := b.listPaths(ctx, family)
		if err != nil {
			return fmt.Errorf("list %s paths: %w", family, err)
		}
		have = append(have, paths...)
	}
	peers, err := b.listPeers(ctx, &api.ListPeerRequest{})
	if err != nil {
		return err
	}
	for _, p := range peers {
		have = append(have, peerFromAPI(p))
	}
	b.mirror.replace(have)
	return nil
}

// replace takes the values over; where nothing differs the set stays the one
// that readers know.
func (m *mirror) replace(have []object.Value) {
	m.doubt = false
	same := len(have) == m.set.Len()
	for i := 0; same && i < len(have); i++ {
		same = m.has(have[i])
	}
	if same {
		return
	}
	m.set, m.lent = object.SetLike(m.set), false
	for _, v := range have {
		m.put(v)
	}
}

func (b *Backend) listPaths(ctx context.Context, family object.Family) ([]object.Value, error) {
	var out []object.Value
	req := &api.ListPathRequest{
		TableType:        api.TableType_GLOBAL,
		Family:           familyToAPI(family),
		EnableOnlyBinary: true,
	}
	err := b.speaker.ListPath(ctx, req, func(d *api.Destination) {
		for _, p := range d.Paths {
			if path, ok := pathFromAPI(p); ok {
				out = append(out, path)
			}
		}
	})
	return out, whole(ctx, err)
}

func (b *Backend) listPeers(ctx context.Context, req *api.ListPeerRequest) ([]*api.Peer, error) {
	var out []*api.Peer
	err := b.speaker.ListPeer(ctx, req, func(p *api.Peer) { out = append(out, p) })
	if err := whole(ctx, err); err != nil {
		return nil, fmt.Errorf("list peers: %w", err)
	}
	return out, nil
}

// whole turns an ended context into an error: GoBGP's listings then stop in
// the middle and report success.
func whole(ctx context.Context, err error) error {
	if err != nil {
		return err
	}
	return ctx.Err()
}
