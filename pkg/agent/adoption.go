package agent

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// AdoptOptions say how a node is taken over from ovn-bgp-agent.
type AdoptOptions struct {
	// DryRun writes nothing.
	DryRun bool
	// Wait bounds how long the databases are waited for.
	Wait time.Duration
	// BGPNIC and BGPVRF are the predecessor's options bgp_nic and bgp_vrf: the devices
	// from which FRR announces. RemoveFRR removes them.
	BGPNIC, BGPVRF string
	RemoveFRR      bool
	// Reverse hands the node back instead.
	Reverse bool
}

// Adoption is a node that is being taken over from ovn-bgp-agent. It has no
// speaker: what is announced goes on coming from FRR until the controller starts.
type Adoption struct {
	closing
	settings config.Settings
	opts     AdoptOptions
	sources  *sources
	node     adopt.Node
	journal  journal
	plan     plan.Plan
}

// OpenAdoption opens databases, kernel, Open vSwitch and, unless it is a dry run,
// the state file for writing. It changes nothing.
func OpenAdoption(ctx context.Context, s config.Settings, opts AdoptOptions, log *slog.Logger) (*Adoption, error) {
	a := &Adoption{settings: s, opts: opts}
	if err := a.open(ctx, log); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Adoption) open(ctx context.Context, log *slog.Logger) error {
	if a.opts.DryRun {
		a.journal = readJournal(&a.closing, a.settings.StateFile, log)
	} else {
		if err := claim(&a.closing, "adopt", a.settings, log); err != nil {
			return err
		}
		db, err := state.Open(a.settings.StateFile, time.Now)
		if err != nil {
			return err
		}
		a.onClose(db.Close)
		a.journal = db
	}
	ports := mayMakePorts(a.settings, a.journal)
	var err error
	if a.sources, err = openSources(ctx, &a.closing, a.settings, log, a.journal, ports, false, a.opts.Wait); err != nil {
		return err
	}
	_, backends, err := localBackends(ctx, &a.closing, a.settings, log, a.sources.ports, ports)
	if err != nil {
		return err
	}
	reader, err := actual.NewReader(append(backends, model.New(speakerKinds()...))...)
	if err != nil {
		return err
	}
	old, err := legacy.Open()
	if err != nil {
		return err
	}
	a.onClose(old.Close)
	a.node = adopt.Node{
		Backends: reader, Predecessor: old, Ledger: a.journal,
		RouteProtocol: a.settings.Routing.RouteProtocol, OpenVSwitch: a.settings.Flows.Manage,
	}
	return nil
}

// Plan waits for the databases, reads everything and computes the steps.
func (a *Adoption) Plan(ctx context.Context) (control.Plan, error) {
	if a.opts.Reverse { // what there is counts, whatever the databases say
		var err error
		if a.plan, err = a.node.PlanReverse(ctx); err != nil {
			return control.Plan{}, err
		}
		return control.PlanOf(a.plan)
	}
	// Only waiting has a deadline: a take-over must not end half-way.
	waiting, cancel := context.WithTimeout(ctx, a.opts.Wait)
	defer cancel()
	if err := a.sources.waitSnapshot(waiting); err != nil {
		return control.Plan{}, err
	}
	snap, err := a.sources.join.Snapshot(ctx)
	if err != nil {
		return control.Plan{}, err
	}
	a.plan, err = a.node.Plan(ctx, adopt.Request{
		Snapshot: snap, Drivers: a.settings.NewDrivers(),
		BGPNIC: a.opts.BGPNIC, BGPVRF: a.opts.BGPVRF, RemoveFRR: a.opts.RemoveFRR,
	})
	if err != nil {
		return control.Plan{}, err
	}
	return control.PlanOf(a.plan)
}

// Execute applies what Plan computed. The first step that fails ends it.
func (a *Adoption) Execute(ctx context.Context) error {
	execute := a.node.Execute
	if a.opts.Reverse {
		execute = a.node.ExecuteReverse
	}
	res := execute(ctx, a.plan, a.journal)
	return errors.Join(append(res.Failed(a.plan), res.JournalErr)...)
}
