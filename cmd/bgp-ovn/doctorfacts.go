package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovs"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
	ovsdb "github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
)

// facts are what doctor examines. Each comes with the error that kept it from
// being known.
type facts struct {
	cfg *Config
	// running says that a controller answers on the socket.
	running bool

	trials   []kernel.Trial
	trialErr error
	// caps is the set of effective capabilities of this process, a bit each.
	caps    uint64
	capsErr error

	vswitch    *observe.OpenVSwitch
	vswitchErr error
	// ofctlErr says that there is no ovs-ofctl; answers is what each mapped
	// bridge answered to it.
	ofctlErr error
	answers  map[string]error

	// sysctls are values by path below /proc/sys; what does not exist is not in
	// it.
	sysctls map[string]string

	survey    host.Survey
	surveyErr error

	tcp, udp  []socketOwner
	socketErr error
}

// The settings that are examined.
var (
	sysctlForward4 = expose.Forwarding(false).Path
	sysctlForward6 = expose.Forwarding(true).Path
)

const (
	sysctlFilter = "net/ipv4/conf/all/rp_filter"
	sysctlStrict = "net/vrf/strict_mode"
)

func sysctlFilterOf(dev string) string { return "net/ipv4/conf/" + dev + "/rp_filter" }

func (c *cli) gatherFacts(ctx context.Context, cfg *Config) facts {
	f := facts{cfg: cfg, answers: map[string]error{}, sysctls: map[string]string{}}
	_, err := c.ask(ctx, cfg, http.MethodGet, "/v1/status", nil)
	f.running = err == nil
	f.trials, f.trialErr = kernel.TryLinks(ctx)
	f.caps, f.capsErr = effectiveCaps()
	f.gatherSwitch(ctx)
	f.survey, f.surveyErr = host.Take(ctx, cfg.marks().Alias, f.peers())
	// After the trial, which may have loaded the module that has the last of them.
	paths := []string{sysctlForward4, sysctlForward6, sysctlFilter, sysctlStrict}
	for _, w := range f.survey.Ways {
		paths = append(paths, sysctlFilterOf(w.Dev))
	}
	for _, path := range paths {
		if text, err := os.ReadFile(filepath.Join("/proc/sys", path)); err == nil {
			f.sysctls[path] = strings.TrimSpace(string(text))
		}
	}
	f.tcp, err = socketOwners("tcp", cfg.BGP.Listen.Port)
	f.socketErr = errors.Join(f.socketErr, err)
	f.udp, err = socketOwners("udp", cfg.EVPNPort)
	f.socketErr = errors.Join(f.socketErr, err)
	return f
}

// peers are the addresses of the neighbours.
func (f *facts) peers() []netip.Addr {
	var out []netip.Addr
	for _, p := range f.cfg.BGP.Peers {
		if a, err := netip.ParseAddr(p.Address); err == nil { // validated
			out = append(out, a)
		}
	}
	return out
}

// gatherSwitch reads the Open_vSwitch database once and asks each mapped bridge.
func (f *facts) gatherSwitch(ctx context.Context) {
	timeout := 5 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/2)
	}
	reading, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if f.vswitch, f.vswitchErr = readSwitch(reading, f.cfg, timeout); f.vswitchErr != nil || !f.cfg.Flows.Manage {
		return
	}
	flows, err := ovs.New(ovs.Config{RunDir: f.cfg.OVSRunDir, Cookies: f.cfg.marks().Cookies, Timeout: timeout})
	if err != nil {
		f.ofctlErr = err
		return
	}
	for _, m := range f.vswitch.Mappings {
		if _, asked := f.answers[m.Bridge]; !asked {
			f.answers[m.Bridge] = flows.Ask(ctx, m.Bridge)
		}
	}
	f.ofctlErr = flows.Close()
}

// readSwitch waits for the first state of the database.
func readSwitch(ctx context.Context, cfg *Config, timeout time.Duration) (_ *observe.OpenVSwitch, err error) {
	source, err := ovsdb.Open(ctx, ovsdb.Config{
		Endpoint: cfg.OVSDBConnection, SystemID: cfg.Chassis, Timeout: timeout, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	for {
		v, err := source.Read(ctx)
		if err == nil {
			return v, nil
		}
		if last := source.Status().LastError; last != nil {
			return nil, last // it would try again for ever
		}
		select {
		case <-source.Changed():
		case <-time.After(50 * time.Millisecond): // errors are not signalled
		case <-ctx.Done():
			return nil, err
		}
	}
}

// effectiveCaps reads the capabilities of this process.
func effectiveCaps() (uint64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read capabilities: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "CapEff:"); ok {
			return strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	return 0, errors.New("read capabilities: /proc/self/status does not have CapEff")
}
