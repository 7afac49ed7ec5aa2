package plan

import (
	"iter"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Input is all that a plan depends on.
type Input struct {
	Want, Have object.Set
	Ledger     Ownership
	// Waiting are keys whose last attempt failed and that must not be tried
	// again yet, with the reason. What needs them is withdrawn; once they
	// may be tried again, it follows them in the same plan.
	Waiting map[object.Key]string
	// Stuck are those of Waiting whose delete or restore failed.
	Stuck map[object.Key]string
	// Contested are keys that another program changes back time and again and that
	// must not be repaired yet, with the reason. What needs them stays as it is.
	Contested map[object.Key]string
	// Keep returns a reason not to delete what is not wanted any more: the
	// world is frozen, or the row it came from cannot be read.
	Keep func(object.Key, []object.Source) *object.Block
	// Again are those of Want that only the ledger remembers: they would be held if
	// they were there, and what they need is.
	Again []object.Item
	// Evict says of what is ours and there, or only remembered, why it must not stay
	// although it would be held: it takes away what the node itself lives on. What
	// needs it is withdrawn.
	Evict func(object.Value) *object.Block
	// Unmanaged kinds are left alone altogether: another tool sees to them.
	Unmanaged []object.Kind
	// Unread kinds could not be read. They are left alone as well, and nothing
	// new is announced that needs one of them.
	Unread []object.Kind
	// Tidy looks for ledger keys that can be forgotten, which takes a pass over
	// the whole ledger.
	Tidy bool
}

// Diff returns the steps that turn what we have into what we want. Values that
// are neither marked nor in the ledger are left alone. Its result depends on
// nothing but its input.
func Diff(in Input) Plan { return new(Memory).Diff(in) }

// differ carries one Diff from step to step.
type differ struct {
	Input
	m    *Memory
	plan Plan
	// look are the keys to look at, unless all are.
	look map[object.Key]bool
	all  bool
	// dirty are the wanted keys that need a second look; all others are there as
	// wanted. Of 100,000 objects usually none is dirty.
	dirty map[object.Key]bool
	// blocked are wanted keys that must not exist now, with the reason.
	blocked map[object.Key]object.Block
	// replaced are keys that the kernel cannot change in place, and all that
	// vanishes or must be withdrawn with them.
	replaced map[object.Key]bool
	// evicted are keys of what must go at once, and of the paths that need it.
	evicted map[object.Key]object.Block
	// steps are the keys that this plan creates or updates.
	steps map[object.Key]bool
}

// mine reports whether what we have under k is provably ours: by its mark, or by the
// ledger. Of what has lost its mark the ledger counts only if nothing but the mark
// was changed: what is otherwise is another owner's, who has put it in the place of
// ours. A device stays the same whatever is set on it.
func (d *differ) mine(k object.Key, have object.Item) bool {
	switch {
	case have.Marked:
		return true
	case !k.HasMark() || k.Kind.IsDevice():
		return d.Ledger.Owned(k)
	default:
		return !k.Kind.Coexists() && d.made(k, have)
	}
}

// made reports whether the ledger has that we made the very value that we have.
func (d *differ) made(k object.Key, have object.Item) bool {
	was, ok := d.Ledger.Recorded(k)
	return ok && was.Value != nil && object.SameButMark(was.Value, have.Value)
}

// agrees reports whether what we have is as wanted, with our mark and nothing that we
// do not write. Kinds that bear no mark everywhere may be shared with another owner, who
// was there first.
func (d *differ) agrees(k object.Key, want object.Value, have object.Item) bool {
	switch {
	case have.Value != want:
		return false
	case k.HasMark():
		return have.Marked && have.Deviates() == ""
	default:
		return have.Deviates() == "" || !have.Marked && !d.made(k, have)
	}
}

// reclaims reports whether changing what we have, or deleting it, takes the word of the
// ledger that it is ours.
func reclaims(k object.Key, have object.Item) bool {
	return have.Value != nil && !have.Marked && (k.HasMark() || have.Deviates() != "")
}

func (d *differ) managed(k object.Kind) bool {
	return !slices.Contains(d.Unmanaged, k) && !slices.Contains(d.Unread, k)
}

// wanted plans creates, updates and replacements.
func (d *differ) wanted() {
	for k := range d.dirty {
		it, _ := d.Want.Get(k)
		if b, no := d.blocked[k]; no {
			d.plan.Notes = append(d.plan.Notes, Note{Key: k, Value: it.Value, Block: b, Why: it.Why})
			continue
		}
		have, ok := d.Have.Get(k)
		switch {
		case d.replaced[k]:
			d.replace(k, it, have, ok)
		case !ok:
			d.build(Op{Verb: Create, After: it.Value, Why: it.Why})
		case !d.agrees(k, it.Value, have):
			d.build(Op{
				Verb: Update, Before: have.Value, After: it.Value, Why: it.Why,
				Note: changeNote(it, have), Reclaim: reclaims(k, have),
			})
		}
	}
}

// changeNote says what the two values of an update do not.
func changeNote(it, have object.Item) string {
	switch what := have.Deviates(); {
	case what != "":
		return NoteFound + what
	case have.Value == it.Value:
		return NoteFound + "no mark of ours"
	default:
		return object.ChangeNote(have.Value, it.Value)
	}
}

func (d *differ) build(op Op) {
	op.Phase = Build
	d.steps[op.Key()] = true
	d.plan.Ops = append(d.plan.Ops, op)
}

// replace plans the delete, where the kernel will not do it by itself, and the
// create.
func (d *differ) replace(k object.Key, it, have object.Item, exists bool) {
	if k.Kind.IsSetting() {
		d.build(Op{Verb: Update, Before: have.Value, After: it.Value, Why: it.Why, Note: NoteDeviceReplaced})
		return
	}
	if exists && (k.Kind.IsDevice() || k.Kind.IsPath()) {
		op := Op{
			Verb: Delete, Phase: Clear, Before: have.Value, Why: it.Why, Note: NoteReplaced, Reclaim: reclaims(k, have),
		}
		if k.Kind.IsPath() {
			op.Phase = Withdraw
		}
		d.plan.Ops = append(d.plan.Ops, op)
	}
	if exists && !k.Kind.IsDevice() && !k.Kind.IsPath() && !d.vanishes(k) {
		// It does not sit on the link yet, and so does not go with it.
		d.build(Op{Verb: Update, Before: have.Value, After: it.Value, Why: it.Why, Reclaim: reclaims(k, have)})
		return
	}
	d.build(Op{Verb: Create, After: it.Value, Why: it.Why, Note: NoteReplaced})
}

// unwanted plans deletes and restores, and notes what is kept back.
func (d *differ) unwanted() {
	var going, kept []object.Item
	for k, have := range d.suspects() {
		b, blocked := d.blocked[k]
		// Of what is wanted but blocked only the announcement goes: wiring that
		// nobody is told of does no harm and will be needed again. A path that
		// could not be changed stays as it is until the next attempt.
		// One whose needs cannot be read stays too: nothing speaks against it.
		stays := d.Want.Has(k) && (!blocked || !k.Kind.IsPath() ||
			b.Code == object.BlockBackoff || b.LeavesDependents())
		_, evicted := d.evicted[k]
		if stays && !evicted || !d.managed(k.Kind) || !d.mine(k, have) || k.Kind.IsSetting() && d.nothingLeft(k) {
			continue
		}
		why := d.Ledger.Why(k)
		if b := d.keep(k, why, blocked); b != nil {
			kept = append(kept, have)
			d.plan.Notes = append(d.plan.Notes, Note{Key: k, Value: have.Value, Block: *b, Why: why})
			continue
		}
		going = append(going, have)
	}
	for _, have := range d.keepNeeded(going, slices.Concat(kept, d.Again)) {
		k := have.Value.Key()
		b, evicted := d.evicted[k]
		if !evicted {
			b = d.blocked[k]
		}
		d.remove(k, have, d.Ledger.Why(k), b)
	}
}

// suspects yields what we have and may have to go: what is not wanted, blocked, or evicted.
func (d *differ) suspects() iter.Seq2[object.Key, object.Item] {
	return func(yield func(object.Key, object.Item) bool) {
		for k := range d.m.unwanted {
			have, _ := d.Have.Get(k)
			if !yield(k, have) {
				return
			}
		}
		for k := range d.blocked {
			if have, there := d.Have.Get(k); there && !yield(k, have) {
				return
			}
		}
		for k := range d.evicted {
			_, blocked := d.blocked[k]
			if have, _ := d.Have.Get(k); !blocked && !d.m.unwanted[k] && !yield(k, have) {
				return
			}
		}
	}
}

// keep returns why something unwanted stays for now. The path of a blocked
// item is withdrawn even while the world is frozen: what it needs is known
// to be missing.
func (d *differ) keep(k object.Key, why []object.Source, blocked bool) *object.Block {
	_, evicted := d.evicted[k]
	if !evicted && !k.Kind.GoesFirst() && d.announcedStill() {
		return &object.Block{Code: object.BlockBackoff, Text: "a withdrawal failed, and traffic may still be sent here"}
	}
	if text, waits := d.Stuck[k]; waits {
		return &object.Block{Code: object.BlockBackoff, Text: text}
	}
	if blocked || evicted {
		return nil
	}
	if text, waits := d.Contested[k]; waits {
		return &object.Block{Code: object.BlockContested, Text: text}
	}
	if d.Keep == nil {
		return nil
	}
	return d.Keep(k, why)
}

// announcedStill reports whether something that should be withdrawn could not be.
func (d *differ) announcedStill() bool {
	for k := range d.Stuck {
		if k.Kind.GoesFirst() {
			return true
		}
	}
	return false
}

func (d *differ) remove(k object.Key, have object.Item, why []object.Source, b object.Block) {
	if k.Kind.IsSetting() {
		prior, ok := d.prior(k)
		if b.Code == "" && ok && prior != have.Value {
			d.plan.Ops = append(d.plan.Ops, Op{Verb: Restore, Phase: Dismantle, Before: have.Value, After: prior, Why: why})
		}
		return
	}
	op := Op{Verb: Delete, Phase: Dismantle, Before: have.Value, Why: why, Reclaim: reclaims(k, have)}
	if b.Code != "" {
		op.Note = b.Code
	}
	if k.Kind.GoesFirst() {
		op.Phase = Withdraw
	}
	d.plan.Ops = append(d.plan.Ops, op)
}

// forget finds ledger keys that are neither wanted nor there any more, so that
// the ledger does not grow for ever and never claims what others make later.
func (d *differ) forget() {
	if !d.Tidy {
		return
	}
	for k := range d.Ledger.Differ(d.Want) {
		if d.Want.Has(k) || !d.managed(k.Kind) || !d.nothingLeft(k) {
			continue
		}
		if d.Keep == nil || d.Keep(k, d.Ledger.Why(k)) == nil {
			d.plan.Forget = append(d.plan.Forget, k)
		}
	}
	slices.SortFunc(d.plan.Forget, object.Key.Compare)
}

func (d *differ) nothingLeft(k object.Key) bool {
	have, there := d.Have.Get(k)
	if !there || !k.Kind.IsSetting() {
		return !there || !d.mine(k, have)
	}
	prior, ok := d.prior(k)
	return !ok || prior == have.Value
}

// prior is the value that a setting gets back.
func (d *differ) prior(k object.Key) (object.Value, bool) {
	if k.Kind.IsLasting() {
		return nil, false
	}
	return d.Ledger.Prior(k)
}
