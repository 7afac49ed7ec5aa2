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
	onRound func(reconcile.Round)
}

// OpenPreview makes a preview. It waits for the Open_vSwitch database as far as
// settings are left to it, and at most until ctx ends.
func OpenPreview(ctx context.Context, s config.Settings, log *slog.Logger) (*Preview, error) {
	p := &Preview{onRound: func(reconcile.Round) {}}
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
	_, backends, err := localBackends(ctx, &p.closing, s, log, p.sources.ports, ports)
	if err != nil {
		return err
	}
	reader, err := actual.NewReader(append(backends, model.New(speakerKinds()...))...)
	if err != nil {
		return err
	}
	conf := controllerConfig(s, p.sources.join, reader, log)
	conf.Journal, conf.DryRun, conf.Drained = recorded, true, drained(recorded, log)
	conf.Refresh, conf.InspectTables = p.sources.refresh, p.sources.inspectTables
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
	p.explain = func(_ context.Context, r reconcile.Round, addr netip.Addr) reconcile.Explanation {
		return p.ctl.Explain(r, addr, nil, false)
	}
	return nil
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
