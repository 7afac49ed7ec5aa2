package plan

import (
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Input is all that a plan depends on.
type Input struct {
	Want, Have object.Set
	Ledger     Ownership
	// Failed are keys whose last attempt failed, with the reason. What stands
	// on them is withdrawn.
	Failed map[object.Key]string
	// Waiting are failed keys that must not be tried again yet.
	Waiting map[object.Key]string
	// Keep returns a reason not to delete what is not wanted any more: the
	// world is frozen, or the row it came from cannot be read.
	Keep func(object.Key, []object.Source) *object.Block
	// Unmanaged kinds are left alone altogether.
	Unmanaged []object.Kind
	// Tidy looks for ledger keys that can be forgotten, which takes a pass over
	// the whole ledger.
	Tidy bool
}

// Diff returns the steps that turn what we have into what we want. Values that
// are neither marked nor in the ledger are left alone. Its result depends on
// nothing but its input.
func Diff(in Input) Plan {
	d := &differ{Input: in, replaced: map[object.Key]bool{}, steps: map[object.Key]bool{}}
	d.findBlocked()
	d.findReplaced()
	d.wanted()
	d.unwanted()
	d.forget()
	d.order()
	return d.plan
}

// differ carries one Diff from step to step.
type differ struct {
	Input
	plan Plan
	// blocked are wanted keys that must not exist now, with the reason.
	blocked map[object.Key]object.Block
	// replaced are keys that the kernel cannot change in place, and all that
	// vanishes or must be withdrawn with them.
	replaced map[object.Key]bool
	// steps are the keys that this plan creates or updates.
	steps map[object.Key]bool
}

// mine reports whether what we have under k is provably ours.
func (d *differ) mine(k object.Key, have object.Item) bool {
	return have.Marked || d.Ledger.Owned(k)
}

func (d *differ) managed(k object.Kind) bool { return !slices.Contains(d.Unmanaged, k) }

// findBlocked collects what is blocked by itself, and then what stands on it,
// until nothing is added. In the usual case nothing is blocked and the second
// part costs nothing.
func (d *differ) findBlocked() {
	d.blocked = map[object.Key]object.Block{}
	for k, it := range d.Want.All() {
		if b, ok := d.blockOf(k, it); ok {
			d.blocked[k] = b
		}
	}
	for grew := len(d.blocked)+len(d.Failed) > 0; grew; {
		grew = false
		for k, it := range d.Want.All() {
			if _, done := d.blocked[k]; done || !d.managed(k.Kind) {
				continue
			}
			if need, b, ok := d.badNeed(it); ok {
				d.blocked[k] = object.Block{Code: object.BlockNeedFailed, Text: "needs " + need.Text() + ": " + b}
				grew = true
			}
		}
	}
}

// blockOf finds the reasons that lie in the item itself.
func (d *differ) blockOf(k object.Key, it object.Item) (object.Block, bool) {
	if !d.managed(k.Kind) {
		return object.Block{Code: object.BlockUnmanaged, Text: "this instance does not manage kind " + k.Kind.String()}, true
	}
	if it.Block != nil {
		return *it.Block, true
	}
	have, ok := d.Have.Get(k)
	switch {
	case ok && have.Value == it.Value:
		return object.Block{}, false
	case ok && !k.Kind.IsSetting() && !d.mine(k, have):
		return object.Block{Code: object.BlockForeign, Text: "somebody else's stands in its place: " + object.Text(have.Value)}, true
	case !ok && k.Kind == object.KindDevice:
		return object.Block{Code: object.BlockNotWired, Text: "device " + k.Name + " does not exist; it is made by Open vSwitch or the operator"}, true
	}
	if why, waits := d.Waiting[k]; waits {
		return object.Block{Code: object.BlockBackoff, Text: why}, true
	}
	if !ok {
		for _, need := range needs(it) {
			if !d.known(need) {
				return object.Block{Code: object.BlockNeedMissing, Text: "needs " + need.Text() + ", which is neither wanted nor present"}, true
			}
		}
	}
	return object.Block{}, false
}

// badNeed finds a need that is blocked, or that failed and is still missing.
func (d *differ) badNeed(it object.Item) (object.Key, string, bool) {
	for _, need := range needs(it) {
		for _, k := range alias(need) {
			if b, bad := d.blocked[k]; bad && b.Code != object.BlockUnmanaged && !d.asWanted(k) {
				return k, b.Text, true
			}
			if why, failed := d.Failed[k]; failed && d.Want.Has(k) && !d.asWanted(k) {
				return k, why, true
			}
		}
	}
	return object.Key{}, "", false
}

// asWanted reports whether what stands under k is what is wanted there; of what
// nobody wants, that it is there at all.
func (d *differ) asWanted(k object.Key) bool {
	want, ok := d.Want.Get(k)
	if !ok {
		return d.Have.Has(k)
	}
	have, ok := d.Have.Get(k)
	return ok && have.Value == want.Value
}

// known reports whether a need is wanted or present.
func (d *differ) known(need object.Key) bool {
	for _, k := range alias(need) {
		if d.Want.Has(k) || d.Have.Has(k) {
			return true
		}
	}
	return false
}

// alias returns the keys that can satisfy a need: a device need is met by a
// link of ours just as well.
func alias(need object.Key) []object.Key {
	if need.Kind != object.KindDevice {
		return []object.Key{need}
	}
	return []object.Key{{Kind: object.KindLink, Name: need.Name}, need}
}

// needs lists everything that must exist before the item.
func needs(it object.Item) []object.Key {
	on := it.Value.DependsOn()
	if len(on) == 0 {
		return it.After
	}
	return append(slices.Clip(on), it.After...)
}

// wanted plans creates, updates and replacements.
func (d *differ) wanted() {
	for k, it := range d.Want.All() {
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
		case have.Value != it.Value:
			d.build(Op{Verb: Update, Before: have.Value, After: it.Value, Why: it.Why})
		}
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
		d.build(Op{Verb: Update, Before: have.Value, After: it.Value, Why: it.Why, Note: "its device is replaced"})
		return
	}
	if exists && (k.Kind == object.KindLink || k.Kind == object.KindPath) {
		op := Op{Verb: Delete, Phase: Clear, Before: have.Value, Why: it.Why, Note: NoteReplaced}
		if k.Kind == object.KindPath {
			op.Phase = Withdraw
		}
		d.plan.Ops = append(d.plan.Ops, op)
	}
	d.build(Op{Verb: Create, After: it.Value, Why: it.Why, Note: NoteReplaced})
}

// unwanted plans deletes and restores, and notes what is kept back.
func (d *differ) unwanted() {
	for k, have := range d.Have.All() {
		_, blocked := d.blocked[k]
		// Of what is wanted but blocked only the announcement goes: wiring that
		// nobody is told of does no harm and will be needed again.
		stays := d.Want.Has(k) && (!blocked || k.Kind != object.KindPath)
		if stays || !d.managed(k.Kind) || !d.mine(k, have) {
			continue
		}
		why := d.Ledger.Why(k)
		if b := d.keep(k, why, blocked); b != nil {
			d.plan.Notes = append(d.plan.Notes, Note{Key: k, Value: have.Value, Block: *b, Why: why})
			continue
		}
		d.remove(k, have, why, d.blocked[k])
	}
}

// keep returns why something unwanted stays for now. The path of a blocked
// item is withdrawn even while the world is frozen: what it stood on is known
// to be missing.
func (d *differ) keep(k object.Key, why []object.Source, blocked bool) *object.Block {
	if text, waits := d.Waiting[k]; waits && !d.Want.Has(k) {
		return &object.Block{Code: object.BlockBackoff, Text: text}
	}
	if blocked || d.Keep == nil {
		return nil
	}
	return d.Keep(k, why)
}

func (d *differ) remove(k object.Key, have object.Item, why []object.Source, b object.Block) {
	if k.Kind.IsSetting() {
		prior, ok := d.Ledger.Prior(k)
		if b.Code == "" && ok && prior != have.Value {
			d.plan.Ops = append(d.plan.Ops, Op{Verb: Restore, Phase: Dismantle, Before: have.Value, After: prior, Why: why})
		}
		return
	}
	op := Op{Verb: Delete, Phase: Dismantle, Before: have.Value, Why: why}
	if b.Code != "" {
		op.Note = b.Code
	}
	if k.Kind >= object.KindPath {
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
	for _, kind := range object.Kinds() {
		for _, k := range d.Ledger.Keys(kind) {
			if d.managed(kind) && !d.Want.Has(k) && d.nothingLeft(k) {
				d.plan.Forget = append(d.plan.Forget, k)
			}
		}
	}
	slices.SortFunc(d.plan.Forget, object.Key.Compare)
}

func (d *differ) nothingLeft(k object.Key) bool {
	have, there := d.Have.Get(k)
	if !there || !k.Kind.IsSetting() {
		return !there
	}
	prior, ok := d.Ledger.Prior(k)
	return !ok || prior == have.Value
}
