package ovs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// attachTime is how long a read waits for a monitor that is just starting,
// which takes a few milliseconds. Reading first would mean to read again once
// it runs.
const attachTime = 250 * time.Millisecond

// bridge mirrors what concerns us of one bridge.
//
//	no monitor --attached--> dirty --read--> clean --foreign event--> dirty
//	     ^                     |               |
//	     +-----detached--------+---------------+
//
// Only a clean mirror answers a read. Whoever runs ovs-ofctl holds the lock,
// so that an event which it causes is compared with the mirror it leaves.
type bridge struct {
	name    string
	tool    openflow.Tool
	cookies []uint64
	grace   time.Duration
	signal  func()
	stop    context.CancelFunc

	mu           sync.Mutex
	attached     bool
	clean        bool
	ready        chan struct{} // closed while attached
	waiting      bool          // a read waits for ready
	attachFailed bool          // the last wait ended without a monitor
	changed      bool          // flows differ from what the last Read returned
	missing      time.Time     // since when it has been missing without a break
	deleted      bool          // it has been missing for longer than grace

	// flows are ours and, of others', those under keys in asked.
	flows map[object.Key]object.Flow
	asked map[object.Key]bool
	// over has what wins over ours, by the key of ours.
	over map[object.Key]string
	// byEvent finds the keys in flows and asked by what an event contains.
	byEvent map[eventKey][]object.Key
}

func (br *bridge) ours(cookie uint64) bool { return slices.Contains(br.cookies, cookie) }

// refresh makes sure that the mirror holds all of our flows and what exists
// under keys.
func (br *bridge) refresh(ctx context.Context, keys []object.Key, complete bool) error {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.clean && !complete && br.askedAll(keys) {
		return nil
	}
	br.awaitMonitor(ctx)
	all, err := br.dump(ctx)
	if errors.Is(err, actual.ErrGone) && !br.deleted {
		err = fmt.Errorf("%w for this bridge: it is missing, which may be a restart of ovs-vswitchd", openflow.ErrAway)
	}
	if err != nil && !errors.Is(err, actual.ErrGone) {
		br.clean = false
		return err
	}
	br.store(all, keys)
	br.clean = br.attached
	return nil
}

func (br *bridge) askedAll(keys []object.Key) bool {
	for _, k := range keys {
		if !br.asked[k] {
			return false
		}
	}
	return true
}

// awaitMonitor gives up the lock while it waits.
func (br *bridge) awaitMonitor(ctx context.Context) {
	if br.attached || br.attachFailed || !br.tool.Answers(ctx, br.name) {
		return
	}
	ready := br.ready
	br.waiting = true
	br.mu.Unlock()
	timer := time.NewTimer(attachTime)
	select {
	case <-ready:
	case <-timer.C:
	case <-ctx.Done():
	}
	timer.Stop()
	br.mu.Lock()
	br.waiting, br.attachFailed = false, !br.attached
}

// dump asks the switch for all flows.
func (br *bridge) dump(ctx context.Context) (map[object.Key]object.Flow, error) {
	out, err := br.tool.Dump(ctx, br.name)
	if err != nil {
		return nil, gone(err)
	}
	flows, err := parseDump(br.name, out)
	if err != nil {
		return nil, err
	}
	all := make(map[object.Key]object.Flow, len(flows))
	for _, f := range flows {
		all[f.Key()] = f
	}
	return all, nil
}

// gone marks the error of a bridge that does not exist as actual.ErrGone.
func gone(err error) error {
	if errors.Is(err, openflow.ErrNoBridge) {
		return fmt.Errorf("%w: %w", err, actual.ErrGone)
	}
	return err
}

// store replaces the mirror by what concerns us of all flows.
func (br *bridge) store(all map[object.Key]object.Flow, keys []object.Key) {
	asked := make(map[object.Key]bool, len(keys))
	for _, k := range keys {
		asked[k] = true
	}
	flows := make(map[object.Key]object.Flow)
	for k, f := range all {
		if asked[k] || br.ours(f.Cookie) {
			flows[k] = f
		}
	}
	br.changed = br.changed || !maps.Equal(flows, br.flows)
	br.flows, br.asked = flows, asked
	br.changed = br.setOverridden(br.overridden(all)) || br.changed
	br.byEvent = make(map[eventKey][]object.Key, len(flows))
	for k := range flows {
		br.index(k)
	}
	for k := range asked {
		if _, ok := flows[k]; !ok {
			br.index(k)
		}
	}
}

func (br *bridge) index(k object.Key) {
	p := eventKey{uint8(k.Aux), k.Sub}
	br.byEvent[p] = append(br.byEvent[p], k)
}

func (br *bridge) resetChanged() bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	was := br.changed
	br.changed = false
	return was
}

func (br *bridge) addTo(all *object.Set) {
	br.mu.Lock()
	defer br.mu.Unlock()
	for _, f := range br.flows {
		all.Put(object.Item{Value: f, Marked: br.ours(f.Cookie), Found: br.found(f)})
	}
}

// Attached is called by the monitor once it is notified of every change. Changes
// before are unknown, so that someone has to read, unless someone already
// waits to do so.
func (br *bridge) Attached() {
	br.mu.Lock()
	defer br.mu.Unlock()
	br.attached, br.clean, br.attachFailed = true, false, false
	br.missing, br.deleted = time.Time{}, false
	close(br.ready)
	if !br.waiting {
		br.signal()
	}
}

// Absent is called again and again while the bridge does not answer; gone says
// that ovs-vswitchd runs without it.
func (br *bridge) Absent(gone bool) {
	br.mu.Lock()
	defer br.mu.Unlock()
	switch {
	case !gone:
		br.missing, br.deleted = time.Time{}, false
	case br.missing.IsZero():
		br.missing = time.Now()
	case !br.deleted && time.Since(br.missing) >= br.grace:
		br.deleted = true
		br.signal()
	}
}

// Detached is called when the monitor has ended: the bridge is gone, or
// ovs-vswitchd and all flows with it.
func (br *bridge) Detached() {
	br.mu.Lock()
	defer br.mu.Unlock()
	br.attached, br.clean = false, false
	br.ready = make(chan struct{})
	br.signal()
}

// Changed compares an event with the mirror. What we did ourselves agrees with
// it by then.
func (br *bridge) Changed(line string) {
	e, err := parseEvent(line)
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.clean && (err != nil || !br.agrees(e)) {
		br.invalidate()
	}
}

// Missed is called when the monitor may not have told of every change.
func (br *bridge) Missed() {
	br.mu.Lock()
	defer br.mu.Unlock()
	if br.clean {
		br.invalidate()
	}
}

func (br *bridge) invalidate() {
	br.clean = false
	br.signal()
}

func (br *bridge) agrees(e event) bool {
	keys, inFocus := br.byEvent[e.key]
	switch foreign := !br.ours(e.cookie); {
	case foreign && e.deleted && len(br.over) > 0 && br.mayOverride(e):
		return false
	case foreign && !inFocus:
		return e.deleted || !br.mayOverride(e)
	}
	found := false
	for _, k := range keys {
		f, ok := br.flows[k]
		found = found || ok && f.Cookie == e.cookie && (e.deleted || f.Actions == e.actions)
	}
	return found != e.deleted
}
