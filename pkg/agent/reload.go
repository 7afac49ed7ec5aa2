package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
)

// keyMetrics is the key whose change opens another listener.
const keyMetrics = "metrics.listen"

// Reload takes up the configuration as it is now; with dryRun it only says what
// that would lead to. A configuration that is not valid, or that only a restart
// can take up, is an error and changes nothing.
func (n *Node) Reload(ctx context.Context, dryRun bool) (control.Reload, error) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	out := control.Reload{Version: control.Version}
	s, changed, err := n.reread()
	if err != nil {
		return out, fmt.Errorf("the running configuration stays: %w", err)
	}
	out.Changed = changed
	if !dryRun {
		return out, n.takeUp(s, changed)
	}
	out.Plan, err = n.planFor(ctx, s)
	return out, err
}

// PlanWith says what the configuration as it is now would lead to with some keys set to
// other values. What only a restart takes up is named, and the plan is that after it.
func (n *Node) PlanWith(ctx context.Context, set []string) (control.Reload, error) {
	n.reloading.Lock()
	defer n.reloading.Unlock()
	out := control.Reload{Version: control.Version, Changed: []string{}}
	s, err := n.opts.Load(set...)
	if err != nil {
		return out, err
	}
	changed, restart := config.Changes(n.current, s)
	out.Changed, out.Restart = append(out.Changed, changed...), restart
	out.Plan, err = n.planFor(ctx, s)
	return out, err
}

// planFor is what settings would lead to.
func (n *Node) planFor(ctx context.Context, s config.Settings) (*control.Plan, error) {
	w, o := intent(s), own(s)
	w.Own = &o
	r, err := n.ctl.Preview(ctx, w)
	if err == nil && r.ReadErr != nil {
		err = unreadable(r.ReadErr)
	}
	if err != nil {
		return nil, err
	}
	p, err := planOf(r)
	return &p, err
}

// reread reads the configuration again. An error means that nothing of it can be
// taken up.
func (n *Node) reread() (config.Settings, []string, error) {
	s, err := n.opts.Load()
	if err != nil {
		return s, nil, err
	}
	changed, restart := config.Changes(n.current, s)
	if len(restart) > 0 {
		return s, nil, fmt.Errorf("only a restart can change %s", strings.Join(restart, ", "))
	}
	if s.FollowsEVPN() && !n.settings.FollowsEVPN() {
		return s, nil, errors.New("only a restart can change bgp.peers to the first one with l2vpn-evpn")
	}
	return s, changed, nil
}

// unloaded tells that the configuration is not as it was when it was read last: what an
// operator wrote there has no effect yet.
func (n *Node) unloaded(s *statusReport) {
	if n.opts.Load == nil || !n.reloading.TryLock() {
		return // it cannot be read again, or is being read
	}
	defer n.reloading.Unlock()
	now, err := n.opts.Load()
	if err != nil {
		s.problem("configuration-not-loaded", "the configuration is not valid any more, the running one stays: "+
			strings.Join(strings.Fields(err.Error()), " "), "mend it, then bgp-ovn reload --dry-run")
		return
	}
	changed, restart := config.Changes(n.current, now)
	switch {
	case len(restart) > 0:
		s.problem("configuration-not-loaded", "the configuration has changed since it was read, and only a restart can "+
			"take that up: "+strings.Join(restart, ", "), "systemctl restart bgp-ovn")
	case len(changed) > 0:
		s.problem("configuration-not-loaded", "the configuration has changed since it was read: "+
			strings.Join(changed, ", "), "bgp-ovn reload --dry-run, then bgp-ovn reload")
	}
}

// takeUp replaces the settings; whoever calls it holds reloading.
func (n *Node) takeUp(s config.Settings, changed []string) error {
	if slices.Contains(changed, keyMetrics) { // the only thing that can fail
		l, err := n.listener.open(s.MetricsListen)
		if err != nil {
			return fmt.Errorf("the running configuration stays: %w", err)
		}
		n.listener.want(s.MetricsListen)
		n.listener.serve(l)
		n.openings.forget(keyMetrics)
	}
	n.opts.Level.Set(s.Log.Level)
	n.learned.Accept(s.Learn.Accept)
	n.current, n.loaded = s, time.Now()
	n.metrics.Config(metrics.Config{Hash: hashOf(s), Loaded: n.loaded})
	n.sources.join.SetOwn(own(s))
	n.sources.unnumbered.Listen(s.BGP.Interfaces())
	n.ctl.Reconfigure(intent(s))
	n.elsewhere.forget()
	n.reach.setWithdraw(withdrawConfig(s))
	n.stations.set(s.BGP.BMP)
	n.outside.set(s.BGP.Verify)
	n.opts.Log.Info("configuration reloaded", "changed", changed)
	n.reportExposed(s)
	return nil
}

// reloadOnHangup reloads on SIGHUP, and tells systemd so.
func (n *Node) reloadOnHangup(ctx context.Context) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			notify(n.opts.Log, reloadingState())
			if _, err := n.Reload(ctx, false); err != nil {
				n.opts.Log.Error("configuration cannot be reloaded", "err", err)
			}
			notify(n.opts.Log, stateReady)
		}
	}
}
