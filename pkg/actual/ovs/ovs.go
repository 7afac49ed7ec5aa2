// Package ovs is the backend for OpenFlow entries of Open vSwitch.
//
// An entry is ours if its cookie is one of the configured ones; what carries
// another cookie is never changed or deleted, not even under a key that we
// want. Match and actions of a wanted object.Flow must be written in the form
// in which the switch prints them; parse.go describes it.
//
// It refuses to create bridges and ports and to know why an entry is wanted.
//
// Read next: read.go, apply.go, then bridge.go for what is remembered of a
// bridge and how it is noticed that others changed it.
package ovs

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// DefaultGrace is that of Config.
const DefaultGrace = 3 * time.Second

// Config is how Open vSwitch is reached and what in it is ours.
type Config struct {
	// RunDir holds the management sockets of the bridges. Empty means
	// $OVS_RUNDIR, and openflow.DefaultRunDir without that.
	RunDir string
	// Ofctl is ovs-ofctl, looked up in $PATH unless it has a slash.
	Ofctl string
	// Cookies mark what is ours.
	Cookies []uint64
	// Timeout bounds every run of ovs-ofctl, except the monitors.
	Timeout time.Duration
	// Grace is how long a bridge must be missing while ovs-vswitchd runs before
	// that means that it was deleted. For a moment of every restart of
	// ovs-vswitchd it is missing, too.
	Grace time.Duration
	// Logger receives what happens to the monitors; nil discards it.
	Logger *slog.Logger
}

// Backend implements actual.Backend for object.KindFlow.
type Backend struct {
	tool    openflow.Tool
	cookies []uint64
	grace   time.Duration
	log     *slog.Logger
	changed chan struct{}

	ctx      context.Context // ends with Close: the life of the monitors
	stop     context.CancelFunc
	monitors sync.WaitGroup

	bridges map[string]*bridge // those that were in focus last
	set     object.Set         // what Read returned last
}

var _ actual.Backend = (*Backend)(nil)

// New checks the configuration. It does not need Open vSwitch to run, nor to be installed
// yet: until then nothing can be read.
func New(cfg Config) (*Backend, error) {
	if len(cfg.Cookies) == 0 {
		return nil, fmt.Errorf("no cookie is configured; flows of this agent cannot be recognised without one")
	}
	if slices.Contains(cfg.Cookies, 0) {
		return nil, fmt.Errorf("cookie 0 cannot mark flows of this agent: every flow has it by default")
	}
	tool, err := openflow.New(cfg.Ofctl, cfg.RunDir, cfg.Timeout)
	if err != nil {
		return nil, err
	}
	if cfg.Grace <= 0 {
		cfg.Grace = DefaultGrace
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Backend{
		tool:    tool,
		cookies: slices.Clone(cfg.Cookies),
		grace:   cfg.Grace,
		log:     cfg.Logger,
		changed: make(chan struct{}, 1),
		bridges: make(map[string]*bridge),
	}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b, nil
}

// Name is "ovs".
func (b *Backend) Name() string { return "ovs" }

// Kinds is flows alone.
func (b *Backend) Kinds() []object.Kind { return []object.Kind{object.KindFlow} }

// Changed is signalled when others touched flows under our cookies or keys,
// when a bridge lost its flows and when one became reachable.
func (b *Backend) Changed() <-chan struct{} { return b.changed }

// Close ends the monitors. Flows stay.
func (b *Backend) Close() error {
	b.stop()
	b.monitors.Wait()
	return nil
}

func (b *Backend) signal() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// bridge returns what is remembered of a bridge and starts watching it when
// it is new.
func (b *Backend) bridge(name string) *bridge {
	if br := b.bridges[name]; br != nil {
		return br
	}
	ctx, stop := context.WithCancel(b.ctx)
	br := &bridge{
		name:    name,
		tool:    b.tool,
		cookies: b.cookies,
		grace:   b.grace,
		signal:  b.signal,
		stop:    stop,
		ready:   make(chan struct{}),
	}
	b.bridges[name] = br
	m := &openflow.Monitor{Tool: b.tool, Bridge: name, Log: b.log.With("bridge", name), Watcher: br}
	b.monitors.Go(func() { m.Run(ctx) })
	return br
}
