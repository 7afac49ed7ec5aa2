package sb_test

import (
	"io"
	"log"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/stdr"
	"github.com/ovn-org/libovsdb/database/inmemory"
	"github.com/ovn-org/libovsdb/model"
	libovsdb "github.com/ovn-org/libovsdb/ovsdb"
	"github.com/ovn-org/libovsdb/server"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The models of libovsdb have the columns that we ask for.
type stockChassis struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Hostname    string            `ovsdb:"hostname"`
	OtherConfig map[string]string `ovsdb:"other_config"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

type stockDatapath struct {
	UUID        string            `ovsdb:"_uuid"`
	TunnelKey   int               `ovsdb:"tunnel_key"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

type stockPort struct {
	UUID              string            `ovsdb:"_uuid"`
	LogicalPort       string            `ovsdb:"logical_port"`
	Type              string            `ovsdb:"type"`
	Datapath          string            `ovsdb:"datapath"`
	TunnelKey         int               `ovsdb:"tunnel_key"`
	Chassis           *string           `ovsdb:"chassis"`
	AdditionalChassis []string          `ovsdb:"additional_chassis"`
	RequestedChassis  *string           `ovsdb:"requested_chassis"`
	MAC               []string          `ovsdb:"mac"`
	NATAddresses      []string          `ovsdb:"nat_addresses"`
	Up                *bool             `ovsdb:"up"`
	Tag               *int              `ovsdb:"tag"`
	ParentPort        *string           `ovsdb:"parent_port"`
	VirtualParent     *string           `ovsdb:"virtual_parent"`
	Options           map[string]string `ovsdb:"options"`
	ExternalIDs       map[string]string `ovsdb:"external_ids"`
	HAChassisGroup    *string           `ovsdb:"ha_chassis_group"`
	GatewayChassis    []string          `ovsdb:"gateway_chassis"`
}

type stockGlobal struct {
	UUID    string            `ovsdb:"_uuid"`
	Options map[string]string `ovsdb:"options"`
}

// stockServer starts libovsdb's server in this process.
func stockServer(t *testing.T) string {
	t.Helper()
	stdr.SetVerbosity(0) // the server prints every row to standard error
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	f, err := os.Open(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	schema, err := libovsdb.SchemaFromFile(f)
	if err != nil {
		t.Fatal(err)
	}
	models, err := model.NewClientDBModel("OVN_Southbound", map[string]model.Model{
		"Chassis": &stockChassis{}, "Datapath_Binding": &stockDatapath{}, "Port_Binding": &stockPort{},
		"SB_Global": &stockGlobal{},
	})
	if err != nil {
		t.Fatal(err)
	}
	full, errs := model.NewDatabaseModel(schema, models)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	s, err := server.NewOvsdbServer(inmemory.NewDatabase(map[string]model.ClientDBModel{"OVN_Southbound": models}), full)
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(shortDir(t), "stock.sock")
	go s.Serve("unix", socket)
	t.Cleanup(s.Close)
	eventually(t, "libovsdb's server", s.Ready)
	return socket
}

// TestStockServer follows libovsdb's server, which the demo uses. It knows no
// _Server database, calls every notification update2 and waits for an answer
// to each.
func TestStockServer(t *testing.T) {
	socket := stockServer(t)
	transact(t, "unix", socket, smallStock()...)
	s := open(t, ovsdb.Config{Remotes: []string{"unix:" + socket}})
	have := await(t, s, "the first copy", hasPort("vm"))
	if vm := port(t, have, "vm"); vm.Tag != 0 || len(vm.Addresses) != 1 || have.ChassisName(vm.Chassis) != "hv1" {
		t.Errorf("%+v", vm)
	}
	steps := []struct {
		what      string
		operation any
		holds     func(*observe.PortBinding) bool
	}{
		{
			"a set", update("Port_Binding", byPort("vm"), row{"mac": set("fa:16:3e:00:00:01 172.24.4.12", "unknown")}),
			func(p *observe.PortBinding) bool {
				return p.Unknown && len(p.Addresses) == 1 && p.Addresses[0].Addrs[0].String() == "172.24.4.12/32"
			},
		},
		{
			"a map", update("Port_Binding", byPort("vm"), row{"external_ids": pairs("a", "1", "b", "2")}),
			func(p *observe.PortBinding) bool { return len(p.ExternalIDs) == 2 && p.ExternalIDs["a"] == "1" },
		},
		{
			"a changed map", update("Port_Binding", byPort("vm"), row{"external_ids": pairs("b", "3", "c", "4")}),
			func(p *observe.PortBinding) bool { return len(p.ExternalIDs) == 2 && p.ExternalIDs["b"] == "3" },
		},
		{
			"an empty optional", update("Port_Binding", byPort("vm"), row{"chassis": set()}),
			func(p *observe.PortBinding) bool { return p.Chassis.IsZero() },
		},
		{
			"a full optional", update("Port_Binding", byPort("vm"), row{"tag": 7, "up": false}),
			func(p *observe.PortBinding) bool { return p.Tag == 7 && p.Down },
		},
		{"a mutation", row{"op": "mutate", "table": "Port_Binding", "where": []any{byPort("vm")}, "mutations": []any{
			[]any{"external_ids", "delete", set("b")}, []any{"mac", "insert", set("fa:16:3e:00:00:09 10.0.0.9")},
		}}, func(p *observe.PortBinding) bool { return len(p.ExternalIDs) == 1 && len(p.Addresses) == 2 }},
	}
	for _, step := range steps {
		transact(t, "unix", socket, step.operation)
		await(t, s, step.what, func(sb *observe.Southbound) bool { return step.holds(port(t, sb, "vm")) })
	}
	transact(t, "unix", socket, remove("Port_Binding", byPort("vm")...))
	await(t, s, "the deletion", func(sb *observe.Southbound) bool { return sb.Ports.Len() == 0 })
	if st := s.Status(); st.Connects != 1 || st.Copies != 1 {
		t.Errorf("%+v", st)
	}
}

func smallStock() []any {
	return []any{
		insert("SB_Global", row{"options": pairs("mac_prefix", "f6:32:64")}),
		named("hv1", "Chassis", row{"name": "hv1", "hostname": "hv1.lab"}),
		named("dp", "Datapath_Binding", row{"tunnel_key": 1, "external_ids": pairs("name", "public")}),
		insert("Port_Binding", row{
			"logical_port": "vm", "datapath": ref("dp"), "tunnel_key": 2, "chassis": ref("hv1"), "up": true,
			"mac": "fa:16:3e:00:00:01 172.24.4.11", "external_ids": pairs("neutron:cidrs", "172.24.4.11/24"),
		}),
	}
}
