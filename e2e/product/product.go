// Package product runs bgp-ovn itself on the nodes of a lab.
package product

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// Agent is bgp-ovn on one chassis.
type Agent struct {
	*lab.Daemon
	Chassis *lab.Chassis
	// Always are further lines of every configuration that is written.
	Always []string
	// Beside are further drivers of [Agent.ConfigureEVPN].
	Beside []string

	bin, config string
}

// New prepares bgp-ovn on a chassis: a configuration with the tops of rack
// as the only peers, IPv4 over IPv4 and IPv6 over IPv6. extra are lines added to
// the configuration file.
func New(c *lab.Chassis, bin string, extra ...string) (*Agent, error) {
	a := &Agent{Chassis: c, bin: bin, config: filepath.Join(c.Dir, "bgp-ovn.yaml")}
	if err := a.Configure(nil, extra...); err != nil {
		return nil, err
	}
	a.Daemon = c.Daemon("bgp-ovn", func(ctx context.Context) (bool, error) {
		_, err := a.Status(ctx)
		return err == nil, nil
	}, bin, "run", "--config", a.config)
	return a, nil
}

// Configure writes the configuration file: peerKeys are added to each of the
// two peers, or four with a second top of rack, extra are further lines of the file.
func (a *Agent) Configure(peerKeys []string, extra ...string) error {
	c := a.Chassis
	lines := append(a.common(),
		`proxy_ndp_addresses: ["physnet1=2001:db8:4::1"]`,
		"bgp:",
		fmt.Sprintf("  as: %d", lab.ChassisAS),
		"  router_id: "+c.Loopback.String(),
		"  peers:",
	)
	for _, u := range c.Uplinks() {
		lines = append(lines, peer(u.TorAddr4.String(), "ipv4-unicast", peerKeys),
			peer(u.TorAddr6.String(), "ipv6-unicast", peerKeys))
	}
	return a.write(append(lines, extra...))
}

// common are the lines of every configuration on the lab.
func (a *Agent) common() []string {
	c := a.Chassis
	lines := []string{
		"state: " + filepath.Join(c.Dir, "state.db"),
		"socket: " + a.socket(),
		"ovsdb_connection: " + c.OVSSocket(),
		"ovs_rundir: " + c.OVSRunDir,
		"routing: {tables_files: []}",
		"startup_grace: 1s",
	}
	if scope := scopeOf(c); scope != "" {
		lines = append(lines, "ovn_sb_scope: "+scope)
	}
	return append(lines, a.Always...)
}

// scopeVariable sets ovn_sb_scope of all nodes. Without it the second one reads what
// concerns it and the others everything.
const scopeVariable = "E2E_SB_SCOPE"

func scopeOf(c *lab.Chassis) string {
	scope := os.Getenv(scopeVariable)
	if scope == "" && c.Index == 2 {
		return "local"
	}
	return scope
}

// Edit changes the text of the configuration file.
func (a *Agent) Edit(change func(string) string) error {
	text, err := os.ReadFile(a.config)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	if err := os.WriteFile(a.config, []byte(change(string(text))), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

func (a *Agent) write(lines []string) error {
	if OVN() != "" {
		lines = beside(lines)
	}
	if err := os.WriteFile(a.config, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// NewEVPN prepares bgp-ovn as New does, with the EVPN driver beside the other one
// and one session for everything, on which the top of rack passes on what the
// other chassis announce: they share an AS.
func NewEVPN(c *lab.Chassis, bin string, extra ...string) (*Agent, error) {
	a, err := New(c, bin)
	if err != nil {
		return nil, err
	}
	return a, a.ConfigureEVPN(extra...)
}

// ConfigureEVPN writes the configuration file of NewEVPN.
func (a *Agent) ConfigureEVPN(extra ...string) error {
	lines := append(a.common(),
		"drivers: ["+strings.Join(append([]string{"osp_ovn_bgp_driver", "osp_ovn_evpn_driver"}, a.Beside...), ", ")+"]",
		`proxy_ndp_addresses: ["physnet1=2001:db8:4::1", "physnet1:100=2001:db8:100::1"]`,
		"bgp:",
		fmt.Sprintf("  as: %d", lab.ChassisAS),
		"  router_id: "+a.Chassis.Loopback.String(),
		"  peers:",
		peer(a.Chassis.TorAddr4.String(), "ipv4-unicast, l2vpn-evpn", []string{"hold_time: 9", "allow_own_as: 1"}),
	)
	return a.write(append(lines, extra...))
}

func peer(addr, family string, keys []string) string {
	if keys == nil {
		keys = []string{"hold_time: 9"}
	}
	return fmt.Sprintf("  - {address: %q, as: %d, families: [%s], %s}", addr, lab.TorAS, family, strings.Join(keys, ", "))
}

// How the links of NewUnnumbered are watched: 10 s bear with a machine that has other work, and
// the other, put in its place by [Agent.Edit], finds a dead link in less than a second.
const (
	SlowBFD  = "bfd_interval: 1000, bfd_multiplier: 10"
	QuickBFD = "bfd_interval: 90, bfd_multiplier: 10"
)

// NewUnnumbered prepares bgp-ovn as New does, on a chassis whose cables have no addresses: it
// speaks to whoever is at the other end of the peer bridges, and BFD watches the links.
func NewUnnumbered(c *lab.Chassis, bin string, extra ...string) (*Agent, error) {
	a, err := New(c, bin)
	if err != nil {
		return nil, err
	}
	return a, a.ConfigureUnnumbered(extra...)
}

// ConfigureUnnumbered writes the configuration file of NewUnnumbered.
func (a *Agent) ConfigureUnnumbered(extra ...string) error {
	lines := append(a.common(),
		"advertise_loopback: true",
		"bgp:",
		fmt.Sprintf("  as: %d", lab.ChassisAS),
		"  router_id: "+a.Chassis.Loopback.String(),
		"  peers:",
		`  - {interface: "br-bgp-*", as: external, ttl_security: true, bfd: true, `+SlowBFD+"}",
	)
	return a.write(append(lines, extra...))
}

// SpeakerProcess prepares the speaker of the node as a process of its own (bgp.speaker).
func (a *Agent) SpeakerProcess(ready func(context.Context) (bool, error)) *lab.Daemon {
	return a.Chassis.Daemon("speaker", ready, a.bin, "speaker", "--config", a.config)
}

func (a *Agent) socket() string { return filepath.Join(a.Chassis.Dir, "control.sock") }

// Result is what a command printed and how it ended.
type Result struct {
	Out  string
	Err  string
	Exit int
}

// CLI runs a bgp-ovn command on the chassis with the agent's configuration.
func (a *Agent) CLI(ctx context.Context, args ...string) (Result, error) {
	cmd := a.Command(ctx, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Result{}, fmt.Errorf("bgp-ovn %s: %w", strings.Join(args, " "), err)
	}
	return Result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}, nil
}

// Command prepares a bgp-ovn command on the chassis.
func (a *Agent) Command(ctx context.Context, args ...string) *exec.Cmd {
	return a.Chassis.Command(ctx, a.bin, append(args, "--config", a.config)...)
}

// Client asks the running controller on its control socket, without a process
// for each question as [Agent.CLI] has it.
func (a *Agent) Client() *control.Client { return control.NewClient(a.socket()) }

// Status asks the running controller.
func (a *Agent) Status(ctx context.Context) (control.Status, error) { return a.Client().Status(ctx) }

// Settle waits until the running controller has nothing left to do. The error has
// its last plan and the end of its log.
func (a *Agent) Settle(ctx context.Context) error {
	var last control.Plan
	err := harness.Await(ctx, a.Chassis.Name+" to settle", func(ctx context.Context) (bool, error) {
		p, err := a.Client().Plan(ctx)
		if err == nil {
			last = p
		}
		return err == nil && !p.Differs(), err
	})
	if err == nil {
		return nil
	}
	text := new(strings.Builder)
	if printed := view.Plan(text, view.Text, last); printed != nil {
		return errors.Join(err, printed)
	}
	return fmt.Errorf("%w\n%s\n%s", err, text, a.Tail(20))
}

// Metrics are those of the running controller, as Prometheus text.
func (a *Agent) Metrics(ctx context.Context) (string, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", a.socket())
		},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://control/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("metrics of %s: %w", a.Chassis.Name, err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return string(text), err
}
