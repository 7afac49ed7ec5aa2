package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

func (c *cli) reloadCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "reload", Short: "make the running controller read its configuration again", Args: cobra.NoArgs,
		Long: `reload checks the new configuration first and applies nothing of a bad one. What
changed is applied as a difference: sessions that did not change stay up. Keys
that only a restart can change are an error that names them. SIGHUP does the
same. The flags and variables that the controller was started with still count.

--dry-run prints what would be done, among it which sessions would be ended, and
does nothing; what neighbours announce in a range that is new in learn.accept is
not known then. Exit status: 0 nothing to do, 2 differences, 1 error.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.loadConfig()
			if err != nil {
				return err
			}
			method := http.MethodPost
			if dryRun {
				method = http.MethodGet
			}
			ans, err := c.ask(cmd.Context(), cfg, method, "/v1/reload", nil)
			if err != nil {
				return err
			}
			return c.print(ans)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "print what would be done, and do nothing")
	return cmd
}

// reloaded is the answer of reload. Plan is what a dry run would lead to.
type reloaded struct {
	Version int        `json:"version"`
	Changed []string   `json:"changed"`
	Plan    *plan.Plan `json:"plan,omitempty"`
}

func (r reloaded) String() string {
	text := "nothing changed\n"
	if len(r.Changed) > 0 {
		text = "changed: " + strings.Join(r.Changed, ", ") + "\n"
	}
	if r.Plan != nil {
		text += r.Plan.String()
	}
	return text
}

func (a *app) answerReload(output string) (answer, error) {
	changed, err := a.reload()
	if err != nil {
		return answer{}, err
	}
	res := reloaded{Version: 1, Changed: changed}
	return answer{}.with(output, res.String(), res)
}

// answerReloadPreview is a reload without its effects.
func (a *app) answerReloadPreview(ctx context.Context, output string) (answer, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	n, err := a.reread()
	if err != nil {
		return answer{}, err
	}
	r, err := a.ctl.Preview(ctx, n.wishes)
	if err != nil {
		return answer{}, err
	}
	if r.ReadErr != nil {
		return answer{}, fmt.Errorf("part of reality cannot be read, and no plan is worth anything: %w", r.ReadErr)
	}
	res := reloaded{Version: 1, Changed: n.changed, Plan: &r.Plan}
	return answer{exit: differs(r.Plan)}.with(output, res.String(), res)
}

// reloadable are the keys that Reconfigure can change.
var reloadable = []string{
	"drivers", "reconcile_interval", "expose_tenant_networks", "expose_ipv6_gua_tenant_networks",
	"advertisement_method_tenant_networks", "address_scopes", "expose_port_forwardings", "expose_gateway_routers",
	"evpn_local_ip", "evpn_udp_dstport", "delete_vrf_on_disconnect", "evpn.table_offset", "evpn.vnis", "evpn.networks",
	"provider_unknown_mac_from_cidrs", "proxy_ndp_plain_ports", "proxy_ndp_addresses", "bgp.peers", "bgp.origin",
	"bgp.attributes", "bgp.export.allow", "bgp.export.deny", "bgp.graceful_restart.restart_time", "flows.priority",
	"advertise_loopback", "originate", "learn.accept", "learn.source4", "learn.source6", "learn.metric", "learn.max",
	"sysctls.manage", "fuse.share", "fuse.least", "fuse.hold", "log.level", "metrics.listen",
}

// next is a configuration that a reload can take up.
type next struct {
	cfg     *Config
	changed []string // keys
	wishes  reconcile.Wishes
}

// reread reads the configuration again. An error means that nothing of it can
// be taken up.
func (a *app) reread() (next, error) {
	cfg, err := a.load()
	if err != nil {
		return next{}, staysAsItIs(err)
	}
	n := next{cfg: cfg, changed: differingKeys(reflect.ValueOf(*a.current), reflect.ValueOf(*cfg), "")}
	var restart []string
	for _, key := range n.changed {
		if !slices.Contains(reloadable, key) {
			restart = append(restart, key)
		}
	}
	if cfg.followsEVPN() && !a.cfg.followsEVPN() {
		restart = append(restart, "bgp.peers to the first one with l2vpn-evpn")
	}
	if cfg.evpnRuns() != a.current.evpnRuns() {
		restart = append(restart, "drivers, by "+evpn.Name+" or without it")
	}
	if len(restart) > 0 {
		return next{}, staysAsItIs(fmt.Errorf("only a restart can change %s", strings.Join(restart, ", ")))
	}
	if n.wishes, err = cfg.wishes(); err != nil {
		return next{}, staysAsItIs(err)
	}
	return n, nil
}

func staysAsItIs(err error) error { return fmt.Errorf("the running configuration stays: %w", err) }

// reload takes up the configuration and returns the keys that changed.
func (a *app) reload() ([]string, error) {
	a.reloading.Lock()
	defer a.reloading.Unlock()
	n, err := a.reread()
	if err != nil {
		return nil, err
	}
	if slices.Contains(n.changed, "metrics.listen") { // the last thing that can fail
		l, err := a.metrics.open(n.cfg.Metrics.Listen)
		if err != nil {
			return nil, staysAsItIs(err)
		}
		a.metrics.serve(l)
	}
	level, _ := n.cfg.logLevel() // validated
	a.level.Set(level)
	if a.learned != nil {
		accept, _ := n.cfg.Learn.accept() // validated
		a.learned.Accept(accept)
	}
	a.current = n.cfg
	a.ctl.Reconfigure(n.wishes)
	a.log.Info("configuration reloaded", "changed", n.changed)
	return n.changed, nil
}

// differingKeys lists the keys of the file whose values differ.
func differingKeys(was, is reflect.Value, prefix string) []string {
	out := []string{}
	for i := range was.NumField() {
		key := prefix + was.Type().Field(i).Tag.Get("yaml")
		if was.Field(i).Kind() == reflect.Struct {
			out = append(out, differingKeys(was.Field(i), is.Field(i), key+".")...)
		} else if !reflect.DeepEqual(was.Field(i).Interface(), is.Field(i).Interface()) {
			out = append(out, key)
		}
	}
	return out
}

// reloadOnHangup reloads on SIGHUP, and tells systemd so.
func (a *app) reloadOnHangup(ctx context.Context, c *cli) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			notify(c, fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, monotonicMicroseconds()))
			if _, err := a.reload(); err != nil {
				a.log.Error("reload", "err", errors.New(oneLine(err)))
			}
			notify(c, daemon.SdNotifyReady)
		}
	}
}

// monotonicMicroseconds is CLOCK_MONOTONIC, which systemd wants with a reload.
func monotonicMicroseconds() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano()).Microseconds()
}
