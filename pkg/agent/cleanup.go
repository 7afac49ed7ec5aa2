package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// Cleanup removes all that is ours, by one round of a node that wants nothing. It
// asks the current state only, and so works without databases.
type Cleanup struct {
	closing
	ctl *reconcile.Controller
	// notes are what the state file remembers; nil in a dry run.
	notes reconcile.Notes
	log   *slog.Logger
}

// OpenCleanup opens kernel, Open vSwitch and, where it is another process, the
// speaker. With dryRun nothing will be written.
func OpenCleanup(ctx context.Context, s config.Settings, log *slog.Logger, dryRun bool) (*Cleanup, error) {
	c := &Cleanup{log: log}
	if err := c.open(ctx, s, log, dryRun); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Cleanup) open(ctx context.Context, s config.Settings, log *slog.Logger, dryRun bool) error {
	var recorded journal
	if dryRun {
		recorded = readJournal(&c.closing, s.StateFile, log)
	} else {
		if err := claim(&c.closing, "cleanup", s, log); err != nil {
			return err
		}
		db, err := state.Open(s.StateFile, time.Now)
		if err != nil {
			return err
		}
		c.onClose(db.Close)
		recorded, c.notes = db, db
	}
	_, backends, err := localBackends(ctx, &c.closing, s, log, nil, mayMakePorts(s, recorded))
	if err != nil {
		return err
	}
	if s.BGP.Speaker == "" { // its paths have ended with its process
		backends = append(backends, model.New(speakerKinds()...))
	} else {
		conf := speakerConfig(s, log)
		conf.Attach = true
		speaker, err := newSpeaker(conf)
		if err != nil {
			return err
		}
		c.onClose(speaker.Close)
		backends = append(backends, speaker)
	}
	reader, err := actual.NewReader(backends...)
	if err != nil {
		return err
	}
	conf := controllerConfig(s.Idle(), still{nothing()}, reader, log)
	conf.Journal, conf.DryRun = recorded, dryRun
	c.ctl = reconcile.New(conf)
	return nil
}

// Run removes, unless it is a dry run, and returns what was or would be done. What
// failed is an error. A drain is over then, also where something is left: it
// would be a surprise to whoever starts the controller again.
func (c *Cleanup) Run(ctx context.Context) (control.Plan, error) {
	r, err := c.ctl.Round(ctx, true)
	if err != nil {
		return control.Plan{}, err
	}
	// Also where a part cannot be read, as a speaker that was stopped before.
	if c.notes != nil && c.notes.Remembered(reconcile.NoteDrain) != "" {
		c.log.Info("the drain of this node is over; a controller that is started puts it into service")
		c.notes.Remember(reconcile.NoteDrain, "")
	}
	if r.ReadErr != nil {
		return control.Plan{}, unreadable(r.ReadErr)
	}
	p, err := planOf(r)
	return p, errors.Join(append(r.Failed(), err)...)
}

// nothing is a snapshot from which no driver derives anything and that nobody
// doubts.
func nothing() observe.Snapshot {
	return observe.Snapshot{
		Chassis: "cleanup",
		SB:      &observe.Southbound{Chassis: []*observe.Chassis{{Name: "cleanup"}}},
		OVS:     &observe.OpenVSwitch{},
		Host:    &observe.Host{},
	}
}
