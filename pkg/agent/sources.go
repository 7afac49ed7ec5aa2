package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovsport"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/flows"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/nb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/unnumbered"
)

// sources are the databases and the kernel's devices, followed.
type sources struct {
	endpoint string // of Open_vSwitch, for messages
	wait     time.Duration
	log      *slog.Logger

	host *host.Source
	ovs  *ovs.Source
	// named is ovs too, and names the servers of databases of which the configuration
	// does not say where they are.
	named *namedRemotes
	// later says that these may become known later; otherwise they are waited for.
	later bool
	// databases are those of OVN that are followed.
	databases []database
	join      *observe.Join
	// kube and flows are nil unless a driver needs the Kubernetes API.
	kube  *kube.Source
	flows *flows.Source
	// unnumbered finds the neighbours on interfaces.
	unnumbered *unnumbered.Source
	// ports is the backend that shares the connection to Open_vSwitch; nil where no
	// port of Open vSwitch can be ours.
	ports *ovsport.Backend
}

// database is one of OVN's, as status and metrics show it.
type database struct {
	title  string // Southbound
	metric string // the label of the metric: southbound
	remote string // the external_id of Open_vSwitch that names it
	status func() ovsdb.Status
	// complaint is why the servers that Open_vSwitch names are not used; empty if they are.
	complaint func() string
	// endpoints are its servers as far as they are known.
	endpoints func() []ovsdb.Endpoint
}

// openSources starts to follow everything. What is opened is closed by c. With
// ports, the connection to Open_vSwitch is shared with the backend of its ports. What is
// left to the Open_vSwitch database is waited for, and with later it is not.
// ledger has what was recorded before.
func openSources(ctx context.Context, c *closing, s config.Settings, log *slog.Logger, ledger lastKnown,
	ports, later bool, wait time.Duration,
) (*sources, error) {
	src := &sources{endpoint: s.OpenVSwitch.Endpoint, wait: wait, log: log, later: later}
	var err error
	src.host, err = host.Open(ctx, host.Config{
		RtTablesPaths: s.Routing.Patterns(), RouteProtocol: s.Routing.RouteProtocol, Alias: marks(s).Alias,
		TableRange: [2]uint32{s.Routing.TableLow, s.Routing.TableHigh}, VTEP: s.VTEPDevice, Logger: log,
		TableProtocol: s.TableProtocol(),
	})
	if err != nil {
		return nil, fmt.Errorf("watch network devices: %w", err)
	}
	c.onClose(src.host.Close)
	conf := ovs.Config{Endpoint: s.OpenVSwitch.Endpoint, SystemID: s.Chassis, Timeout: s.OpenVSwitch.Timeout, Logger: log}
	if ports {
		src.ports = ovsport.New()
		conf.Others = append(conf.Others, src.ports.Follower())
	}
	if src.ovs, err = ovs.Open(ctx, conf); err != nil {
		return nil, fmt.Errorf("ovsdb_connection: %w", err)
	}
	c.onClose(src.ovs.Close)
	src.named = &namedRemotes{Source: src.ovs, log: log}
	southbound, err := src.openSouthbound(ctx, c, s, ledger)
	if err != nil {
		return nil, err
	}
	src.join = &observe.Join{SB: southbound, OVS: src.named, Host: src.host, Chassis: s.Chassis}
	src.join.SetOwn(own(s))
	src.join.Endpoints = src.endpoints
	if s.Kube.Used {
		if err := src.openKube(ctx, c, s, ledger); err != nil {
			return nil, err
		}
	}
	if s.UseNorthbound {
		return src, src.openNorthbound(ctx, c, s)
	}
	return src, nil
}

// openUnnumbered looks for the neighbours on interfaces, also where there are none yet,
// because a reload can change that. What is quiet does not advertise this node.
func openUnnumbered(c *closing, s config.Settings, log *slog.Logger, quiet bool) (*unnumbered.Source, error) {
	source, err := unnumbered.Open(unnumbered.Config{Interfaces: s.BGP.Interfaces(), Quiet: quiet, Logger: log})
	if err != nil {
		return nil, err
	}
	c.onClose(source.Close)
	return source, nil
}

// own is what the settings tell of what the node itself lives on.
func own(s config.Settings) observe.Own {
	o := observe.Own{
		Protect: s.Protect, Southbound: s.Southbound.Remotes, Northbound: s.Northbound.Remotes,
		OpenVSwitch: s.OpenVSwitch.Endpoint, Peers: s.BGP.PeerAddrs(),
	}
	for _, r := range s.Learn.Accept {
		if r.Exact() {
			o.Accept = append(o.Accept, r.Prefix)
		}
	}
	return o
}

// endpoints are what is known of the servers of all databases.
func (src *sources) endpoints() []observe.Endpoint {
	var out []observe.Endpoint
	for _, d := range src.databases {
		for _, e := range d.endpoints() {
			out = append(out, observe.Endpoint(e))
		}
	}
	return append(out, src.kubeEndpoint()...)
}

// The external_ids of Open_vSwitch that name the databases of OVN.
const (
	remoteSouthbound = "ovn-remote"
	remoteNorthbound = "ovn-nb-remote"
)

func (src *sources) openSouthbound(
	ctx context.Context, c *closing, s config.Settings, ledger lastKnown,
) (*sb.Source, error) {
	named := func(v *observe.OpenVSwitch) []string { return v.Remotes }
	remotes, err := src.remotes(ctx, s.Southbound.Remotes, named)
	if err != nil {
		return nil, err
	}
	if len(remotes) == 0 && !src.later {
		return nil, errors.New("no Southbound database: set ovn_sb_connection (external_ids:ovn-remote of Open_vSwitch is " +
			"empty)")
	}
	source, err := src.followSouthbound(ctx, s, session(s, s.Southbound, remotes, src.log), ledger)
	if err != nil {
		return nil, fmt.Errorf("ovn_sb_connection: %w", err)
	}
	c.onClose(source.Close)
	db := database{"Southbound", "southbound", remoteSouthbound, source.Status, nil, source.Endpoints}
	src.follow(db, s.Southbound, named, source.Retarget)
	return source, nil
}

// lastKnown is the part of a journal that tells what was announced last, and has its notes.
type lastKnown interface {
	memory
	LastKnown() object.Set
}

// followSouthbound follows all rows, or those that concern this node.
func (src *sources) followSouthbound(
	ctx context.Context, s config.Settings, conf ovsdb.Config, ledger lastKnown,
) (*sb.Source, error) {
	if !s.LocalScope {
		return sb.Open(ctx, conf)
	}
	source, err := sb.OpenLocal(ctx, conf, sb.Local{
		Chassis: func() string {
			if s.Chassis != "" {
				return s.Chassis
			}
			if v, err := src.ovs.Read(ctx); err == nil {
				return v.SystemID
			}
			return ""
		},
		Known: func() []string { return deciders(ledger) }, Logger: src.log,
	})
	if err == nil {
		src.named.renamed = source.Rescope
	}
	return source, err
}

// deciders are the ports that decided about what was announced last.
func deciders(ledger lastKnown) []string {
	var names []string
	for _, it := range ledger.LastKnown().All() {
		for _, src := range it.Why {
			if src.Decides && src.Table == "Port_Binding" {
				names = append(names, src.Row)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// openNorthbound follows the Northbound database too.
func (src *sources) openNorthbound(ctx context.Context, c *closing, s config.Settings) error {
	named := func(v *observe.OpenVSwitch) []string { return v.NBRemotes }
	remotes, err := src.remotes(ctx, s.Northbound.Remotes, named)
	if err != nil {
		return err
	}
	if len(remotes) == 0 && !src.later {
		return errors.New("require_snat_disabled_for_tenant_networks needs the Northbound database: set ovn_nb_connection " +
			"(external_ids:ovn-nb-remote of Open_vSwitch is empty), or turn the option off")
	}
	source, err := nb.Open(ctx, session(s, s.Northbound, remotes, src.log))
	if err != nil {
		return fmt.Errorf("ovn_nb_connection: %w", err)
	}
	c.onClose(source.Close)
	src.join.NB = source
	db := database{"Northbound", "northbound", remoteNorthbound, source.Status, nil, source.Endpoints}
	src.follow(db, s.Northbound, named, source.Retarget)
	return nil
}

// remotes are those that are configured, else those that the Open_vSwitch database
// names; none if these may become known later.
func (src *sources) remotes(ctx context.Context, configured []string,
	named func(*observe.OpenVSwitch) []string,
) ([]string, error) {
	if len(configured) > 0 || src.later {
		return configured, nil
	}
	v, err := src.waitOpenVSwitch(ctx)
	if err != nil {
		return nil, err
	}
	return named(v), nil
}

// follow makes a database known to status and metrics, and, where the configuration does
// not say where it is and that is not waited for, to what the Open_vSwitch database names.
func (src *sources) follow(d database, configured config.Database, named func(*observe.OpenVSwitch) []string,
	retarget func([]string, string) error,
) {
	d.complaint = func() string { return "" }
	if len(configured.Remotes) == 0 && src.later {
		nd := &namedDatabase{title: d.title, column: d.remote, named: named, retarget: retarget}
		src.named.add(nd)
		d.complaint = func() string { return src.named.complaint(nd) }
	}
	src.databases = append(src.databases, d)
}

// session is how both databases of OVN are followed.
func session(s config.Settings, d config.Database, remotes []string, log *slog.Logger) ovsdb.Config {
	probe, echo := s.ProbeInterval, s.ProbeInterval
	switch probe {
	case 0:
		probe, echo = -1, -1
	case ovsdb.DefaultProbe: // nobody has asked for another one
		echo = ovsdb.DefaultEcho
	}
	return ovsdb.Config{
		Remotes: remotes, Probe: probe, Echo: echo, Logger: log,
		TLS:     ovsdb.TLS{Key: d.Key, Cert: d.Certificate, CA: d.CA, Names: d.ServerNames},
		MaxSize: s.SizeLimit << 20, MaxSizeKey: "ovn_sb_size_limit",
	}
}

// pollInterval is how often a source is asked while it is waited for: what goes
// wrong with it is not signalled.
const pollInterval = time.Second

// waitOpenVSwitch waits until the Open_vSwitch database has been read, and logs
// once what it waits for.
func (src *sources) waitOpenVSwitch(ctx context.Context) (*observe.OpenVSwitch, error) {
	if src.wait > 0 {
		limited, cancel := context.WithTimeout(ctx, src.wait)
		defer cancel()
		ctx = limited
	}
	for logged := ""; ; {
		v, err := src.ovs.Read(ctx)
		if err == nil || !errors.Is(err, observe.ErrNotSynced) {
			return v, err
		}
		if err.Error() != logged {
			logged = err.Error()
			src.log.Info("waiting for the Open_vSwitch database", "at", src.endpoint, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("Open_vSwitch database at %s: %w; is ovsdb-server running, and is ovsdb_connection right?",
				src.endpoint, err)
		case <-src.ovs.Changed():
		case <-time.After(pollInterval):
		}
	}
}

// waitSnapshot waits until every source has been read once.
func (src *sources) waitSnapshot(ctx context.Context) error {
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	wake := make(chan struct{}, 1)
	for _, changed := range src.join.Changed() {
		go func() {
			for {
				select {
				case <-stop.Done():
					return
				case <-changed:
					select {
					case wake <- struct{}{}:
					default:
					}
				}
			}
		}()
	}
	for {
		_, err := src.join.Snapshot(ctx)
		if !errors.Is(err, observe.ErrNotSynced) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-wake:
		case <-time.After(pollInterval):
		}
	}
}

// refresh reads again what the kernel does not notify of.
func (src *sources) refresh(ctx context.Context) {
	if err := src.host.Refresh(ctx); err != nil {
		src.log.Warn("routing tables of others cannot be read; using what was read last", "err", err)
	}
}

// inspectTables finds out whether others use routing tables, and reports whether anything
// new was found.
func (src *sources) inspectTables(ctx context.Context, tables []uint32) bool {
	found, err := src.host.InspectTables(ctx, tables)
	if err != nil {
		src.log.Warn("cannot read whether routing tables are free; they are taken as free", "tables", tables, "err", err)
	}
	return found
}

// watchTables follows what others have in these tables, and reports whether that made anything new
// known.
func (src *sources) watchTables(ctx context.Context, tables []uint32) bool {
	changed, err := src.host.WatchTables(ctx, tables)
	if err != nil {
		src.log.Warn("cannot read routing tables of OVN's routers; what depends on them stays as it is", "tables", tables,
			"err", err)
	}
	return changed
}
