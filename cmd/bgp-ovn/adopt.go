package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// adopting are the flags of adopt.
type adopting struct {
	dryRun    bool
	wait      time.Duration
	removeFRR bool
	nic, vrf  string
}

func (c *cli) adoptCommand() *cobra.Command {
	var k adopting
	cmd := &cobra.Command{
		Use: "adopt", Short: "take over a node from ovn-bgp-agent without losing a packet", Args: cobra.NoArgs,
		Long: `adopt takes over what ovn-bgp-agent has left in the kernel: what equals ours
becomes ours without being touched, routes get our protocol in place, one rule a
bridge replaces its rule for every address, and what nobody wants goes last.

Run it once, after the agent has been stopped and before bgp-ovn is started. It
announces nothing. If a step fails, nothing after it is tried; run it again.
Exit status: 0 done or nothing to do, 2 with --dry-run: something to do, 1 error.`,
		Example: "  bgp-ovn adopt --dry-run\n  bgp-ovn adopt",
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.adopt(cmd.Context(), k) },
	}
	cmd.Flags().BoolVar(&k.dryRun, "dry-run", false, "print what would be done, write nothing")
	cmd.Flags().DurationVar(&k.wait, "wait", time.Minute, "how long to wait for the databases")
	cmd.Flags().BoolVar(&k.removeFRR, "remove-frr-interfaces", false, "remove the dummy device and the VRF from which FRR announces; stop FRR first")
	cmd.Flags().StringVar(&k.nic, "bgp-nic", "bgp-nic", "the agent's option bgp_nic")
	cmd.Flags().StringVar(&k.vrf, "bgp-vrf", "bgp-vrf", "the agent's option bgp_vrf")
	return cmd
}

func (c *cli) adopt(ctx context.Context, k adopting) error {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}
	if _, err := c.ask(ctx, cfg, "GET", "/v1/status", nil); !errors.Is(err, errNoController) {
		return errors.New("a controller is running on this node: adopt comes before its first start; stop it")
	}
	mode := stateWrite
	if k.dryRun {
		mode = stateRead
	}
	a, err := live(ctx, cfg, c.logger(cfg), wiring{state: mode, dryRun: k.dryRun})
	if err != nil {
		return err
	}
	err = c.takeOver(ctx, a, k)
	return errors.Join(err, a.Close())
}

// takeOver plans, prints and, unless it is a dry run, does it.
func (c *cli) takeOver(ctx context.Context, a *app, k adopting) error {
	// Only waiting has a deadline: a take-over must not end half-way.
	limited, cancel := context.WithTimeout(ctx, k.wait)
	defer cancel()
	if err := a.waitSnapshot(limited); err != nil {
		return err
	}
	old, err := legacy.Open()
	if err != nil {
		return err
	}
	a.onClose(old.Close)
	p, err := a.planAdoption(ctx, old, k)
	if err != nil {
		fmt.Fprint(c.stderr, p.String())
		return err
	}
	ans := answer{exit: exitSame}
	if k.dryRun && !p.Empty() {
		ans.exit = exitDiffers
	}
	if ans, err = ans.with(c.output, p.String(), p); err != nil {
		return err
	}
	if err := c.print(ans); err != nil || k.dryRun || p.Empty() {
		return err
	}
	return a.executeAdoption(ctx, old, p)
}

// planAdoption reads everything and computes the plan.
func (a *app) planAdoption(ctx context.Context, old *legacy.Kernel, k adopting) (plan.Plan, error) {
	snap, err := a.join.Snapshot(ctx)
	if err != nil {
		return plan.Plan{}, err
	}
	if doubt := snap.Doubt(); doubt != "" {
		return plan.Plan{}, fmt.Errorf("what is wanted is in doubt, and nothing is taken over: %s", doubt)
	}
	wishes, err := a.cfg.wishes()
	if err != nil {
		return plan.Plan{}, err
	}
	res := desired.Compute(snap, nil, object.Set{}, wishes.Drivers...)
	ad := adoption{
		snap: snap, want: res.Want, ledger: plan.NoLedger{}, removeFRR: k.removeFRR,
		unmanaged: actual.Scope{OpenVSwitch: a.cfg.Flows.Manage}.Unmanaged(), keep: keepHeld(res.Skipped),
	}
	if a.db != nil {
		ad.ledger = a.db
	}
	for _, m := range snap.OVS.Mappings {
		ad.mapped = append(ad.mapped, m.Bridge)
	}
	if ad.have, _, err = a.reader.Read(ctx, actual.Focus{Want: res.Want, Complete: true}); err != nil {
		return plan.Plan{}, fmt.Errorf("part of reality cannot be read, and nothing is taken over: %w", err)
	}
	ad.findTables()
	scope := legacy.Scope{Bridges: ad.mapped, Tables: slices.Collect(maps.Keys(ad.ours)), Dummy: k.nic, VRF: k.vrf}
	if ad.old, err = old.Read(scope); err != nil {
		return plan.Plan{}, err
	}
	return adoptionPlan(ad)
}

// keepHeld keeps what nobody wants while a database row cannot be read: it might
// be what that row led to, and the predecessor did not record where things come
// from. Its rules and default routes come from no row, and without the rules
// what stays in the table is reached by ours.
func keepHeld(skipped []observe.Skip) func(object.Key, []object.Source) *object.Block {
	i := slices.IndexFunc(skipped, func(s observe.Skip) bool { return s.Hold && s.Table != tableLearned })
	if i < 0 {
		return nil
	}
	return func(k object.Key, _ []object.Source) *object.Block {
		if k.Kind == object.KindRule || k.Kind == object.KindRoute && k.Prefix.Bits() == 0 {
			return nil
		}
		return &object.Block{Code: object.BlockHeld, Text: "a row cannot be read, and this may come from it: " + skipped[i].String()}
	}
}

// tableLearned is where what neighbours announce comes from. Nobody is asked
// here, and nothing of the predecessor's comes from there.
const tableLearned = "Learned"

// executeAdoption performs the plan between two entries of the journal. The
// first failure ends it: each step makes the next one safe.
func (a *app) executeAdoption(ctx context.Context, old *legacy.Kernel, p plan.Plan) error {
	if err := a.db.Begin(p); err != nil {
		return err
	}
	began := time.Now()
	outcomes := make([]error, len(p.Ops))
	var failed error
	for start := 0; start < len(p.Ops); {
		end := start + 1
		for end < len(p.Ops) && sameStep(p.Ops[start], p.Ops[end]) {
			end++
		}
		if failed == nil {
			failed = a.adoptBatch(ctx, old, p.Ops[start:end], outcomes[start:end])
		} else {
			for i := start; i < end; i++ {
				outcomes[i] = errNotTried
			}
		}
		start = end
	}
	if err := a.db.End(p, outcomes, time.Since(began)); err != nil {
		return errors.Join(failed, err)
	}
	return failed
}

var errNotTried = errors.New("not tried: a step before it failed")

func sameStep(a, b plan.Op) bool {
	return a.Phase == b.Phase && a.Key().Kind == b.Key().Kind && (a.Note == noteTakenOver) == (b.Note == noteTakenOver)
}

// adoptBatch performs steps of one phase and kind and returns what went wrong.
func (a *app) adoptBatch(ctx context.Context, old *legacy.Kernel, ops []plan.Op, outcomes []error) error {
	var index []int
	var changes []object.Change
	for i, op := range ops {
		c := op.Change()
		l, isLink := c.After.(object.Link)
		switch {
		case legacy.Handles(c):
			outcomes[i] = old.Apply(c, a.cfg.marks().RouteProtocol)
			continue
		case op.Note == noteTakenOver && isLink:
			c.Before = l // the backend marks a link that it changes
		case op.Note == noteTakenOver:
			continue // its entry in the ledger is all
		}
		index, changes = append(index, i), append(changes, c)
	}
	if len(changes) > 0 {
		backend, ok := a.reader.Of(changes[0].Key().Kind)
		if !ok {
			return fmt.Errorf("no backend holds kind %s", changes[0].Key().Kind)
		}
		for n, err := range backend.Apply(ctx, changes) {
			outcomes[index[n]] = err
		}
	}
	var errs []error
	for i, err := range outcomes {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %s: %w", ops[i].Verb, ops[i].Key().Text(), err))
		}
	}
	return errors.Join(errs...)
}
