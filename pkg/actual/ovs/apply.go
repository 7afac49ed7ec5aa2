package ovs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Apply performs the changes of each bridge in one bundle. If the switch
// refuses it, halves are tried until the changes at fault are known; all others
// take effect.
//
// OpenFlow would let an add overwrite a flow of another owner under the same
// key. So the key is read before; a flow that comes there in the few
// milliseconds between is lost.
func (b *Backend) Apply(ctx context.Context, changes []object.Change) []error {
	errs := make([]error, len(changes))
	batches := make(map[string][]int)
	var order []string
	for i, c := range changes {
		name := c.Key().Name
		if batches[name] == nil {
			order = append(order, name)
		}
		batches[name] = append(batches[name], i)
	}
	for _, name := range order {
		br, err := b.bridgeOf(name)
		steps := make([]step, 0, len(batches[name]))
		for _, i := range batches[name] {
			errs[i] = err
			steps = append(steps, step{change: changes[i], err: &errs[i]})
		}
		if err == nil {
			br.apply(ctx, steps)
		}
	}
	return errs
}

func (b *Backend) bridgeOf(name string) (*bridge, error) {
	if err := openflow.CheckBridge(name); err != nil {
		return nil, err
	}
	return b.bridge(name), nil
}

// step is one change on its way to the switch.
type step struct {
	change object.Change
	err    *error
	line   string // the line for ovs-ofctl; empty if there is nothing to do
}

// apply performs the steps and leaves in each its error.
func (br *bridge) apply(ctx context.Context, steps []step) {
	br.mu.Lock()
	defer br.mu.Unlock()
	have, err := br.existingFlows(ctx, steps)
	if err != nil {
		fail(steps, err)
		return
	}
	var todo []step
	for _, s := range steps {
		if s.line, *s.err = br.line(have, s.change); s.line != "" {
			todo = append(todo, s)
		}
	}
	if len(todo) == 0 {
		return
	}
	br.modify(ctx, todo)
	br.verify(ctx, todo)
}

// existingFlows returns the flows under the keys of the steps: from the mirror if
// that is clean, and from the switch otherwise.
func (br *bridge) existingFlows(ctx context.Context, steps []step) (map[object.Key]object.Flow, error) {
	keys := make([]object.Key, len(steps))
	for i, s := range steps {
		keys[i] = s.change.Key()
	}
	all := br.flows
	if !br.clean || !br.askedAll(keys) {
		var err error
		if all, err = br.dump(ctx); err != nil {
			return nil, err // deletes succeed if it is ErrGone, see fail
		}
	}
	have := make(map[object.Key]object.Flow, len(keys))
	for _, k := range keys {
		if f, ok := all[k]; ok {
			have[k] = f
		}
	}
	return have, nil
}

// line writes the change in the format of "ovs-ofctl add-flows" and carries it
// out in have; it is empty if nothing has to be done.
func (br *bridge) line(have map[object.Key]object.Flow, c object.Change) (string, error) {
	key := c.Key()
	existing, found := have[key]
	foreign := found && !br.ours(existing.Cookie) && !(c.Reclaim && c.Before == object.Value(existing))
	if c.After == nil {
		if !found || foreign {
			return "", nil // ours is gone
		}
		delete(have, key)
		return deletion(existing), nil
	}
	want, ok := c.After.(object.Flow)
	switch {
	case !ok:
		return "", fmt.Errorf("%T is not a flow", c.After)
	case foreign:
		return "", object.Untouched(fmt.Errorf("another owner's flow (cookie %#x) already exists: %s",
			existing.Cookie, existing.Actions))
	case found && existing == want:
		return "", nil
	case !br.ours(want.Cookie):
		return "", fmt.Errorf("cookie %#x is not a configured one, the flow could not be recognised and removed later",
			want.Cookie)
	case strings.ContainsAny(want.Match+want.Actions, " \t\r\n#") || want.Match == "" || want.Actions == "":
		return "", fmt.Errorf("match %q or actions %q are not in canonical form", want.Match, want.Actions)
	}
	have[key] = want
	return addition(want), nil
}

func addition(f object.Flow) string {
	return fmt.Sprintf("add cookie=%#x,%s,actions=%s\n", f.Cookie, selector(f), f.Actions)
}

// deletion never hits a flow that came there meanwhile with another cookie.
func deletion(f object.Flow) string {
	return fmt.Sprintf("delete_strict cookie=%#x/-1,%s\n", f.Cookie, selector(f))
}

func selector(f object.Flow) string {
	s := fmt.Sprintf("table=%d,priority=%d", f.Table, f.Priority)
	if f.Match != anyMatch {
		s += "," + f.Match
	}
	return s
}

// modify runs the steps as one bundle and divides it when it is refused.
func (br *bridge) modify(ctx context.Context, steps []step) {
	var lines strings.Builder
	for _, s := range steps {
		lines.WriteString(s.line)
	}
	err := gone(br.tool.Modify(ctx, br.name, []byte(lines.String())))
	switch {
	case err == nil:
	case len(steps) == 1 && errors.Is(err, openflow.ErrFormat):
		// OpenFlow 1.0 takes every flow, though not in a bundle.
		if br.tool.ModifyPlain(ctx, br.name, []byte(lines.String()), "OpenFlow10") != nil {
			fail(steps, err)
		}
	case len(steps) == 1 || concernsAll(ctx, err):
		fail(steps, err)
	default:
		half := len(steps) / 2
		br.modify(ctx, steps[:half])
		br.modify(ctx, steps[half:])
	}
}

// concernsAll reports whether an error is about the switch and not about one
// of the changes.
func concernsAll(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, actual.ErrGone) || errors.Is(err, openflow.ErrAway) || errors.Is(err, openflow.ErrVersion)
}

// fail leaves the error in each step, except that what is to be deleted is
// gone with its bridge.
func fail(steps []step, err error) {
	for _, s := range steps {
		if s.change.After != nil || !errors.Is(err, actual.ErrGone) {
			*s.err = err
		}
	}
}

// verify reads back what the switch made of it. A flow that it prints in
// another form than it was written would never compare equal and be added
// again in each round; that is found here and named.
func (br *bridge) verify(ctx context.Context, steps []step) {
	br.clean = false
	all, err := br.dump(ctx)
	if err != nil {
		return // the next Read finds out
	}
	asked := make([]object.Key, 0, len(br.asked))
	for k := range br.asked {
		asked = append(asked, k)
	}
	for _, s := range steps {
		asked = append(asked, s.change.Key())
		want, ok := s.change.After.(object.Flow)
		if ok && *s.err == nil && all[want.Key()] != want {
			*s.err = br.misread(all, want)
		}
	}
	br.store(all, asked)
	br.clean = br.attached
}

// misread is the error that shows what the switch has in place of a flow that it accepted.
func (br *bridge) misread(all map[object.Key]object.Flow, want object.Flow) error {
	if f, ok := all[want.Key()]; ok {
		return fmt.Errorf("the switch accepted the flow, but shows %s", f.Attrs())
	}
	for k, f := range all {
		f.Match = want.Match
		if f == want && !br.asked[k] {
			return fmt.Errorf("match %q is not in canonical form, the switch shows %q", want.Match, k.Sub)
		}
	}
	return fmt.Errorf("the switch accepted the flow, but does not show it")
}
