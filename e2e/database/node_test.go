package database_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/state"
)

const (
	chassis = "hv1"
	network = "physnet1"
	bridge  = "br-ex"
	vms     = 20 // of each node at first
)

// node is a controller on a model of the world, behind our session with real servers.
type node struct {
	t     testing.TB
	src   *sb.Source
	world *model.World
	// withdrawn counts paths that were taken back, rounds those that were carried out.
	withdrawn, rounds atomic.Int64
	// write performs a transaction somewhere, and datapath is the provider network.
	write    func(operations ...any) []string
	datapath string
	bound    int // VMs so far
	// longest is the longest that it took to agree with the database after its return.
	longest time.Duration
}

// still is a source that never changes.
type still[T any] struct{ value *T }

func (s still[T]) Changed() <-chan struct{}         { return nil }
func (s still[T]) Read(context.Context) (*T, error) { return s.value, nil }

// start fills the database and runs a node that follows it by the remotes.
func start(t testing.TB, write func(...any) []string, cfg ovsdb.Config) *node {
	t.Helper()
	n := &node{t: t, world: model.New(), write: write}
	n.fill()
	cfg.Logger = slog.New(slog.DiscardHandler)
	var err error
	n.src, err = sb.Open(t.Context(), cfg)
	harness.Check(t, err)
	t.Cleanup(func() { n.src.Close() })
	n.world.Set(false, object.Device{Name: bridge, Up: true})
	n.world.StopOn(func(c object.Change) error {
		if c.After == nil && c.Key().Kind.IsPath() {
			n.withdrawn.Add(1)
		}
		return nil
	})
	reader, err := actual.NewReader(n.world)
	harness.Check(t, err)
	db, err := state.Open(filepath.Join(t.TempDir(), "state.db"), time.Now)
	harness.Check(t, err)
	mac := object.MAC{2, 0, 0, 0, 0, 1}
	ovs := &observe.OpenVSwitch{
		Revision: 1, SystemID: chassis,
		Mappings: []observe.BridgeMapping{{Position: 1, Network: network, Bridge: bridge}},
		Bridges: []observe.Bridge{{
			Name: bridge, MAC: mac, Patches: []observe.PatchPort{{Localnet: "provnet", Name: "patch-provnet", OFPort: 1}},
		}},
	}
	host := &observe.Host{Revision: 1, Links: []observe.Link{{Name: bridge, Index: 2, MAC: mac, Up: true, MTU: 1500}}}
	ctl := reconcile.New(reconcile.Config{
		Observer: &observe.Join{SB: n.src, OVS: still[observe.OpenVSwitch]{ovs}, Host: still[observe.Host]{host}},
		Drivers:  []desired.Driver{bgp.New(bgp.Config{Expose: expose.DefaultOptions(), TenantMethod: bgp.MethodHost})},
		Backends: reader, Journal: db, Fuse: reconcile.FuseConfig{Share: 0.5, Least: 3, Hold: time.Hour},
		OnRound: func(reconcile.Round) { n.rounds.Add(1) },
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ctl.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		db.Close()
	})
	n.agree(harness.Patience)
	return n
}

// fill writes the node with its VMs on a provider network.
func (n *node) fill() {
	n.t.Helper()
	n.bound = max(n.bound, vms)
	n.datapath = n.fillWith(n.write, n.bound)
}

// fillWith writes a node with that many VMs, and returns the provider network.
func (n *node) fillWith(write func(...any) []string, count int) (datapath string) {
	n.t.Helper()
	made := write(
		insert("SB_Global", row{"options": pairs("mac_prefix", "f6:32:64")}),
		named("enc", "Encap", row{"type": "geneve", "ip": "172.31.0.1", "chassis_name": chassis}),
		named("hv", "Chassis", row{"name": chassis, "hostname": chassis, "encaps": ref("enc")}),
		named("dp", "Datapath_Binding", row{"tunnel_key": 1, "external_ids": pairs("name", "public")}),
		insert("Port_Binding", row{
			"logical_port": "provnet", "type": "localnet", "datapath": ref("dp"), "tunnel_key": 1,
			"options": pairs("network_name", network), "mac": "unknown",
		}),
	)
	var operations []any
	for i := range count {
		operations = append(operations, vm(i, made[2], made[3]))
	}
	write(operations...)
	return made[3]
}

// empty deletes everything, as one transaction.
func (n *node) empty() {
	n.t.Helper()
	var operations []any
	for _, table := range []string{"Port_Binding", "Datapath_Binding", "Chassis", "Encap", "SB_Global"} {
		operations = append(operations, row{"op": "delete", "table": table, "where": []any{}})
	}
	n.write(operations...)
}

func vmName(i int) string { return fmt.Sprintf("vm%04d", i) }

func vmAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{172, 24, byte(i / 200), byte(10 + i%200)})
}

func vmMAC(i int) string { return fmt.Sprintf("fa:16:3e:00:%02x:%02x %s", i/256, i%256, vmAddr(i)) }

// vm is the row of a VM on the chassis and the datapath with these UUIDs.
func vm(i int, on, datapath string) any {
	return insert("Port_Binding", row{
		"logical_port": vmName(i), "datapath": []any{"uuid", datapath}, "tunnel_key": 10 + i,
		"chassis": []any{"uuid", on}, "up": true, "mac": vmMAC(i),
		"external_ids": pairs("neutron:cidrs", vmAddr(i).String()+"/16"),
	})
}

// bind adds a VM: only who follows the database can announce it.
func (n *node) bind() {
	n.t.Helper()
	have, err := n.src.Read(n.t.Context())
	harness.Check(n.t, err)
	c, ok := have.ChassisByName(chassis)
	if !ok {
		n.t.Fatal("the chassis is not there")
	}
	n.write(vm(n.bound, c.UUID.String(), n.datapath))
	n.bound++
}

// missing says which VM is not announced, or "".
func (n *node) missing() string {
	have, err := n.world.Read(n.t.Context(), actual.Focus{})
	if err != nil {
		return err.Error()
	}
	announced := map[netip.Prefix]bool{}
	for _, it := range have.SortedOf(object.KindPath) {
		announced[it.Value.Key().Prefix] = true
	}
	for i := range n.bound {
		if !announced[netip.PrefixFrom(vmAddr(i), 32)] {
			return vmName(i) + " is not announced"
		}
	}
	if rows, err := n.src.Read(n.t.Context()); err != nil || rows.Stale != "" {
		return fmt.Sprint("not in step: ", err, rows.Stale)
	}
	return ""
}

// agree waits until exactly what the database has is announced.
func (n *node) agree(limit time.Duration) {
	n.t.Helper()
	ctx, cancel := harness.WithTimeout(n.t.Context(), limit)
	defer cancel()
	harness.Check(n.t, harness.Await(ctx, "agreement with the database", func(context.Context) (bool, error) {
		why := n.missing()
		return why == "", wrapped(why)
	}))
}

func wrapped(why string) error {
	if why == "" {
		return nil
	}
	return fmt.Errorf("%s", why)
}

// sees waits until the rows that the node has satisfy a condition and a round has been
// carried out on them.
func (n *node) sees(what string, holds func(*observe.Southbound) bool) {
	n.t.Helper()
	until(n.t, what, func() bool {
		rows, err := n.src.Read(n.t.Context())
		return err == nil && holds(rows)
	})
	before := n.rounds.Load()
	until(n.t, "rounds on it", func() bool {
		n.world.Poke()
		return n.rounds.Load() >= before+2
	})
}
