package sb_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// smallNetwork is a switch with a localnet and a VM on a chassis.
func smallNetwork() []any {
	return []any{
		insert("SB_Global", row{"options": pairs("mac_prefix", "f6:32:64")}),
		named("enc", "Encap", row{"type": "geneve", "ip": "172.31.0.1", "chassis_name": "hv1"}),
		named("hv1", "Chassis", row{"name": "hv1", "hostname": "hv1.lab", "encaps": ref("enc")}),
		named("dp", "Datapath_Binding", row{"tunnel_key": 1, "external_ids": pairs("name", "public")}),
		insert("Port_Binding", row{
			"logical_port": "provnet", "type": "localnet", "datapath": ref("dp"), "tunnel_key": 1, "tag": 101,
			"options": pairs("network_name", "physnet1"), "mac": "unknown",
		}),
		insert("Port_Binding", row{
			"logical_port": "vm", "datapath": ref("dp"), "tunnel_key": 2, "chassis": ref("hv1"), "up": true,
			"mac": "fa:16:3e:00:00:01 172.24.4.11 2001:db8::11", "external_ids": pairs("neutron:cidrs", "172.24.4.11/24"),
		}),
	}
}

func byPort(name string) []any { return []any{"logical_port", "==", name} }

func port(t *testing.T, have *observe.Southbound, name string) *observe.PortBinding {
	t.Helper()
	p, ok := have.Port(name)
	if !ok {
		t.Fatalf("no port %s", name)
	}
	return p
}

func TestFirstCopy(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(smallNetwork()...)
	s := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
	have := await(t, s, "the first copy", synced)

	vm, provnet := port(t, have, "vm"), port(t, have, "provnet")
	want := []netip.Prefix{netip.MustParsePrefix("172.24.4.11/32"), netip.MustParsePrefix("2001:db8::11/128")}
	if len(vm.Addresses) != 1 || !slices.Equal(vm.Addresses[0].Addrs, want) {
		t.Errorf("addresses of vm: %+v", vm.Addresses)
	}
	if provnet.Tag != 101 || !provnet.Unknown || provnet.Options["network_name"] != "physnet1" || provnet.Down {
		t.Errorf("provnet: %+v", provnet)
	}
	if have.ChassisName(vm.Chassis) != "hv1" || have.Datapaths[0].UUID != vm.Datapath {
		t.Errorf("references of vm: %+v", vm)
	}
	if have.Encaps[0].IP != netip.MustParseAddr("172.31.0.1") || have.Global["mac_prefix"] != "f6:32:64" {
		t.Errorf("encap %+v, options %v", have.Encaps[0], have.Global)
	}
	if len(have.Tables) != 12 {
		t.Errorf("tables: %v", have.Tables)
	}
	if st := s.Status(); !st.Synced || st.Remote != server.remote() || st.Method != "monitor_cond_since" ||
		st.Copies != 1 {
		t.Errorf("status: %+v", st)
	}
}

func TestOneTransactionIsOneStep(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(smallNetwork()...)
	s := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
	before := await(t, s, "the first copy", synced)

	// A chassis, its encap and the port that moves there appear together.
	server.transact(
		named("enc", "Encap", row{"type": "geneve", "ip": "172.31.0.2", "chassis_name": "hv2"}),
		named("hv2", "Chassis", row{"name": "hv2", "encaps": ref("enc")}),
		update("Port_Binding", byPort("vm"), row{"chassis": ref("hv2"), "up": false}),
	)
	after := await(t, s, "the move", func(sb *observe.Southbound) bool { return sb.Revision > before.Revision })
	vm := port(t, after, "vm")
	if after.ChassisName(vm.Chassis) != "hv2" || !vm.Down || len(after.Encaps) != 2 {
		t.Errorf("half a transaction: %+v", vm)
	}
	if after.Revision != before.Revision+1 {
		t.Errorf("revision %d after %d", after.Revision, before.Revision)
	}
	if port(t, after, "provnet") != port(t, before, "provnet") {
		t.Error("a row that did not change has another pointer")
	}
	if was := port(t, before, "vm"); was.Down || before.ChassisName(was.Chassis) != "hv1" {
		t.Errorf("the snapshot before changed: %+v", was)
	}
	server.transact(remove("Port_Binding", byPort("vm")...))
	await(t, s, "the deletion", func(sb *observe.Southbound) bool {
		_, ok := sb.Port("vm")
		return !ok
	})
}

func TestNothingIsPublishedForColumnsWeDoNotKeep(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(smallNetwork()...)
	s := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
	before := await(t, s, "the first copy", synced)
	server.transact(update("Chassis", []any{"name", "==", "hv1"}, row{"nb_cfg": 7}))
	server.transact(update("Port_Binding", byPort("vm"), row{"up": true}))
	server.transact(update("Port_Binding", byPort("vm"), row{"tunnel_key": 9}))
	after := await(t, s, "the last change", func(sb *observe.Southbound) bool {
		p, _ := sb.Port("vm")
		return p.TunnelKey == 9
	})
	if after.Revision != before.Revision+1 {
		t.Errorf("%d revisions for one change", after.Revision-before.Revision)
	}
	if n := s.Status().Transactions; n != 1 {
		t.Errorf("%d updates received", n)
	}
}

func TestHugeTransaction(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(smallNetwork()...)
	s := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
	before := await(t, s, "the first copy", synced)
	const many = 20_000
	operations := []any{named("big", "Datapath_Binding", row{"tunnel_key": 2})}
	for i := range many {
		operations = append(operations, insert("Port_Binding", row{
			"logical_port": fmt.Sprintf("p%05d", i), "datapath": ref("big"), "tunnel_key": i + 1,
			"mac": fmt.Sprintf("%s %s", mac(i), address(i)),
		}))
	}
	server.transact(operations...)
	after := await(t, s, "the transaction", func(sb *observe.Southbound) bool { return sb.Revision > before.Revision })
	if after.Ports.Len() != many+2 {
		t.Fatalf("%d ports after one update", after.Ports.Len())
	}
	server.transact(remove("Port_Binding", "logical_port", "!=", "vm"))
	last := await(t, s, "the deletion", func(sb *observe.Southbound) bool { return sb.Revision > after.Revision })
	if last.Ports.Len() != 1 {
		t.Errorf("%d ports left", last.Ports.Len())
	}
}

func TestKilledAndRestarted(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(smallNetwork()...)
	s := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
	before := await(t, s, "the first copy", synced)

	server.kill()
	stale := await(t, s, "the loss", func(sb *observe.Southbound) bool { return sb.Stale != "" })
	if stale.Ports.Len() != 2 || !strings.Contains(stale.Stale, server.socket) || stale.Revision != before.Revision {
		t.Errorf("%d ports, stale %q", stale.Ports.Len(), stale.Stale)
	}
	server.start()
	again := await(t, s, "the return", synced)
	if again.Revision != before.Revision {
		t.Errorf("revision %d after %d although nothing changed", again.Revision, before.Revision)
	}
	if st := s.Status(); st.Copies != 2 || st.Found != 0 {
		t.Errorf("a standalone database needs whole copies: %+v", st)
	}
	if port(t, again, "vm") != port(t, before, "vm") {
		t.Error("an equal row has another pointer")
	}

	// What changes while we are away is one step, and only that.
	server.kill()
	await(t, s, "the second loss", func(sb *observe.Southbound) bool { return sb.Stale != "" })
	other := startServer(t, shortDir(t), server.args...)
	other.transact(update("Port_Binding", byPort("vm"), row{"mac": "fa:16:3e:00:00:01 172.24.4.12"}),
		remove("Port_Binding", byPort("provnet")...))
	other.kill()
	server.start()
	last := await(t, s, "the changes", synced)
	if last.Ports.Len() != 1 || last.Ports.Slice()[0].Addresses[0].Addrs[0].Addr() != netip.MustParseAddr("172.24.4.12") {
		t.Errorf("%+v", last.Ports.Slice()[0])
	}
	if last.Revision != before.Revision+1 || last.Chassis[0] != before.Chassis[0] {
		t.Errorf("revision %d after %d", last.Revision, before.Revision)
	}
}

func TestNotSyncedSaysWhy(t *testing.T) {
	s := open(t, ovsdb.Config{Remotes: []string{"unix:/nowhere/sb.sock", "tcp:127.0.0.1:1"}})
	eventually(t, "both remotes refuse", func() bool { return len(s.Status().Errors) == 2 })
	_, err := s.Read(t.Context())
	if !errors.Is(err, observe.ErrNotSynced) || !strings.Contains(err.Error(), "unix:/nowhere/sb.sock: connect: ") ||
		!strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
}
