package bgp

import (
	"context"
	"errors"
	"fmt"

	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Apply performs the changes in order. What is as wanted already costs no call
// and sends nothing.
//
// The order between paths and peers is the planner's, and it matters after a
// restart: GoBGP sends the End-of-RIB as soon as a session is up, and the
// neighbour then drops what it has not received again (RFC 4724 section 4.2).
// All paths must be in before the first peer is.
func (b *Backend) Apply(ctx context.Context, changes []object.Change) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.apply(ctx, changes)
}

func (b *Backend) apply(ctx context.Context, changes []object.Change) []error {
	out := make([]error, len(changes))
	restarting := !b.running
	var first []object.Peer
	var m moves
	for i, c := range changes {
		if out[i] = errors.Join(ctx.Err(), b.readable()); out[i] != nil {
			continue
		}
		switch v := valueOf(c).(type) {
		case object.Path, object.EVPNPath:
			if exists, have := b.held(v); c.After != nil && exists && losesMobility(have, v) {
				// GoBGP checks a batch as a whole before it does any of it.
				b.flush(ctx, &m, out)
				if out[i] = b.applyPath(object.Change{Before: have}, have, &m, i); out[i] != nil {
					continue
				}
				b.flush(ctx, &m, out)
			}
			out[i] = errors.Join(out[i], b.applyPath(c, v, &m, i))
			if len(m.paths) >= movesMost {
				b.flush(ctx, &m, out)
			}
		case object.Peer:
			b.flush(ctx, &m, out)
			out[i] = b.applyPeer(ctx, c, v, restarting)
			if restarting && c.After != nil && out[i] == nil && v.RestartTime != 0 {
				first = append(first, v)
			}
		default:
			out[i] = fmt.Errorf("the speaker holds no %s", c.Key().Kind)
		}
	}
	b.flush(ctx, &m, out)
	b.giveRoomBack(ctx)
	if len(first) > 1 {
		b.keepRestarting(first)
	}
	return out
}

// readable refuses to change a speaker that has not been read: a plan made from the
// state of the one before it would add peers before their paths.
func (b *Backend) readable() error {
	if err := b.speaker.Ready(); err != nil {
		return err
	}
	if b.mirror.unread {
		return errors.New("the speaker was restarted: no changes until it has been read again")
	}
	return nil
}

// valueOf is the value that a change is about: the new one, or the deleted one.
func valueOf(c object.Change) object.Value {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// movesMost bounds what is kept in memory for one batch.
const movesMost = 4096

// moves are announcements and withdrawals to be made together, and for each
// the index of the change that it is for.
type moves struct {
	enc   encoder
	paths []*apiutil.Path
	of    []int
}

func (m *moves) add(v object.Value, withdraw bool, i int) error {
	if p, ok := v.(object.EVPNPath); ok && withdraw {
		// GoBGP refuses a number lower than a neighbour's in a withdrawal, too, and
		// giving way to a higher one is what most withdrawals of a MAC are for.
		p.Mobility = object.Metric{}
		v = p
	}
	path, err := m.enc.encode(v)
	if err != nil {
		return err
	}
	path.Withdrawal = withdraw
	m.paths, m.of = append(m.paths, path), append(m.of, i)
	return nil
}

// flush performs what has been collected. The mirror has it already; where it
// did not work out the next read asks.
func (b *Backend) flush(ctx context.Context, m *moves, out []error) {
	if len(m.paths) == 0 {
		return
	}
	b.makeRoom(ctx)
	for n, err := range b.move(ctx, m.paths) {
		if err != nil {
			b.mirror.doubt = true
			out[m.of[n]] = errors.Join(out[m.of[n]], fmt.Errorf("%s the path: %w", verbOf(m.paths[n]), err))
		}
	}
	m.paths, m.of = nil, nil
}

// verbOf names in an error what failed; the stream of paths carries both.
func verbOf(p *apiutil.Path) string {
	if p.Withdrawal {
		return "withdraw"
	}
	return "add"
}

// held is what the speaker has under the key of a value.
func (b *Backend) held(v object.Value) (bool, object.Value) {
	it, ok := b.mirror.set.Get(v.Key())
	return ok, it.Value
}

// applyPath collects what announces or withdraws one path. An update is the
// same call as a create: a second announcement replaces the first (RFC 4271
// section 3.1).
func (b *Backend) applyPath(c object.Change, v object.Value, m *moves, i int) error {
	exists, have := b.held(v)
	switch {
	case c.After == nil && !exists, c.After != nil && exists && have == c.After:
		return nil
	case c.After == nil:
		if err := m.add(have, true, i); err != nil {
			return err
		}
		b.mirror.remove(v.Key())
		return nil
	case exists && sameButMobility(have, v):
		b.mirror.put(v)
		return nil
	}
	if exists && losesHop(have, v) {
		if err := m.add(have, true, i); err != nil {
			return err
		}
	}
	if err := m.add(v, false, i); err != nil {
		return err
	}
	b.mirror.put(v)
	return nil
}

// losesHop reports whether an update stops an IPv6 path from going to IPv4
// sessions (see exportPolicy). GoBGP asks the policy whether it has announced
// the path before, with the new next hop, and then withdraws nothing.
func losesHop(before, after object.Value) bool {
	have, ok := before.(object.Path)
	want, unicast := after.(object.Path)
	return ok && unicast && want.Family == object.IPv6Unicast && have.NextHop.IsValid() && !want.NextHop.IsValid()
}
