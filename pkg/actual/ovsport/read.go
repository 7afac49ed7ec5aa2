package ovsport

import (
	"context"
	"errors"
	"maps"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// attempts is how often a database that others are changing is asked before the
// cache counts as wrong.
const attempts = 3

// Read returns our ports and, of others', those under the names in focus. It
// answers from the rows that the connection has brought; while they are the
// same it returns the very set that it returned before. A complete read asks the
// database and compares: a cache that differs is discarded.
//
// While there is no connection that is an error. Only the first Read waits for
// it, and no longer than it takes to know that there is none.
func (b *Backend) Read(ctx context.Context, focus actual.Focus) (object.Set, error) {
	select {
	case <-b.first:
	case <-ctx.Done():
		return object.Set{}, ctx.Err()
	}
	names := make(map[string]bool)
	for _, key := range focus.Keys(object.KindOVSPort) {
		names[key.Name] = true
	}
	s, err := b.current()
	if err != nil {
		return object.Set{}, err
	}
	if focus.Complete {
		t, err := confirm(ctx, s, names)
		if err != nil {
			return object.Set{}, err
		}
		b.adopt(s, t)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unavailable != nil {
		return object.Set{}, b.unavailable // lost meanwhile
	}
	b.asked = names
	b.rememberSeen()
	return b.set, nil
}

// confirm returns the cached rows once they agree with the database on the names
// and on our ports.
func confirm(ctx context.Context, s *vswitch.Session, names map[string]bool) (vswitch.Tables, error) {
	for range attempts {
		fresh, err := s.Select(ctx)
		if err != nil {
			return vswitch.Tables{}, err
		}
		if cached := s.Tables(ctx); maps.Equal(inspectTables(fresh, names), inspectTables(cached, names)) {
			return cached, nil
		}
	}
	err := errors.New("the cached rows differ from those of the Open_vSwitch database; reconnecting")
	s.Drop(err)
	return vswitch.Tables{}, err
}

// adopt stores newer rows of the session if that is still the current one.
func (b *Backend) adopt(s *vswitch.Session, t vswitch.Tables) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.unavailable == nil && b.session == s && t.Moment > b.tables.Moment {
		b.tables = t
	}
}

// rememberSeen makes the current rows what was seen.
func (b *Backend) rememberSeen() {
	now := inspectTables(b.tables, b.asked)
	if maps.Equal(now, b.seen) {
		return
	}
	for name := range b.seen {
		if _, there := now[name]; !there {
			b.gone[name] = true
		}
	}
	b.seen, b.set = now, object.Set{}
	for _, h := range now {
		it := object.Item{Value: h.value, Marked: h.ours}
		switch {
		case !h.ours:
			it.Found = &object.Found{Deviates: "no external_ids:" + object.OVSPortMark}
		case h.lost != "":
			it.Found = &object.Found{Deviates: h.lost}
		}
		b.set.Put(it)
	}
}
