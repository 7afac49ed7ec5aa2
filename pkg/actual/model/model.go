// Package model is the world in memory: a backend of every kind that behaves
// like the real ones where it matters. It refuses an address on a device that
// does not exist, loses what sits on a device with the device, keeps foreign
// values from being overwritten, and can fail on request. Tests, the crash
// suite and `plan --against model` run on it; the contract suite holds it to
// the behaviour of the kernel, GoBGP and Open vSwitch.
package model

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// World is a backend of the kinds it was made with. It is safe for concurrent
// use.
type World struct {
	kinds   []object.Kind
	changed chan struct{}

	mu    sync.Mutex
	items object.Set
	// shared is what Read handed out last; nil once items changed after that.
	// Like the real backends, an unchanged world hands out the same set.
	shared *object.Set
	// fail holds errors to return once for the next change of a key.
	fail   map[object.Key]error
	writes int
	// onApply is called before each change; an error from it stops the world
	// for good, as a crash would.
	onApply func(object.Change) error
}

// New returns an empty world of the kinds; of all kinds if none is given.
func New(kinds ...object.Kind) *World {
	if len(kinds) == 0 {
		kinds = object.Kinds()
	}
	return &World{kinds: kinds, changed: make(chan struct{}, 1), fail: map[object.Key]error{}}
}

// Name is model.
func (w *World) Name() string { return "model" }

// Kinds are those it was made with.
func (w *World) Kinds() []object.Kind { return w.kinds }

// Changed is signalled by Poke.
func (w *World) Changed() <-chan struct{} { return w.changed }

// Close does nothing.
func (w *World) Close() error { return nil }

// Read returns everything.
func (w *World) Read(ctx context.Context, _ actual.Focus) (object.Set, error) {
	if err := ctx.Err(); err != nil {
		return object.Set{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shared == nil {
		s := w.items.Clone()
		w.shared = &s
	}
	return *w.shared, nil
}

// Apply performs the changes in order.
func (w *World) Apply(ctx context.Context, changes []object.Change) []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	errs := make([]error, len(changes))
	for i, c := range changes {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = w.apply(c)
		}
	}
	return errs
}

func (w *World) apply(c object.Change) error {
	if w.onApply != nil {
		if err := w.onApply(c); err != nil {
			return err
		}
	}
	if err, ok := w.fail[c.Key()]; ok {
		delete(w.fail, c.Key())
		return err
	}
	w.writes++
	if c.After == nil {
		return w.removeOurs(c)
	}
	return w.put(c)
}

func (w *World) put(c object.Change) error {
	k := c.Key()
	have, exists := w.items.Get(k)
	if k.Kind == object.KindDevice && !exists {
		return fmt.Errorf("device %s does not exist: %w", k.Name, actual.ErrGone)
	}
	for _, need := range c.After.DependsOn() {
		if !w.hasDevice(need.Name) {
			return fmt.Errorf("%s: device %s: %w", k.Text(), need.Name, actual.ErrGone)
		}
	}
	if c.Before == nil && exists && have.Value != c.After && !k.Kind.IsSetting() && !halfVeth(have, c.After) {
		return object.Untouched(fmt.Errorf("%s exists as %q", k.Text(), have.Value.Attrs()))
	}
	if c.Before == nil && exists && have.Value == c.After {
		return nil
	}
	if err := w.guard(c, have, exists); err != nil {
		return err
	}
	w.makePeer(c.After, exists)
	w.store(object.Item{Value: c.After, Marked: k.HasMark()})
	return nil
}

// guard refuses to change what does not carry our mark, unless the change says that it
// is ours without it. A device stays the same whatever is set on it.
func (w *World) guard(c object.Change, have object.Item, exists bool) error {
	k := c.Key()
	if !exists || have.Marked || !k.HasMark() || k.Kind == object.KindLink || c.Reclaim && have.Value == c.Before {
		return nil
	}
	return object.Untouched(fmt.Errorf("another owner's %s already exists: %s", k.Text(), have.Value.Attrs()))
}

// removeOurs removes what carries our mark, or is ours without it: what others have
// put in its place stays.
func (w *World) removeOurs(c object.Change) error {
	k := c.Key()
	if have, exists := w.items.Get(k); exists && !k.Kind.IsSetting() && w.guard(c, have, exists) != nil {
		return nil
	}
	return w.remove(c.Before)
}

// halfVeth reports whether a link exists because its other end was made.
func halfVeth(have object.Item, want object.Value) bool {
	h, ok := have.Value.(object.Link)
	w, wanted := want.(object.Link)
	return ok && wanted && have.Marked && h.Peer != "" && h.SameDevice(w)
}

// makePeer makes the other end of a new veth, as the kernel does.
func (w *World) makePeer(v object.Value, exists bool) {
	l, ok := v.(object.Link)
	if !ok || l.Peer == "" || exists || w.items.Has(object.Key{Kind: object.KindLink, Name: l.Peer}) {
		return
	}
	w.store(object.Item{Value: object.Link{Name: l.Peer, Type: l.Type, Peer: l.Name}, Marked: true})
}

func (w *World) store(it object.Item) {
	w.shared = nil
	k := it.Value.Key()
	if !w.items.Has(k) {
		w.outdatePort(k)
	}
	w.items.Put(it)
}

// outdatePort lets a port of the switch be made of a device that is gone once there is another
// one of that name.
func (w *World) outdatePort(device object.Key) {
	if device.Kind != object.KindLink && device.Kind != object.KindDevice {
		return
	}
	it, there := w.items.Get(object.Key{Kind: object.KindOVSPort, Name: device.Name})
	if p, ok := it.Value.(object.OVSPort); there && ok && p.Type != object.OVSInternal && it.Marked {
		w.losesDevice(it)
	}
}

func (w *World) losesDevice(port object.Item) {
	port.Found = &object.Found{Deviates: "a device that is gone"}
	w.shared = nil
	w.items.Put(port)
}

func (w *World) drop(k object.Key) {
	w.shared = nil
	w.items.Remove(k)
}

// hasDevice treats devices as present when the world does not hold any: a
// world of BGP paths alone has no opinion on them.
func (w *World) hasDevice(name string) bool {
	for _, kind := range []object.Kind{object.KindDevice, object.KindLink, object.KindOVSPort} {
		if w.items.Has(object.Key{Kind: kind, Name: name}) {
			return true
		}
	}
	return false
}

func (w *World) remove(v object.Value) error {
	k := v.Key()
	if k.Kind.IsSetting() {
		return fmt.Errorf("%s cannot be deleted", k.Text())
	}
	it, exists := w.items.Get(k)
	w.drop(k)
	if exists && k.Kind.IsDevice() {
		w.dropDevice(it.Value)
	}
	return nil
}

// dropDevice removes what the kernel removes with a device: what sits on it and
// the other end of a veth. What it was the master of is released.
func (w *World) dropDevice(v object.Value) {
	name := v.Key().Name
	if l, ok := v.(object.Link); ok && l.Peer != "" {
		w.dropWith(object.Key{Kind: object.KindLink, Name: l.Peer})
	}
	for k, it := range w.items.Clone().All() {
		if l, ok := it.Value.(object.Link); ok && l.Master == name {
			l.Master, l.NoLearning, l.Suppress = "", l.Type == object.LinkVXLAN, false
			it.Value = l
			w.store(it)
			continue
		}
		for _, need := range it.Value.DependsOn() {
			if need.Name == name && k.Kind != object.KindOVSPort {
				w.dropWith(k)
			}
		}
	}
}

func (w *World) dropWith(k object.Key) {
	it, exists := w.items.Get(k)
	if !exists {
		return
	}
	w.drop(k)
	if k.Kind.IsDevice() {
		w.dropDevice(it.Value)
	}
}

// Set puts values there as another owner would: unmarked unless ours is true.
func (w *World) Set(ours bool, values ...object.Value) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range values {
		w.store(object.Item{Value: v, Marked: ours})
	}
}

// Unset removes keys as another owner would, and what sits on a device with it.
func (w *World) Unset(keys ...object.Key) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range keys {
		it, exists := w.items.Get(k)
		w.drop(k)
		if port, _ := w.items.Get(object.Key{Kind: object.KindOVSPort, Name: k.Name}); k.Kind == object.KindDevice {
			if p, ok := port.Value.(object.OVSPort); ok && p.Type == object.OVSInternal {
				w.losesDevice(port)
			}
		}
		if exists && (k.Kind.IsDevice() || k.Kind == object.KindDevice) {
			w.dropDevice(it.Value)
		}
	}
}

// FailNext makes the next change of the key return err.
func (w *World) FailNext(k object.Key, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[k] = err
}

// StopOn calls hook before each change; once it returns an error nothing is
// changed any more.
func (w *World) StopOn(hook func(object.Change) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.onApply = hook
}

// Poke signals Changed.
func (w *World) Poke() {
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// Writes is the number of changes applied so far.
func (w *World) Writes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.writes
}

// String prints the world, one line an object, in key order. Foreign objects
// are marked with a star.
func (w *World) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b strings.Builder
	for _, it := range w.items.Sorted() {
		if it.Value.Key().HasMark() && !it.Marked {
			b.WriteString("* ")
		}
		b.WriteString(object.Text(it.Value) + "\n")
	}
	return b.String()
}
