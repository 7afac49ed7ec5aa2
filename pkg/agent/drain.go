package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/elsewhere"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// memory has the notes of a controller.
type memory interface {
	Remembered(name string) string
}

// drained is what is remembered of a drain; nil if the node is in service.
func drained(notes memory, log *slog.Logger) *reconcile.Drained {
	d, err := reconcile.ParseDrained(notes.Remembered(reconcile.NoteDrain), time.Now())
	if err != nil {
		log.Warn("the drain begins anew", "err", err, "remedy", "bgp-ovn undrain, if the node is to be in service")
	}
	return d
}

// Drain takes the node out of service, with force also what nobody else announces.
func (n *Node) Drain(ctx context.Context, force bool) (control.Drain, error) {
	d := n.ctl.Drain(force)
	n.opts.Log.Info("drain was asked for", "force", force)
	return n.drainNow(ctx, control.Drain{
		Version: control.Version, Phase: string(reconcile.DrainLowered), Since: &d.Since, Force: d.Force,
		Remaining: []control.DrainPath{},
	})
}

// Undrain takes the node back into service.
func (n *Node) Undrain(ctx context.Context) (control.Drain, error) {
	if !n.ctl.Undrain() {
		none := control.Drain{Version: control.Version, Remaining: []control.DrainPath{}}
		if st, ok := n.sources.followedKube(); ok && !st.Cordoned.IsZero() {
			return none, fmt.Errorf("nobody has asked for a drain here: node %s is cordoned in Kubernetes; "+
				"kubectl uncordon %s takes it back into service", st.Node, st.Node)
		}
		return none, fmt.Errorf("the node is not drained")
	}
	n.opts.Log.Info("the end of the drain was asked for")
	return n.drainNow(ctx, control.Drain{Version: control.Version, Remaining: []control.DrainPath{}})
}

// drainNow has a round take up a drain, or the end of one, and tells how far it is. Without
// a snapshot that is what was asked for.
func (n *Node) drainNow(ctx context.Context, asked control.Drain) (control.Drain, error) {
	out := asked
	if r, err := n.ctl.RoundNow(ctx, false); err == nil && r.Drain != nil {
		out = drainOf(r.Drain)
	}
	if trouble, ill := n.db.Trouble(); ill {
		out.NotRemembered = trouble.Err.Error()
	}
	return out, nil
}

// drainListed is how many paths an answer lists; all are counted.
const drainListed = 100

// drainOf is how far a drain is, as an answer.
func drainOf(s *reconcile.DrainState) control.Drain {
	out := control.Drain{
		Version: control.Version, Phase: string(s.Phase), Since: &s.Since, Until: &s.Until, Force: s.Force, By: s.By,
		SafeToStop: s.Phase == reconcile.DrainSafe,
		Lowered:    len(s.Lowered), Withdrawn: len(s.Withdrawn), OnlyHere: len(s.Last), Own: len(s.Own),
		Left: len(s.Remaining), Remaining: []control.DrainPath{},
	}
	for _, k := range s.Remaining[:min(len(s.Remaining), drainListed)] {
		out.Remaining = append(out.Remaining, control.DrainPath{Kind: k.Kind.String(), Key: k.String()})
	}
	return out
}

// drain tells that the node is being taken out of service, and of what hinders that.
func (s *statusReport) drain(state *reconcile.DrainState, src *sources) {
	if state == nil {
		return
	}
	if st, ok := src.followedKube(); ok && state.By == control.DrainByCordon {
		s.cordoned(state, st.Node)
		return
	}
	d := drainOf(state)
	s.Drain = &d
	const undrain = "bgp-ovn undrain takes it back into service"
	var f *problem.Finding
	switch state.Phase {
	case reconcile.DrainLowered:
		f = s.problem("drained", fmt.Sprintf("the node is drained: its %d paths are a last resort, and are withdrawn from %s",
			d.Lowered, clock(state.Until.Local())), undrain)
	case reconcile.DrainWaiting:
		text := fmt.Sprintf("the node is drained and not safe to stop: %d paths are left", d.Left)
		if len(state.Last) > 0 {
			text += fmt.Sprintf(", %d of which nobody else is known to announce; the first: %s", d.OnlyHere,
				state.Last[0].Text())
		}
		f = s.problem("drain-waiting", text,
			"move them to another node: bgp-ovn explain ADDRESS; or withdraw them: bgp-ovn drain --force")
	case reconcile.DrainSafe:
		f = s.problem("drained", fmt.Sprintf("the node is drained: safe to stop, %d paths are withdrawn", d.Withdrawn),
			undrain)
	}
	if f == nil {
		return
	}
	f.Since = state.Since
	if len(state.Last) > 0 && state.Last[0].Kind == object.KindPath {
		f.Object = problem.Object{Kind: problem.KindAddress, Name: state.Last[0].Prefix.Addr().String()}
	}
}

// takenBy says of our prefixes who else announces them, for a drain: found while all of ours
// are a last resort.
func (o *overlaps) takenBy() map[netip.Prefix]string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken
}

// takeOver notes who else announces what a drain has made a last resort, and reports
// whether that is something else than before.
func (o *overlaps) takeOver(found []elsewhere.Finding) (changed bool) {
	taken := map[netip.Prefix]string{}
	for _, f := range found {
		if f.Announced == f.Prefix {
			taken[f.Prefix] = f.By() + ", heard from peer " + f.Peer
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for p, by := range taken {
		changed = changed || o.taken[p] != by
	}
	changed = changed || len(taken) != len(o.taken)
	o.taken = taken
	return changed
}
