package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// patience bounds every wait; what is waited for takes milliseconds, or a
// second where BGP connects.
const patience = 25 * time.Second

// tell tells the whole story. The error names the chapter whose claim failed.
func tell(ctx context.Context, n *narrator, dir, bin string) (err error) {
	w := &world{narrator: n, dir: dir, bin: bin}
	defer func() { err = errors.Join(err, w.close()) }()
	fmt.Fprintln(n.w, n.paint("1", "bgp-ovn: from a row in OVN's database to a route in the router"))
	for _, chapter := range []struct {
		title string
		tell  func(context.Context) error
	}{
		{"Two nodes and a router", w.beginning},
		{"A VM appears", w.appears},
		{"A floating IP moves to a VM on another node", w.moves},
		{"Somebody deletes a route", w.repairs},
		{"kill -9", w.survives},
		{"Everything is removed", w.ends},
	} {
		n.chapter(chapter.title)
		if err := chapter.tell(ctx); err != nil {
			return fmt.Errorf("%s: %w\n%s", n.title, err, w.logs())
		}
	}
	fmt.Fprintf(n.w, "\ndone in %s; every line above was checked\n", short(time.Since(n.began)))
	return nil
}

func (w *world) beginning(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	began := time.Now()
	if err := w.build(ctx); err != nil {
		return err
	}
	w.say("made in %s %s:", short(time.Since(began)), whoAmI())
	w.say("network namespaces for cmp-1, cmp-2 and three guests; a Southbound and two Open_vSwitch")
	w.say("databases in this process (libovsdb); a top of rack: GoBGP and this namespace's routes.")
	w.say("No OVS here: flows are not managed (flows: {manage: false}) and not faked.")
	if err := w.foresees(ctx); err != nil {
		return err
	}
	began = time.Now()
	for _, n := range w.nodes {
		if err := n.start(ctx); err != nil {
			return err
		}
	}
	for _, n := range w.nodes {
		if err := w.router.waitSession(ctx, n.addr, true); err != nil {
			return err
		}
	}
	w.say("bgp-ovn runs on both nodes; their BGP sessions with the router are up after %s", short(time.Since(began)))
	status, err := w.nodes[0].healthy(ctx)
	w.quote("status", status)
	return err
}

// foresees shows a plan before there is a controller, and that it wrote nothing.
func (w *world) foresees(ctx context.Context) error {
	plan, err := w.nodes[0].CLI(ctx, 2, "plan")
	if err != nil {
		return err
	}
	if !strings.Contains(plan, "unmanaged") {
		return fmt.Errorf("the plan does not say that flows are not managed:\n%s", plan)
	}
	w.say("What would it do on cmp-1? (Nothing is written; checked against the kernel.)")
	w.quote("plan", plan)
	after, err := w.nodes[0].picture()
	if err == nil && after != w.bare[0] {
		err = fmt.Errorf("plan changed the kernel:\n%s", differences(w.bare[0], after))
	}
	return err
}

func (w *world) appears(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	began := time.Now()
	if err := w.sb.bind(ctx, w.web, w.sb.public, w.web.addr.String()); err != nil {
		return err
	}
	got, err := w.router.waitRoute(ctx, w.web.addr, w.web.node.addr)
	if err != nil {
		return err
	}
	w.say("port of VM web bound on cmp-1 -> %s via %s selected by the router: %s, in its kernel: %s",
		w.web.addr, got.via, short(got.learnt.Sub(began)), short(got.forwarded.Sub(began)))
	if err := w.reaches(ctx, w.web); err != nil {
		return err
	}
	text, err := w.nodes[0].CLI(ctx, 0, "explain", w.web.addr.String())
	w.quote("explain "+w.web.addr.String(), text)
	return err
}

// reaches sends a datagram from the router and demands that this guest answers.
func (w *world) reaches(ctx context.Context, g *guest) error {
	who, took, tries, err := exchange(ctx, g.addr)
	if err != nil {
		return err
	}
	if who != g.name {
		return fmt.Errorf("%s is answered by %q, want %s", g.addr, who, g.name)
	}
	again := ""
	if tries > 1 {
		again = fmt.Sprintf(" at the %d. try", tries)
	}
	w.say("a datagram from the router to %s is answered by %s in %s%s", g.addr, who, short(took), again)
	return nil
}

func (w *world) moves(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if err := errors.Join(w.sb.bind(ctx, w.blueA, w.sb.tenant, "10.0.0.5"),
		w.sb.bind(ctx, w.blueB, w.sb.tenant, "10.0.0.6")); err != nil {
		return err
	}
	w.say("VMs blue-a (cmp-1) and blue-b (cmp-2) on a tenant network; nothing translates here, so the")
	w.say("guests hold the floating IP themselves, where OVN's NAT would lead to them.")
	for _, step := range []struct {
		what string
		to   *guest
	}{{"given to", w.blueA}, {"moved to", w.blueB}} {
		began := time.Now()
		if err := w.sb.float(ctx, step.to); err != nil {
			return err
		}
		got, err := w.router.waitRoute(ctx, step.to.addr, step.to.node.addr)
		if err != nil {
			return err
		}
		w.say("%s %s %s -> the router sends it to %s after %s", step.to.addr, step.what, step.to.name, step.to.node.name,
			short(got.forwarded.Sub(began)))
		if err := w.reaches(ctx, step.to); err != nil {
			return err
		}
	}
	text, err := w.nodes[0].CLI(ctx, 2, "explain", w.blueB.addr.String())
	w.say("cmp-1 knows why it no longer announces it:")
	w.quote("explain "+w.blueB.addr.String(), text)
	return err
}

func (w *world) survives(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	n := w.nodes[0]
	have, lost := w.router.counts()
	traffic, err := newStream(w.web.addr, 2*time.Millisecond)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := n.end(ctx, syscall.SIGKILL); err != nil {
		return err
	}
	if err := w.router.waitSession(ctx, n.addr, false); err != nil {
		return err
	}
	stale, err := w.router.stale()
	if err != nil {
		return err
	}
	w.say("kill -9 of cmp-1's controller; the router saw the session end and keeps its %d route as stale", stale)
	if err := n.start(ctx); err != nil {
		return err
	}
	if err := w.router.waitSession(ctx, n.addr, true); err != nil {
		return err
	}
	up := time.Since(began)
	if err := await(ctx, func() (bool, error) {
		stale, err := w.router.stale()
		return stale == 0, err
	}); err != nil {
		return fmt.Errorf("stale routes are not refreshed: %w", err)
	}
	w.say("started again: session up %s after the kill, routes refreshed after %s", short(up), short(time.Since(began)))
	w.say("(GoBGP, the router here, turns a neighbour away for 5 s after a session ended)")
	if _, err := n.healthy(ctx); err != nil {
		return err
	}
	sent, missing := traffic.stop(ctx)
	haveNow, lostNow := w.router.counts()
	if haveNow != have || lostNow != lost || missing != 0 {
		return fmt.Errorf("routes %d -> %d, withdrawn meanwhile %d, lost datagrams %d of %d", have, haveNow, lostNow-lost,
			missing, sent)
	}
	w.say("meanwhile: 0 of %d routes withdrawn, 0 of %d datagrams to web lost", have, sent)
	return w.idle(ctx, n)
}

// idle shows that a converged node has nothing to do.
func (w *world) idle(ctx context.Context, n *node) error {
	plan, err := n.CLI(ctx, 0, "plan")
	w.quote("plan", plan)
	return err
}

func (w *world) ends(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	began := time.Now()
	if err := w.sb.float(ctx, nil); err != nil {
		return err
	}
	for _, g := range w.guests {
		if err := w.sb.unbind(ctx, g); err != nil {
			return err
		}
	}
	for _, g := range w.guests {
		if _, err := w.router.waitRoute(ctx, g.addr, netip.Addr{}); err != nil {
			return err
		}
	}
	w.say("the VMs are deleted -> the router has no route left after %s", short(time.Since(began)))
	for i, n := range w.nodes {
		if err := n.end(ctx, syscall.SIGTERM); err != nil {
			return err
		}
		text, err := n.CLI(ctx, 0, "cleanup")
		if err != nil {
			return err
		}
		if i == 0 {
			w.say("the controllers are told to end (SIGTERM); then, on either node:")
			w.quote("cleanup", text)
		}
	}
	return w.untouched()
}

// untouched demands that the nodes are as they were before, but for what
// somebody else has put there.
func (w *world) untouched() error {
	if err := w.nodes[0].forget(); err != nil {
		return fmt.Errorf("the foreign route did not survive: %w", err)
	}
	for i, n := range w.nodes {
		after, err := n.picture()
		if err != nil {
			return err
		}
		if after != w.bare[i] {
			return fmt.Errorf("%s is not as it was before:\n%s", n.name, differences(w.bare[i], after))
		}
	}
	w.say("both nodes' routes, rules, addresses, links and %d settings are as they were before,",
		strings.Count(w.bare[0], "setting "))
	w.say("and the foreign route was still there")
	return nil
}

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing for %s", patience))
}
