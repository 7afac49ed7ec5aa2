package ovs

import (
	"path/filepath"
	"testing"

	"github.com/ovn-org/libovsdb/client"
	"github.com/ovn-org/libovsdb/database/inmemory"
	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"
	"github.com/ovn-org/libovsdb/server"

	"github.com/go-logr/logr"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// serve runs the in-process server of libovsdb, as a demonstration does.
func serve(t *testing.T) (endpoint string) {
	t.Helper()
	m := vswitch.Model()
	dbModel, errs := model.NewDatabaseModel(vswitch.Schema(), m)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	srv, err := server.NewOvsdbServer(inmemory.NewDatabase(map[string]model.ClientDBModel{vswitch.Database: m}), dbModel)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "s")
	go func() { _ = srv.Serve("unix", path) }()
	vswitchtest.Eventually(t, "the server is ready", srv.Ready)
	t.Cleanup(srv.Close)
	return "unix:" + path
}

func writer(t *testing.T, endpoint string) client.Client {
	t.Helper()
	log := logr.Discard()
	c, err := client.NewOVSDBClient(vswitch.Model(), client.WithEndpoint(endpoint), client.WithLogger(&log))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestInProcessServer(t *testing.T) {
	endpoint := serve(t)
	w := writer(t, endpoint)
	one, mac := 1, "02:00:00:00:00:01"
	rows := []model.Model{
		&vswitch.Root{UUID: "root", ExternalIDs: map[string]string{
			"system-id":           "demo",
			"ovn-bridge-mappings": "public:br-ex",
		}},
		&vswitch.Interface{UUID: "i1", Name: "br-ex", Type: "internal", MACInUse: &mac},
		&vswitch.Interface{UUID: "i2", Name: "patch", Type: "patch", OFPort: &one},
		&vswitch.Port{UUID: "p1", Name: "br-ex", Interfaces: []string{"i1"}},
		&vswitch.Port{
			UUID: "p2", Name: "patch", Interfaces: []string{"i2"},
			ExternalIDs: map[string]string{"ovn-localnet-port": "provnet-1"},
		},
		&vswitch.Bridge{UUID: "b", Name: "br-ex", Ports: []string{"p1", "p2"}},
	}
	ops, err := w.Create(rows...)
	if err != nil {
		t.Fatal(err)
	}
	reply, err := w.Transact(t.Context(), ops...)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ovsdb.CheckOperationResults(reply, ops); err != nil {
		t.Fatal(err)
	}
	// This server loses what is written while it answers a monitor request; a real one does not.
	s := open(t, Config{Endpoint: endpoint})
	o := await(t, s, "the rows are there", hasPatch("provnet-1", 1))
	if b, _ := o.Bridge("br-ex"); o.SystemID != "demo" || b.MAC.String() != mac || len(o.Mappings) != 1 {
		t.Errorf("got %+v", o)
	}

	seven := 7
	change := &vswitch.Interface{Name: "patch", OFPort: &seven}
	ops, err = w.WhereAny(change, model.Condition{
		Field: &change.Name, Function: ovsdb.ConditionEqual,
		Value: "patch",
	}).Update(change, &change.OFPort)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Transact(t.Context(), ops...); err != nil {
		t.Fatal(err)
	}
	await(t, s, "the number has changed", hasPatch("provnet-1", 7))
}

// Before "ovs-vsctl init" there is no row.
func TestNoRoot(t *testing.T) {
	s := open(t, Config{Endpoint: serve(t)})
	vswitchtest.Eventually(t, "the reason is given", func() bool {
		_, err := s.Read(t.Context())
		return err != nil && s.Status().Connected
	})
	if _, err := s.Read(t.Context()); err == nil {
		t.Error("got a state without a root row")
	}
}

// A reference into the void is half a transaction; what of it stays so is left
// out in the end.
func TestDangling(t *testing.T) {
	tb := vswitch.Tables{
		Root:    &vswitch.Root{},
		Bridges: map[string]*vswitch.Bridge{"b": {Name: "br-ex", Ports: []string{"gone", "p"}}},
		Ports: map[string]*vswitch.Port{"p": {
			Name: "patch", Interfaces: []string{"gone"},
			ExternalIDs: map[string]string{"ovn-localnet-port": "l"},
		}},
	}
	if !tb.Dangling() {
		t.Error("not seen")
	}
	o := build(tb, "")
	if b, _ := o.Bridge("br-ex"); len(b.Patches) != 1 || b.Patches[0] != (observe.PatchPort{
		Localnet: "l",
		Name:     "patch",
	}) {
		t.Errorf("got %+v", o)
	}
}

func TestReservedNumbers(t *testing.T) {
	for n, want := range map[int]uint16{-1: 0, 0: 0, 1: 1, 65279: 65279, 65280: 0, 65534: 0, 70000: 0} {
		if got := ofport(&vswitch.Interface{OFPort: &n}); got != want {
			t.Errorf("ofport %d: got %d, want %d", n, got, want)
		}
	}
}
