package bgp

import (
	"context"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A speaker in another process can be changed by anybody who may open its socket, and
// GoBGP notifies of that only together with each of our own paths.
const (
	// inspectEvery is how often what is in the speaker is compared with what we put there.
	inspectEvery = 4 * time.Second
	// inspectMost is how many values are read for it. Of more, peers are compared and paths
	// are counted: while GoBGP lists 100,000 paths, its one loop does nothing else for 0.4 s.
	inspectMost = 2000
)

// inspect compares until the context ends, and asks for a round where something differs.
func (b *Backend) inspect(ctx context.Context) {
	tick := time.NewTicker(inspectEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			b.look(ctx)
		}
	}
}

func (b *Backend) look(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.speaker.Ready() != nil || b.mirror.unread || b.mirror.doubt || b.idle {
		return // the next read looks at everything
	}
	if b.mirror.set.Len() > inspectMost {
		missing, err := b.missing(ctx)
		b.mirror.doubt = err == nil && missing
		if b.mirror.doubt {
			b.Wake()
		}
		return
	}
	before, others := b.mirror.share(), b.mirror.others
	if b.refresh(ctx) == nil && !(b.mirror.set.Same(before) && equal(b.mirror.others, others)) {
		b.Wake()
	}
}

func equal(a, b object.Set) bool {
	if a.Len() != b.Len() {
		return false
	}
	for k, it := range a.All() {
		if have, ok := b.Get(k); !ok || have.Value != it.Value {
			return false
		}
	}
	return true
}

// missing reports whether a peer of ours is not in the speaker as it should be, or fewer
// paths are in a table than originate in the speaker. How many more neighbours have
// put there is not known: a few that are missing beside those are left to the audit.
func (b *Backend) missing(ctx context.Context) (bool, error) {
	peers, err := b.speaker.Peers(ctx, "")
	if err != nil {
		return false, err
	}
	same := 0
	for _, p := range peers {
		if speaker.IsOurPeer(p) && b.mirror.has(peerFromAPI(p)) && !isDisabled(p) {
			same++
		}
	}
	if same < b.mirror.set.LenOf(object.KindPeer) {
		return true, nil
	}
	for _, f := range []object.Family{object.IPv4Unicast, object.IPv6Unicast, object.L2VPNEVPN} {
		t, err := b.speaker.GetTable(ctx, &api.GetTableRequest{
			TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: speaker.FamilyToAPI(f),
		})
		if err != nil {
			return false, err
		}
		if t.GetNumPath() < b.mirror.originate(f) {
			return true, nil
		}
	}
	return false, nil
}

// originate counts the paths of a family that originate in the speaker, ours and others'.
func (m *mirror) originate(f object.Family) uint64 {
	n := uint64(m.paths[f])
	for _, it := range m.others.All() {
		if of, ok := familyOf(it.Value); ok && of == f {
			n++
		}
	}
	return n
}
