package agent

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// Preview is a node on the real databases, kernel and Open vSwitch that writes
// nothing at all. It has no speaker: paths exist in a model only, so that every
// path is still to be announced. It is a [control.Service].
type Preview struct {
	answers
	closing
	sources *sources
	// attach reads the paths and peers of a speaker in another process, if there is one.
	attach bool
	// settings are those of the node, and program its name and version in a plan file.
	settings config.Settings
	program  string
	onRound  func(reconcile.Round)
}

// OpenPlanning makes a preview that also reads what a speaker in another process has, for a
// plan that is to be applied: program is the name and version that it shows.
func OpenPlanning(ctx context.Context, s config.Settings, log *slog.Logger, program string) (*Preview, error) {
	return openPreview(ctx, &Preview{attach: s.BGP.Speaker != "", program: program}, s, log)
}

// OpenPreview makes a preview. It waits for the Open_vSwitch database as far as
// settings are left to it, and at most until ctx ends.
func OpenPreview(ctx context.Context, s config.Settings, log *slog.Logger) (*Preview, error) {
	return openPreview(ctx, &Preview{}, s, log)
}

func openPreview(ctx context.Context, p *Preview, s config.Settings, log *slog.Logger) (*Preview, error) {
	p.settings, p.onRound = s, func(reconcile.Round) {}
	if err := p.open(ctx, s, log); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Preview) open(ctx context.Context, s config.Settings, log *slog.Logger) error {
	recorded := readJournal(&p.closing, s.StateFile, log)
	ports := mayMakePorts(s, recorded)
	var err error
	if p.sources, err = openSources(ctx, &p.closing, s, log, recorded, ports, false, 0); err != nil {
		return err
	}
	if p.sources.unnumbered, err = openUnnumbered(&p.closing, s, log, true); err != nil {
		return err
	}
	p.sources.join.Unnumbered = p.sources.unnumbered
	_, backends, err := localBackends(ctx, &p.closing, s, log, p.sources.ports, ports)
	if err != nil {
		return err
	}
	speaker, err := p.speaker(s, log)
	if err != nil {
		return err
	}
	reader, err := actual.NewReader(append(backends, speaker)...)
	if err != nil {
		return err
	}
	conf := controllerConfig(s, p.sources.join, reader, log)
	conf.Journal, conf.DryRun, conf.Drained = recorded, true, drained(recorded, log)
	conf.Refresh, conf.InspectTables = p.sources.refresh, p.sources.inspectTables
	conf.WatchTables = p.sources.watchTables
	q, err := newQuarantine(s, log, func() {})
	if err != nil {
		return err
	}
	p.onClose(q.close)
	conf.Held = q.blocks
	conf.OnRound = func(r reconcile.Round) { p.onRound(r) }
	p.ctl = reconcile.New(conf)
	p.snapshot = p.sources.join.Snapshot
	ways, err := openReachability(&p.closing, s, log)
	if err != nil {
		return err
	}
	p.trace = ways.trace
	p.followed, p.settled = p.sources.followedKube, asRead
	p.explain = func(_ context.Context, r reconcile.Round, addr netip.Addr) reconcile.Explanation {
		return p.ctl.Explain(r, addr, nil, false)
	}
	return nil
}

// speaker is the backend of paths and peers.
func (p *Preview) speaker(s config.Settings, log *slog.Logger) (actual.Backend, error) {
	if !p.attach {
		return model.New(speakerKinds()...), nil
	}
	conf := speakerConfig(s, log)
	conf.Attach = true
	speaker, err := newSpeaker(conf)
	if err == nil {
		p.onClose(speaker.Close)
	}
	return speaker, err
}

// PlanFile is the plan in the form of a file. Only a node of [OpenPlanning] knows all that it
// is made of.
func (p *Preview) PlanFile(ctx context.Context) (control.PlanFile, error) {
	r, err := p.readable(ctx, true)
	if err != nil {
		return control.PlanFile{}, err
	}
	return planFileOf(r, p.settings, p.program)
}

// WaitSnapshot waits until every database has been read once.
func (p *Preview) WaitSnapshot(ctx context.Context) error { return p.sources.waitSnapshot(ctx) }

// Watch computes rounds until ctx ends, and shows the plan of each one that
// differs from the one before.
func (p *Preview) Watch(ctx context.Context, show func(control.Plan) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	last := ""
	p.onRound = func(r reconcile.Round) {
		text := r.Plan.String()
		if text == last {
			return
		}
		last = text
		shown, err := planOf(r)
		if err == nil {
			err = show(shown)
		}
		if err != nil {
			stop(err)
		}
	}
	err := p.ctl.Run(ctx)
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return errors.Join(err, cause)
	}
	return err
}

// speakerKinds are those that live in the speaker.
func speakerKinds() []object.Kind {
	return []object.Kind{object.KindPath, object.KindEVPN, object.KindPeer}
}

// journal is what a controller records, and the keys of its ledger.
type journal interface {
	reconcile.Journal
	ledgerKeys
	memory
}

// readJournal reads what a controller has recorded, if nobody holds the file. A
// file that cannot be read costs knowledge of what carries no mark, and is logged.
func readJournal(c *closing, path string, log *slog.Logger) journal {
	db, err := state.OpenReadOnly(path, time.Now)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return reconcile.NoJournal{}
	case err != nil:
		log.Warn("the state file cannot be read: objects without our mark count as another owner's", "err", err)
		return reconcile.NoJournal{}
	}
	c.onClose(db.Close)
	return db
}
