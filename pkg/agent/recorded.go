package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Recorded answers from a support bundle what the controller would have answered when the
// bundle was made. It is a [control.Controller] that changes nothing.
type Recorded struct {
	bundle *bundle.Bundle
	log    *slog.Logger
}

// OpenRecorded reads a support bundle.
func OpenRecorded(path string, log *slog.Logger) (*Recorded, error) {
	b, err := bundle.Read(path, recordedParts()...)
	if err != nil {
		return nil, err
	}
	return &Recorded{b, log}, nil
}

// recordedParts are the members of a bundle that answers are made of.
func recordedParts() []string { return append(control.Parts(), partDoctor) }

var _ control.Controller = (*Recorded)(nil)

// errRecorded says what a support bundle cannot do.
func errRecorded(what string) error {
	return fmt.Errorf("%s: a support bundle is a record: ask on the node, without --bundle", what)
}

// recorded decodes the answer that a part is.
func recorded[T any](r *Recorded, part string) (v T, err error) {
	err = r.bundle.Unmarshal(part, &v)
	return v, err
}

// Manifest says what the bundle is of, and what it lacks.
func (r *Recorded) Manifest() bundle.Manifest { return r.bundle.Manifest }

// Status is the recorded one.
func (r *Recorded) Status(context.Context) (control.Status, error) {
	return recorded[control.Status](r, control.PartStatus)
}

// Plan is the recorded one.
func (r *Recorded) Plan(context.Context) (control.Plan, error) {
	return recorded[control.Plan](r, control.PartPlan)
}

// Desired is the recorded one.
func (r *Recorded) Desired(context.Context) (control.Desired, error) {
	return recorded[control.Desired](r, control.PartDesired)
}

// Snapshot is the recorded one.
func (r *Recorded) Snapshot(context.Context) ([]byte, error) {
	return r.bundle.Member(control.PartSnapshot)
}

// History is what is asked for of the recorded one.
func (r *Recorded) History(_ context.Context, f history.Filter) (control.History, error) {
	h, err := recorded[control.History](r, control.PartHistory)
	if err != nil {
		return h, err
	}
	h.Steps, h.More = history.Select(h.Steps, f)
	return h, nil
}

// Trace is the way that was recorded in advance: from all uplinks, with the peers as
// sources.
func (r *Recorded) Trace(_ context.Context, q control.TraceQuestion) (control.Trace, error) {
	if q.From != "" || q.Src.IsValid() {
		return control.Trace{}, errRecorded("trace --from and --src")
	}
	all, err := recorded[[]control.Explanation](r, control.PartExplanations)
	if err != nil {
		return control.Trace{}, err
	}
	for _, e := range all {
		if e.Address == q.To && e.Reach != nil {
			return control.Trace{Version: control.Version, Announced: true, Verdict: *e.Reach}, nil
		}
	}
	return control.Trace{}, fmt.Errorf("trace %s: the way to it is not in the support bundle, which has those to %d "+
		"announced addresses: ask on the node, without --bundle", q.To, len(all))
}

// Audit is the comparison that was made for the bundle, which read everything. It mends
// nothing.
func (r *Recorded) Audit(ctx context.Context, repair bool) (control.Audit, error) {
	if repair {
		return control.Audit{}, errRecorded("audit --repair")
	}
	p, err := r.Plan(ctx)
	if err != nil {
		return control.Audit{}, err
	}
	out := control.Audit{Version: control.Version, Drift: p, Failed: []control.FailedStep{}}
	if s, err := r.Status(ctx); err == nil {
		out.Incomplete = s.Frozen
	}
	out.Result, out.Remaining = out.Outcome()
	return out, nil
}

// Doctor is what doctor said of the node.
func (r *Recorded) Doctor() (doctor.Report, error) { return recorded[doctor.Report](r, partDoctor) }

// Verify needs the sessions with the looking points.
func (r *Recorded) Verify(context.Context, control.RouteQuery, bool) (control.Verify, error) {
	return control.Verify{}, errRecorded("verify")
}

// Reload needs the node.
func (r *Recorded) Reload(context.Context, bool) (control.Reload, error) {
	return control.Reload{}, errRecorded("reload")
}

// PlanWith needs the node.
func (r *Recorded) PlanWith(context.Context, []string) (control.Reload, error) {
	return control.Reload{}, errRecorded("plan --set")
}

// PlanFile needs the node.
func (r *Recorded) PlanFile(context.Context) (control.PlanFile, error) {
	return control.PlanFile{}, errRecorded("plan --out")
}

// Apply needs the node.
func (r *Recorded) Apply(context.Context, string) (control.Applied, error) {
	return control.Applied{}, errRecorded("apply")
}

// Rollback needs the node.
func (r *Recorded) Rollback(context.Context, uint64) (control.Rollback, error) {
	return control.Rollback{}, errRecorded("rollback without --dry-run")
}

// Drain needs the node.
func (r *Recorded) Drain(context.Context, bool) (control.Drain, error) {
	return control.Drain{}, errRecorded("drain")
}

// Undrain needs the node.
func (r *Recorded) Undrain(context.Context) (control.Drain, error) {
	return control.Drain{}, errRecorded("undrain")
}

// Retry needs the node.
func (r *Recorded) Retry(context.Context, string) (control.Retried, error) {
	return control.Retried{}, errRecorded("retry")
}

// ReleasePeer needs the node.
func (r *Recorded) ReleasePeer(context.Context, string) (control.Released, error) {
	return control.Released{}, errRecorded("bgp release")
}

// Record needs the node.
func (r *Recorded) Record(context.Context, control.Take) error { return errRecorded("support-bundle") }

// Find says what a target stood for.
func (r *Recorded) Find(ctx context.Context, target string) (control.Found, error) {
	if err := control.CheckTarget("find", target); err != nil {
		return control.Found{Version: control.Version, Target: target}, err
	}
	ctl, round, err := r.round(ctx)
	if err != nil {
		return control.Found{Version: control.Version, Target: target}, err
	}
	return (&answers{ctl: ctl}).find(round, target), nil
}

// EVPN derives the VNIs from the recorded round.
func (r *Recorded) EVPN(ctx context.Context, vni uint32) (control.EVPN, error) {
	ctl, round, err := r.round(ctx)
	if err != nil {
		return control.EVPN{}, err
	}
	return evpnOf(ctl, round, vni)
}

// Kube derives the verdicts from the recorded round.
func (r *Recorded) Kube(ctx context.Context, q control.KubeQuery) (control.Kube, error) {
	ctl, round, err := r.round(ctx)
	if err != nil {
		return control.Kube{}, err
	}
	d, err := kubeDriver(ctl)
	if err != nil {
		return control.Kube{}, err
	}
	s, err := recorded[reconcile.Sessions](r, control.PartSessions)
	if err != nil {
		s = reconcile.Sessions{} // of a bundle without a controller: sessions are not known
	}
	return (&kubeAnswer{ctl: ctl, driver: d, round: round, sessions: s}).list(q)
}

// ExplainService is made of what was recorded of each address.
func (r *Recorded) ExplainService(ctx context.Context, service string) (control.ServiceExplanation, error) {
	ctl, round, err := r.round(ctx)
	if err != nil {
		return control.ServiceExplanation{}, err
	}
	d, err := kubeDriver(ctl)
	if err != nil {
		return control.ServiceExplanation{}, err
	}
	return explainService(ctx, d, round.Snapshot, service, r.Explain)
}

// Explain is the recorded explanation of an address. For those that were not explained in
// advance it is derived from the recorded round, and says nothing of packets.
func (r *Recorded) Explain(ctx context.Context, target string) (control.Explanation, error) {
	addr, err := control.ParseAddress(target)
	if err != nil {
		return control.Explanation{}, err
	}
	if all, err := recorded[[]control.Explanation](r, control.PartExplanations); err == nil {
		for _, e := range all {
			if e.Address == addr {
				return e, nil
			}
		}
	}
	ctl, round, err := r.round(ctx)
	if err != nil {
		return control.Explanation{}, err
	}
	s, err := recorded[reconcile.Sessions](r, control.PartSessions)
	if err != nil {
		s = reconcile.Sessions{} // of a bundle without a controller: sessions are not known
	}
	return asSent(named(round, ctl.ExplainBy(round, addr, s)))
}

// asSent is an answer as a client gets it, without what only the controller itself sees.
func asSent(e control.Explanation) (out control.Explanation, err error) {
	raw, err := json.Marshal(e)
	if err != nil {
		return out, err
	}
	err = json.Unmarshal(raw, &out)
	return out, err
}

// round makes the recorded round again: what is wanted is derived from snapshot and
// configuration as it was then, what was there and what stood in the way is recorded.
func (r *Recorded) round(ctx context.Context) (*reconcile.Controller, reconcile.Round, error) {
	var none reconcile.Round
	s, err := r.settings()
	if err != nil {
		return nil, none, err
	}
	raw, err := r.bundle.Member(control.PartSnapshot)
	if err != nil {
		return nil, none, err
	}
	f, err := file.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil, none, fmt.Errorf("%s of the support bundle: %w", control.PartSnapshot, err)
	}
	snap, err := f.Snapshot("")
	if err != nil {
		return nil, none, fmt.Errorf("%s of the support bundle: %w", control.PartSnapshot, err)
	}
	have, err := r.current()
	if err != nil {
		return nil, none, err
	}
	reader, err := actual.NewReader(model.New())
	if err != nil {
		return nil, none, err
	}
	conf := controllerConfig(s, still{snap}, reader, r.log)
	conf.DryRun, conf.Drained = true, r.drained()
	ctl := reconcile.New(conf)
	round := reconcile.Round{Snapshot: snap, Have: have, Complete: true}
	if round.Want, round.Skipped, _, err = ctl.Desired(ctx); err != nil {
		return nil, none, err
	}
	return ctl, round, r.obstacles(&round)
}

// drained is the drain of the node that an operator had asked for when the bundle was made;
// nil if there was none.
func (r *Recorded) drained() *reconcile.Drained {
	s, err := recorded[control.Status](r, control.PartStatus)
	if err != nil || s.Drain == nil || s.Drain.Since == nil || s.Drain.By != "" {
		return nil
	}
	d := &reconcile.Drained{Since: *s.Drain.Since, Force: s.Drain.Force}
	p, err := recorded[control.Plan](r, control.PartPlan)
	for _, n := range p.Notes {
		if err == nil && n.Code == object.BlockDrained {
			d.Withdrawn = append(d.Withdrawn, n.Kind+" "+n.Key)
		}
	}
	return d
}

// settings are those of the bundle, which has no secrets.
func (r *Recorded) settings() (config.Settings, error) {
	raw, err := r.bundle.Member(control.PartConfiguration)
	if err != nil {
		return config.Settings{}, err
	}
	s, problems := config.Read(control.PartConfiguration, raw)
	if len(problems) > 0 {
		return s, fmt.Errorf("%s of the support bundle: %w", control.PartConfiguration, problems.Err())
	}
	return s, nil
}

// current is what was there.
func (r *Recorded) current() (object.Set, error) {
	var have object.Set
	raw, err := r.bundle.Member(control.PartCurrent)
	if err != nil {
		return have, err
	}
	for i, line := range strings.Split(strings.TrimSuffix(string(raw), "\n"), "\n") {
		if line == "" {
			continue
		}
		v, err := object.Parse(line)
		if err != nil {
			return have, fmt.Errorf("%s:%d of the support bundle: %w", control.PartCurrent, i+1, err)
		}
		have.Put(object.Item{Value: v})
	}
	return have, nil
}

// obstacles takes the notes of the recorded plan over, and Frozen of the status.
func (r *Recorded) obstacles(round *reconcile.Round) error {
	p, err := recorded[control.Plan](r, control.PartPlan)
	if err != nil {
		return err
	}
	for _, n := range p.Notes {
		k, err := object.ParseKey(n.Kind + " " + n.Key)
		if err != nil {
			return fmt.Errorf("%s of the support bundle: %w", control.PartPlan, err)
		}
		note := plan.Note{Key: k, Block: object.Block{Code: n.Code, Text: n.Text}}
		if it, ok := round.Want.Get(k); ok {
			note.Value, note.Why = it.Value, it.Why
		} else if it, ok := round.Have.Get(k); ok {
			note.Value = it.Value
		}
		round.Plan.Notes = append(round.Plan.Notes, note)
	}
	if s, err := recorded[control.Status](r, control.PartStatus); err == nil {
		round.Frozen = s.Frozen
	}
	return nil
}

// evpnOf tells of one VNI of a round, or of all with 0.
func evpnOf(ctl *reconcile.Controller, r reconcile.Round, vni uint32) (control.EVPN, error) {
	out := control.EVPN{Version: control.Version, VNIs: []control.VNI{}}
	for _, v := range ctl.VNIs(r) {
		if vni == 0 || v.VNI == vni {
			vni, err := control.VNIOf(v)
			if err != nil {
				return out, err
			}
			out.VNIs = append(out.VNIs, vni)
		}
	}
	if vni != 0 && len(out.VNIs) == 0 {
		return out, fmt.Errorf("evpn %d: nothing here wants this VNI; explain ADDRESS says why an address is not in one", vni)
	}
	return out, nil
}
