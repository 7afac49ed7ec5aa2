package sb_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// cloud is a provider network with a VM on each of two nodes and many elsewhere, and a router
// with a tenant network behind it whose VMs are elsewhere.
func cloud(elsewhere int) []any {
	port := func(name, kind, datapath string, key int, more row) any {
		r := row{"logical_port": name, "type": kind, "datapath": ref(datapath), "tunnel_key": key}
		for k, v := range more {
			r[k] = v
		}
		return named("p_"+strings.ReplaceAll(name, "-", "_"), "Port_Binding", r)
	}
	ops := []any{
		named("e1", "Encap", row{"type": "geneve", "ip": "172.31.0.1", "chassis_name": "hv1"}),
		named("e2", "Encap", row{"type": "geneve", "ip": "172.31.0.2", "chassis_name": "hv2"}),
		named("hv1", "Chassis", row{"name": "hv1", "hostname": "hv1.lab", "encaps": ref("e1")}),
		named("hv2", "Chassis", row{"name": "hv2", "hostname": "hv2.lab", "encaps": ref("e2")}),
		named("pub", "Datapath_Binding", row{"tunnel_key": 1, "external_ids": pairs("name", "public")}),
		named("priv", "Datapath_Binding", row{"tunnel_key": 2, "external_ids": pairs("name", "private")}),
		named("rtr", "Datapath_Binding", row{"tunnel_key": 3, "external_ids": pairs("name", "router")}),
		port("provnet", "localnet", "pub", 1, row{"options": pairs("network_name", "physnet1"), "mac": "unknown"}),
		port("vm", "", "pub", 2, row{"chassis": ref("hv1"), "up": true, "mac": "fa:16:3e:00:00:01 172.24.4.11"}),
		port("vm2", "", "pub", 3, row{"chassis": ref("hv2"), "up": true, "mac": "fa:16:3e:00:00:02 172.24.4.12"}),
		port("pub-r", "patch", "pub", 4, row{"options": pairs("peer", "r-pub")}),
		port("r-pub", "patch", "rtr", 1, row{"options": pairs("peer", "pub-r", "chassis-redirect-port", "cr-r-pub")}),
		port("cr-r-pub", "chassisredirect", "rtr", 2, row{
			"chassis": ref("hv2"), "options": pairs("distributed-port", "r-pub"), "mac": "fa:16:3e:00:00:05 172.24.4.5/24",
		}),
		port("priv-r", "patch", "priv", 1, row{"options": pairs("peer", "r-priv")}),
		port("r-priv", "patch", "rtr", 3, row{"options": pairs("peer", "priv-r"), "mac": "fa:16:3e:00:00:06 10.0.0.1/24"}),
		port("vip", "", "priv", 9, row{"external_ids": pairs("neutron:port_name", "ovn-lb-vip-lb1")}),
		insert("SB_Global", row{}),
		insert("Load_Balancer", row{"name": "lb1", "datapaths": ref("priv"), "vips": pairs("10.0.0.9:80", "10.0.0.2:80")}),
	}
	for i := range elsewhere {
		datapath := "pub"
		if i%2 == 0 {
			datapath = "priv"
		}
		ops = append(ops, port(fmt.Sprintf("far%d", i), "", datapath, 100+i, row{"chassis": ref("hv2"), "up": true}))
	}
	return ops
}

// openLocal follows the rows that concern hv1.
func openLocal(t *testing.T, cfg ovsdb.Config, known ...string) *sb.Source {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	s, err := sb.OpenLocal(t.Context(), cfg, sb.Local{
		Chassis: func() string { return "hv1" }, Known: func() []string { return known }, Logger: cfg.Logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func names(rows *observe.Southbound) string {
	var out []string
	for p := range rows.Ports.All() {
		out = append(out, p.LogicalPort)
	}
	return strings.Join(out, " ")
}

const (
	links  = "cr-r-pub priv-r provnet pub-r r-priv r-pub"
	atRest = links + " vm"
)

// byChassis moves a port to a node, or with an empty name to none.
func byChassis(server *ovsdbServer, port, chassis string) {
	value := set()
	if chassis != "" {
		rows := server.transact(row{
			"op": "select", "table": "Chassis", "where": []any{[]any{"name", "==", chassis}}, "columns": []any{"_uuid"},
		})[0].Rows
		value = rows[0]["_uuid"]
	}
	server.transact(update("Port_Binding", byPort(port), row{"chassis": value}))
}

// A node that is no gateway reads the ports that lead from one network to another, and its
// own: those of others only after they were its own.
func TestLocalScope(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(cloud(40)...)
	s := openLocal(t, ovsdb.Config{Remotes: []string{server.remote()}})
	have := await(t, s, "the first copy", synced)
	if names(have) != atRest {
		t.Fatalf("first read: %s", names(have))
	}
	if have.Gone("far1") || have.Gone("vm") {
		t.Error("a port that was not asked for counts as deleted")
	}
	await(t, s, "vm to be asked for by name", func(rows *observe.Southbound) bool { return rows.Asked.Ports["vm"] })

	byChassis(server, "vm", "hv2")
	await(t, s, "the move", func(rows *observe.Southbound) bool {
		p, ok := rows.Port("vm")
		return ok && rows.ChassisName(p.Chassis) == "hv2"
	})
	byChassis(server, "vm", "")
	await(t, s, "vm to be bound to nobody", func(rows *observe.Southbound) bool {
		p, ok := rows.Port("vm")
		return ok && p.Chassis.IsZero()
	})
	server.transact(remove("Port_Binding", byPort("vm")...))
	await(t, s, "vm to be known to be deleted", func(rows *observe.Southbound) bool { return rows.Gone("vm") })
	byChassis(server, "vm2", "hv1")
	await(t, s, "vm2", hasPort("vm2"))
}

// A gateway that comes here brings the ports behind it along, wherever they are; when it
// goes they leave, and nothing else does.
func TestLocalScopeFollowsGateways(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(cloud(6)...)
	s := openLocal(t, ovsdb.Config{Remotes: []string{server.remote()}})
	await(t, s, "the first copy", synced)
	byChassis(server, "cr-r-pub", "hv1")
	have := await(t, s, "the ports behind the gateway", hasPort("far0"))
	if want := "cr-r-pub far0 far2 far4 priv-r provnet pub-r r-priv r-pub vip vm"; names(have) != want {
		t.Errorf("read %s, want %s", names(have), want)
	}
	// One that starts then has them in the first rows that it shows.
	late := openLocal(t, ovsdb.Config{Remotes: []string{server.remote()}})
	if first := await(t, late, "the first copy", synced); names(first) != names(have) {
		t.Errorf("the first rows are %s", names(first))
	}
	byChassis(server, "cr-r-pub", "hv2")
	have = await(t, s, "them to leave", func(rows *observe.Southbound) bool { return !hasPort("far0")(rows) })
	if names(have) != atRest {
		t.Errorf("read %s, want %s", names(have), atRest)
	}
	if have.Gone("far0") {
		t.Error("a port that left what is asked for counts as deleted")
	}
}

// A node that registers again has another UUID. Its ports stay in view all the time.
func TestLocalScopeThroughRegistration(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(cloud(6)...)
	s := openLocal(t, ovsdb.Config{Remotes: []string{server.remote()}})
	await(t, s, "vm to be asked for by name", func(rows *observe.Southbound) bool {
		return rows.Asked.Ports["vm"] && synced(rows)
	})
	missing := make(chan string, 1)
	ctx := t.Context()
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for {
			rows, err := s.Read(ctx)
			if _, ok := rows.Port("vm"); err == nil && !ok {
				missing <- names(rows)
				return
			}
			if p, ok := rows.Port("vm"); ok && !p.Chassis.IsZero() && rows.ChassisName(p.Chassis) == "hv1" && p.TunnelKey == 77 {
				return
			}
			select {
			case <-s.Changed():
			case <-ctx.Done():
				return
			}
		}
	}()
	server.transact(remove("Chassis", "name", "==", "hv1"))
	server.transact(
		named("e1", "Encap", row{"type": "geneve", "ip": "172.31.0.1", "chassis_name": "hv1"}),
		named("hv1", "Chassis", row{"name": "hv1", "hostname": "hv1.lab", "encaps": ref("e1")}),
	)
	byChassis(server, "vm", "hv1")
	server.transact(update("Port_Binding", byPort("vm"), row{"tunnel_key": 77}))
	<-watched
	select {
	case rows := <-missing:
		t.Errorf("vm left the rows: %s", rows)
	default:
	}
	server.transact(insert("Port_Binding", row{
		"logical_port": "new", "datapath": datapathOf(server, "vm"), "tunnel_key": 78,
	}))
	byChassis(server, "new", "hv1")
	await(t, s, "a port of the new registration", hasPort("new"))
}

func datapathOf(server *ovsdbServer, port string) any {
	return server.transact(row{
		"op": "select", "table": "Port_Binding", "where": []any{byPort(port)}, "columns": []any{"datapath"},
	})[0].Rows[0]["datapath"]
}

// A process that starts asks for the ports by which something was announced before, so that
// it learns what has become of them.
func TestLocalScopeAsksForWhatIsKnown(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(cloud(6)...)
	s := openLocal(t, ovsdb.Config{Remotes: []string{server.remote()}}, "vm2", "deleted")
	have := await(t, s, "the first copy", synced)
	if p, ok := have.Port("vm2"); !ok || have.ChassisName(p.Chassis) != "hv2" {
		t.Errorf("vm2 is not among %s", names(have))
	}
	if !have.Gone("deleted") || have.Gone("far1") {
		t.Errorf("deleted %t, far1 %t", have.Gone("deleted"), have.Gone("far1"))
	}
}

// With too many conditions the whole database costs the server less; and a server that
// refuses conditions is asked for everything.
func TestLocalScopeFallsBack(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(cloud(600)...)
	known := make([]string, 600)
	for i := range known {
		known[i] = fmt.Sprint("far", i)
	}
	s := openLocal(t, ovsdb.Config{Remotes: []string{server.remote()}}, known...)
	have := await(t, s, "the first copy", synced)
	if have.Ports.Len() != 609 || have.Asked != nil || !have.Gone("none") {
		t.Errorf("%d ports, asked for by %v", have.Ports.Len(), have.Asked)
	}
}

// Whatever happens, what is read is what the conditions say of the whole database.
func TestLocalScopeIsAPartOfTheWhole(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(cloud(10)...)
	whole := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
	local := openLocal(t, ovsdb.Config{Remotes: []string{server.remote()}})
	all := await(t, whole, "the first copy", synced)
	var ports []string
	for p := range all.Ports.All() {
		ports = append(ports, p.LogicalPort)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for step := range 60 {
		port := ports[random.IntN(len(ports))]
		where := []string{"hv1", "hv2", ""}[random.IntN(3)]
		if random.IntN(3) == 0 {
			port = "cr-r-pub"
		}
		byChassis(server, port, where)
		server.transact(row{
			"op": "update", "table": "SB_Global", "where": []any{}, "row": row{"options": pairs("step", fmt.Sprint(step))},
		})
		if step%6 != 5 {
			continue
		}
		last := func(rows *observe.Southbound) bool { return rows.Global["step"] == fmt.Sprint(step) }
		all = await(t, whole, "the last step", last)
		await(t, local, "the rows of the conditions", func(rows *observe.Southbound) bool {
			return last(rows) && names(rows) == concerned(all, rows.Asked)
		})
	}
}

// concerned are the ports of the whole that a node named hv1 reads; empty while it asks for
// the ports of other networks than those that it serves.
func concerned(all *observe.Southbound, asked *observe.Asked) string {
	me, _ := all.ChassisByName("hv1")
	switches, _ := all.Served("hv1")
	if len(switches) != len(asked.Datapaths) {
		return ""
	}
	var rows []*observe.PortBinding
	for p := range all.Ports.All() {
		link := p.Type != observe.PortVIF
		if link || p.Chassis == me.UUID || asked.Ports[p.LogicalPort] || slices.Contains(switches, p.Datapath) {
			rows = append(rows, p)
		}
	}
	return names(&observe.Southbound{Ports: rowlist.Of(rows...)})
}
