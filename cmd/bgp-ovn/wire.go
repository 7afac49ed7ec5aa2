package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovsport"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/nb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// app is a controller with everything real around it. This file is the only
// place where real sources, drivers and backends are made, with wireswitch.go for
// Open vSwitch.
type app struct {
	cfg  *Config
	log  *slog.Logger
	ctl  *reconcile.Controller
	join *observe.Join // nil on a snapshot file

	sb      *sb.Source
	nb      *nb.Source // nil unless the configuration needs it
	ovs     *ovs.Source
	host    *host.Source
	kernel  *kernel.Backend
	ports   *ovsport.Backend // nil where no port of Open vSwitch can be ours
	speaker *bgp.Backend     // nil without one
	db      *state.DB        // nil without one

	reader  *actual.Reader
	learned *rib.Source    // nil without a speaker
	metrics *metricsServer // nil where there is no reload
	level   *slog.LevelVar // of log; nil where there is no reload
	// load reads the configuration again; nil where there is no reload.
	load func() (*Config, error)
	// current is the configuration after the last reload. What other goroutines
	// read stands in cfg, which no reload can change.
	current   *Config
	reloading sync.Mutex
	// closers are called in reverse order.
	closers []func() error
}

// wiring says what a command needs.
type wiring struct {
	speaker bool      // a BGP speaker; otherwise paths exist in a model only
	attach  bool      // with a speaker in another process: take it as it is
	state   stateMode // how the state file is used
	dryRun  bool      // never write
	onRound func(*app, reconcile.Round)
	peers   func(*app, bgp.PeerEvent)
}

type stateMode uint8

const (
	stateNone  stateMode = iota // remember nothing
	stateRead                   // read what a controller has recorded, if nobody holds the file
	stateWrite                  // take the lock
)

func (c *cli) logger(cfg *Config) *slog.Logger {
	level, _ := cfg.logLevel() // validated
	c.level.Set(level)
	opts := &slog.HandlerOptions{Level: &c.level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(c.stderr, opts))
	}
	return slog.New(slog.NewTextHandler(c.stderr, opts))
}

// live builds an app on the real databases, kernel and Open vSwitch. It waits
// for the Open_vSwitch database as far as the configuration leaves things to
// it.
func live(ctx context.Context, cfg *Config, log *slog.Logger, w wiring) (*app, error) {
	a := &app{cfg: cfg, log: log}
	if err := a.build(ctx, w); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *app) build(ctx context.Context, w wiring) error {
	if err := a.openState(w.state); err != nil {
		return err
	}
	if err := a.openSources(ctx); err != nil {
		return err
	}
	backends, err := a.backends(ctx, w)
	if err != nil {
		return err
	}
	if err := a.openLearned(); err != nil {
		return err
	}
	return a.control(a.join, backends, w)
}

// Close releases everything, newest first. What was applied stays.
func (a *app) Close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) openState(mode stateMode) error {
	var err error
	switch mode {
	case stateWrite:
		a.db, err = state.Open(a.cfg.State, time.Now)
	case stateRead:
		a.db, err = state.OpenReadOnly(a.cfg.State, time.Now)
		if errors.Is(err, os.ErrNotExist) {
			return nil
		}
		if err != nil {
			a.log.Warn("going on without the state file: what carries no mark counts as somebody else's", "err", err)
			a.db = nil
			return nil
		}
	default:
		return nil
	}
	if err == nil {
		a.onClose(a.db.Close)
	}
	return err
}

// openSources starts the sources.
func (a *app) openSources(ctx context.Context) error {
	cfg := a.cfg
	low, high, _ := cfg.Routing.tableRange() // validated
	var err error
	a.host, err = host.Open(ctx, host.Config{
		RtTablesPaths: cfg.tablesFiles(), RouteProtocol: cfg.marks().RouteProtocol, Alias: cfg.marks().Alias,
		TableRange: [2]uint32{low, high}, VTEP: cfg.EVPNNIC, Logger: a.log,
	})
	if err != nil {
		return fmt.Errorf("watch network devices: %w", err)
	}
	a.onClose(a.host.Close)
	conf := ovs.Config{
		Endpoint: cfg.OVSDBConnection, SystemID: cfg.Chassis,
		Timeout: time.Duration(cfg.OVSDBConnectionTimeout) * time.Second, Logger: a.log,
	}
	if a.makesPorts() {
		a.ports = ovsport.New()
		conf.Others = append(conf.Others, a.ports.Follower())
	}
	a.ovs, err = ovs.Open(ctx, conf)
	if err != nil {
		return fmt.Errorf("ovsdb_connection: %w", err)
	}
	a.onClose(a.ovs.Close)
	if err := a.openSouthbound(ctx); err != nil {
		return err
	}
	a.join = &observe.Join{SB: a.sb, OVS: a.ovs, Host: a.host, Chassis: cfg.Chassis}
	if cfg.RequireSNATDisabled {
		return a.openNorthbound(ctx)
	}
	return nil
}

func (a *app) openSouthbound(ctx context.Context) error {
	cfg := a.cfg
	remotes, err := a.remotes(ctx, cfg.SBConnection, func(v *observe.OpenVSwitch) []string { return v.Remotes })
	if err != nil {
		return err
	}
	if len(remotes) == 0 {
		return errors.New("no Southbound database: set ovn_sb_connection (external_ids:ovn-remote of Open_vSwitch is empty)")
	}
	a.sb, err = sb.Open(ctx, a.session(remotes, ovsdb.TLS{Key: cfg.SBPrivateKey, Cert: cfg.SBCertificate, CA: cfg.SBCACert}))
	if err != nil {
		return fmt.Errorf("ovn_sb_connection: %w", err)
	}
	a.onClose(a.sb.Close)
	return nil
}

// openNorthbound follows the Northbound database too.
func (a *app) openNorthbound(ctx context.Context) error {
	cfg := a.cfg
	remotes, err := a.remotes(ctx, cfg.NBConnection, func(v *observe.OpenVSwitch) []string { return v.NBRemotes })
	if err != nil {
		return err
	}
	if len(remotes) == 0 {
		return errors.New("require_snat_disabled_for_tenant_networks needs the Northbound database: set ovn_nb_connection " +
			"(external_ids:ovn-nb-remote of Open_vSwitch is empty), or turn the option off")
	}
	a.nb, err = nb.Open(ctx, a.session(remotes, ovsdb.TLS{Key: cfg.NBPrivateKey, Cert: cfg.NBCertificate, CA: cfg.NBCACert}))
	if err != nil {
		return fmt.Errorf("ovn_nb_connection: %w", err)
	}
	a.onClose(a.nb.Close)
	a.join.NB = a.nb
	return nil
}

// remotes are those that are configured, else those that the Open_vSwitch
// database names.
func (a *app) remotes(ctx context.Context, configured string, named func(*observe.OpenVSwitch) []string) ([]string, error) {
	if list := splitList(configured); len(list) > 0 {
		return list, nil
	}
	vswitch, err := a.waitOVS(ctx)
	if err != nil {
		return nil, err
	}
	return named(vswitch), nil
}

// session is how both databases of OVN are followed.
func (a *app) session(remotes []string, tls ovsdb.TLS) ovsdb.Config {
	probe := time.Duration(a.cfg.SBProbe) * time.Second
	if probe == 0 {
		probe = -1
	}
	return ovsdb.Config{Remotes: remotes, TLS: tls, Probe: probe, Logger: a.log}
}

// waitOVS waits until the Open_vSwitch database has been read, saying once what
// it waits for.
func (a *app) waitOVS(ctx context.Context) (*observe.OpenVSwitch, error) {
	for said := ""; ; {
		v, err := a.ovs.Read(ctx)
		if err == nil {
			return v, nil
		}
		if !errors.Is(err, observe.ErrNotSynced) {
			return nil, err
		}
		if err.Error() != said {
			said = err.Error()
			a.log.Info("waiting for the Open_vSwitch database", "at", a.cfg.OVSDBConnection, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("Open_vSwitch database at %s: %w; is ovsdb-server running, and is ovsdb_connection right?", a.cfg.OVSDBConnection, err)
		case <-a.ovs.Changed():
		case <-time.After(time.Second):
		}
	}
}

// backends makes the kernel, Open vSwitch and speaker backends, or models of
// what this command has no use for.
func (a *app) backends(ctx context.Context, w wiring) ([]actual.Backend, error) {
	k, err := kernel.New(kernel.Config{Marks: a.cfg.marks(), Logger: a.log})
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	a.kernel = k
	a.onClose(k.Close)
	backends := []actual.Backend{k}
	more, err := a.switchBackends(ctx)
	if err != nil {
		return nil, err
	}
	backends = append(backends, more...)
	if !w.speaker {
		return append(backends, model.New(object.KindPath, object.KindEVPN, object.KindPeer)), nil
	}
	if a.speaker, err = a.openSpeaker(ctx, w); err != nil {
		return nil, err
	}
	a.onClose(a.speaker.Close)
	return append(backends, a.speaker), nil
}

func (a *app) openSpeaker(ctx context.Context, w wiring) (*bgp.Backend, error) {
	var encap []netip.Addr
	if a.cfg.BGP.RouterID == "" && !w.attach {
		v, err := a.waitOVS(ctx)
		if err != nil {
			return nil, err
		}
		encap = v.EncapIPs
	}
	id, err := a.cfg.routerID(encap)
	if err != nil && !w.attach {
		return nil, err
	}
	return a.newSpeaker(a.speakerConfig(id, w))
}

// control puts the controller on top.
func (a *app) control(obs reconcile.Observer, backends []actual.Backend, w wiring) error {
	var err error
	if a.reader, err = actual.NewReader(backends...); err != nil {
		return err
	}
	wishes, err := a.cfg.wishes()
	if err != nil {
		return err
	}
	conf := reconcile.Config{
		Observer: obs, Drivers: wishes.Drivers, Fixed: wishes.Fixed, Forbidden: wishes.Forbidden, Backends: a.reader, Journal: reconcile.NoJournal{},
		AuditInterval: wishes.AuditInterval, Fuse: wishes.Fuse, StartupGrace: a.cfg.StartupGrace,
		DryRun: w.dryRun, Log: a.log, Refresh: a.refresh, Look: a.look,
	}
	if a.db != nil {
		conf.Journal = a.db
	}
	conf.Unmanaged = actual.Scope{OpenVSwitch: a.cfg.Flows.Manage, Speaker: true}.Unmanaged()
	if w.onRound != nil {
		conf.OnRound = func(r reconcile.Round) { w.onRound(a, r) }
	}
	a.ctl = reconcile.New(conf)
	return nil
}

// wishes builds the part of a controller that a reload can replace.
func (c *Config) wishes() (reconcile.Wishes, error) {
	w := reconcile.Wishes{
		Fixed: c.peers(), Forbidden: c.forbidden(), AuditInterval: time.Duration(c.ReconcileInterval) * time.Second,
		Fuse: reconcile.FuseConfig{Share: c.Fuse.Share, Least: c.Fuse.Least, Hold: c.Fuse.Hold},
	}
	for _, name := range c.Drivers {
		d, err := drivers.New(name, c.driverConfig())
		if err != nil {
			return w, err
		}
		w.Drivers = append(w.Drivers, d)
	}
	if d, asked := drivers.Fabric(c.driverConfig()); asked {
		w.Drivers = append(w.Drivers, d) // last: a cloud's address wins over the same one here
	}
	return w, nil
}

// refresh re-reads facts that the kernel does not notify of.
func (a *app) refresh(ctx context.Context) {
	if a.host == nil {
		return
	}
	if err := a.host.Refresh(ctx); err != nil {
		a.log.Warn("routing tables of others cannot be read; going on with what was known", "err", err)
	}
}

// look finds out who has routing tables.
func (a *app) look(ctx context.Context, tables []uint32) bool {
	if a.host == nil {
		return false
	}
	found, err := a.host.Look(ctx, tables)
	if err != nil {
		a.log.Warn("cannot see whether routing tables are free; going on as if they were", "tables", tables, "err", err)
	}
	return found
}

// tablesFiles lists the files that name routing tables, each with its
// drop-in directory.
func (c *Config) tablesFiles() []string {
	var out []string
	for _, f := range c.Routing.TablesFiles {
		out = append(out, f, f+".d/*.conf")
	}
	return out
}

// fixed is an observer of one snapshot that never changes.
type fixed struct{ snap observe.Snapshot }

func (f fixed) Snapshot(context.Context) (observe.Snapshot, error) { return f.snap, nil }
func (f fixed) Changed() []<-chan struct{}                         { return nil }

// onFile builds an app on a snapshot from a file. With against "actual" it is
// compared with this node's kernel and Open vSwitch, with "model" with a node
// that has the bridges and nothing else.
func onFile(ctx context.Context, cfg *Config, log *slog.Logger, snap observe.Snapshot, against string) (*app, error) {
	a := &app{cfg: cfg, log: log}
	var backends []actual.Backend
	switch against {
	case "model":
		backends = []actual.Backend{freshNode(snap)}
	case "actual":
		var err error
		if backends, err = a.backends(ctx, wiring{}); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	default:
		return nil, fmt.Errorf("--against %q: use model or actual", against)
	}
	if err := a.control(fixed{snap}, backends, wiring{dryRun: true}); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

// freshNode is a model of a node that has the bridges of the snapshot, down,
// and nothing of ours.
func freshNode(snap observe.Snapshot) *model.World {
	w := model.New()
	for _, b := range snap.OVS.Bridges {
		w.Set(false, object.Device{Name: b.Name})
	}
	return w
}
