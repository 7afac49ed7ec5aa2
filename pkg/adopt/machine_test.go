package adopt

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/adopt/legacy"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// driver wants the lines of a plan, whatever the snapshot.
type driver struct {
	want  object.Set
	skips []observe.Skip
}

func (driver) Name() string { return "test" }

func (d driver) Desired(_ observe.Snapshot, out *object.Set) []observe.Skip {
	for _, it := range d.want.Sorted() {
		out.Put(it)
	}
	return d.skips
}

// machine is a node in memory that ovn-bgp-agent has run on, with a state file
// on disk.
type machine struct {
	t     *testing.T
	world *model.World
	path  string
	db    *state.DB
	req   Request
	// openVSwitch is flows.manage. Without it no backend has flows or ports.
	openVSwitch bool
	reader      *actual.Reader
}

// newMachine has the lines of a plan without a mark on them, and the values of the
// predecessor.
func newMachine(t *testing.T, want, have string, old ...object.Value) *machine {
	t.Helper()
	return withSwitch(t, true, want, have, old...)
}

func withSwitch(t *testing.T, openVSwitch bool, want, have string, old ...object.Value) *machine {
	t.Helper()
	m := &machine{t: t, path: filepath.Join(memory(t), "state.db"), openVSwitch: openVSwitch}
	unmanaged := actual.Scope{OpenVSwitch: openVSwitch}.Unmanaged()
	m.world = model.New(object.KindsThat(func(k object.Kind) bool { return !slices.Contains(unmanaged, k) })...)
	for _, it := range setOf(t, have).Sorted() {
		m.world.Set(false, it.Value)
	}
	m.world.Set(false, old...)
	m.req = Request{
		Snapshot: observe.Snapshot{
			Chassis: "node",
			SB:      &observe.Southbound{Chassis: []*observe.Chassis{{Name: "node"}}},
			OVS:     &observe.OpenVSwitch{Mappings: []observe.BridgeMapping{{Network: "physnet1", Bridge: "br-ex"}}},
		},
		Drivers: []desired.Driver{driver{want: setOf(t, want)}}, BGPNIC: "bgp-nic", BGPVRF: "bgp-vrf",
	}
	m.reader = readerOf(t, shown{m.world})
	m.start()
	t.Cleanup(func() { m.db.Close() })
	return m
}

func readerOf(t *testing.T, b actual.Backend) *actual.Reader {
	t.Helper()
	r, err := actual.NewReader(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// memory is a directory in memory where there is one: the state file is written
// hundreds of times, and bbolt waits for the disk each time.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bgp-ovn-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// start opens the state file as a new process does.
func (m *machine) start() {
	m.t.Helper()
	if m.db != nil {
		m.db.Close()
	}
	var err error
	if m.db, err = state.Open(m.path, time.Now); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) node() Node {
	return Node{
		Backends: m.reader, Predecessor: agent{m.world}, Ledger: m.db, RouteProtocol: 98, OpenVSwitch: m.openVSwitch,
	}
}

// settle takes over and demands that a second run has nothing to do.
func (m *machine) settle() {
	m.t.Helper()
	for range 2 {
		p, err := m.node().Plan(m.t.Context(), m.req)
		if err != nil {
			m.t.Fatal(err)
		}
		if p.Empty() {
			return
		}
		res := m.node().Execute(m.t.Context(), p, m.db)
		if err := errors.Join(append(res.Failed(p), res.JournalErr)...); err != nil {
			m.t.Fatal(err)
		}
	}
	if p, err := m.node().Plan(m.t.Context(), m.req); err != nil || !p.Empty() {
		m.t.Fatalf("a third run has something to do: %v\n%s", err, p)
	}
}

// String prints what there is and what the ledger has of kinds without a mark. Of
// the others it has provenance alone, which a crash may lose.
func (m *machine) String() string {
	var ledger []string
	for _, kind := range object.KindsThat(func(k object.Kind) bool { return !k.HasMark() }) {
		for _, k := range m.db.Keys(kind) {
			ledger = append(ledger, "ledger: "+k.Text())
		}
	}
	slices.Sort(ledger)
	return m.world.String() + strings.Join(ledger, "\n")
}

// shown is the world as backends show it: routes of others without their protocol,
// and no rules and devices of others.
type shown struct{ *model.World }

func (s shown) Read(ctx context.Context, f actual.Focus) (object.Set, error) {
	all, err := s.World.Read(ctx, f)
	var out object.Set
	for _, it := range all.Sorted() {
		switch v := it.Value.(type) {
		case legacy.Rule, legacy.Device:
			continue
		case legacy.Route:
			it.Value, it.Marked = v.Route, false
		case legacy.Learned:
			it.Value, it.Marked = v.Route, false
		case legacy.Released:
			it.Value, it.Marked = v.Link, false
		}
		out.Put(it)
	}
	return out, err
}

// agent is what the predecessor has left in the world.
type agent struct{ world *model.World }

func (a agent) Apply(c object.Change, _ uint8) error {
	c.Reclaim = true // it changes what the predecessor has, which bears no mark of ours
	return a.world.Apply(context.Background(), []object.Change{c})[0]
}

// Learned has the routes of FRR.
func (a agent) Learned() (out []legacy.Learned, err error) {
	if a.world == nil {
		return nil, nil
	}
	all, err := a.world.Read(context.Background(), actual.Focus{})
	for _, it := range all.SortedOf(object.KindRoute) {
		if l, ok := it.Value.(legacy.Learned); ok {
			out = append(out, l)
		}
	}
	return out, err
}

// Read has the routes of the tables in scope and of those that a rule leads to,
// the VLAN devices on bridges in scope, and FRR's devices.
func (a agent) Read(s legacy.Scope) (legacy.State, error) {
	all, err := a.world.Read(context.Background(), actual.Focus{})
	var out legacy.State
	tables := slices.Clone(s.Tables)
	for _, it := range all.Sorted() {
		switch v := it.Value.(type) {
		case legacy.Rule:
			out.Rules, tables = append(out.Rules, v), append(tables, v.Table)
		case legacy.Device:
			if v.Name == s.Dummy || v.Name == s.VRF {
				out.Devices = append(out.Devices, v)
			}
		case legacy.Released:
			out.VLANs = append(out.VLANs, legacy.VLAN{Link: v.Link, Addrs: addresses(all, v.Name)})
		case object.Link:
			if slices.Contains(s.Bridges, v.Parent) {
				vlan := legacy.VLAN{Link: v, Addrs: addresses(all, v.Name)}
				if it.Marked {
					vlan.Alias = "bgp-ovn"
				}
				out.VLANs = append(out.VLANs, vlan)
			}
		}
	}
	for _, it := range all.SortedOf(object.KindRoute) {
		switch v := it.Value.(type) {
		case legacy.Route:
			out.Routes = append(out.Routes, v)
		case object.Route:
			out.Routes = append(out.Routes, legacy.Route{Route: v, Protocol: 98})
		}
	}
	out.Routes = slices.DeleteFunc(out.Routes, func(r legacy.Route) bool { return !slices.Contains(tables, r.Table) })
	return out, err
}

func addresses(all object.Set, dev string) []netip.Prefix {
	var out []netip.Prefix
	for _, a := range object.Of[object.Address](all) {
		if a.Dev == dev {
			out = append(out, a.Prefix)
		}
	}
	return out
}
