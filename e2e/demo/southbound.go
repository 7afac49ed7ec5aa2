package main

import (
	"context"
	"fmt"

	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"
)

// The part of the OVN Southbound schema (ovn-sb(5)) that the story needs.
type (
	chassisRow struct {
		UUID     string `ovsdb:"_uuid"`
		Name     string `ovsdb:"name"`
		Hostname string `ovsdb:"hostname"`
	}
	datapathRow struct {
		UUID        string            `ovsdb:"_uuid"`
		TunnelKey   int               `ovsdb:"tunnel_key"`
		ExternalIDs map[string]string `ovsdb:"external_ids"`
	}
	portRow struct {
		UUID         string            `ovsdb:"_uuid"`
		LogicalPort  string            `ovsdb:"logical_port"`
		Type         string            `ovsdb:"type"`
		Datapath     string            `ovsdb:"datapath" ref:"Datapath_Binding"`
		TunnelKey    int               `ovsdb:"tunnel_key"`
		Chassis      *string           `ovsdb:"chassis" ref:"Chassis"`
		Up           *bool             `ovsdb:"up"`
		MAC          []string          `ovsdb:"mac"`
		NATAddresses []string          `ovsdb:"nat_addresses"`
		Options      map[string]string `ovsdb:"options"`
		ExternalIDs  map[string]string `ovsdb:"external_ids"`
	}
)

// southbound is the Southbound database, and this program what OVN is to it:
// the only writer.
type southbound struct {
	*database
	chassis []string // UUIDs
	// Two switches, public with the physical network and tenant without.
	public, tenant string
	key            int
}

// The logical port of the router on the public network, whose nat_addresses
// hold the floating IPs.
const routerPort = "5b1a3b8e-0d3f-4e0a-8a62-8d1c2f0e7a11"

func newSouthbound(ctx context.Context, path string, chassis ...string) (*southbound, error) {
	tables := map[string]model.Model{
		"Chassis": &chassisRow{}, "Datapath_Binding": &datapathRow{}, "Port_Binding": &portRow{},
	}
	m, err := model.NewClientDBModel("OVN_Southbound", tables)
	if err != nil {
		return nil, err
	}
	schema, err := schemaOf("OVN_Southbound", "20.33.0", tables)
	if err != nil {
		return nil, err
	}
	db, err := serve(ctx, path, m, schema)
	if err != nil {
		return nil, err
	}
	s := &southbound{database: db}
	return s, s.fill(ctx, chassis)
}

// fill writes what is there before the story begins: the nodes, a provider
// network, a tenant network and a router between.
func (s *southbound) fill(ctx context.Context, chassis []string) error {
	var rows []model.Model
	for i, name := range chassis {
		rows = append(rows, &chassisRow{UUID: fmt.Sprintf("c%d", i), Name: name, Hostname: name + ".demo.example"})
	}
	name := func(n string) map[string]string { return map[string]string{"name": n} }
	rows = append(rows,
		&datapathRow{UUID: "public", TunnelKey: 1, ExternalIDs: name("public")},
		&datapathRow{UUID: "tenant", TunnelKey: 2, ExternalIDs: name("blue")},
		&datapathRow{UUID: "router", TunnelKey: 3, ExternalIDs: name("blue-router")},
		&portRow{
			UUID: "net", LogicalPort: localnetPort, Type: "localnet", Datapath: "public", TunnelKey: 1,
			Options: map[string]string{"network_name": physnet},
		},
		&portRow{
			UUID: "gw", LogicalPort: routerPort, Type: "patch", Datapath: "public", TunnelKey: 2,
			MAC: []string{"router"}, Options: map[string]string{"peer": "lrp-" + routerPort},
		},
		&portRow{
			UUID: "lrp", LogicalPort: "lrp-" + routerPort, Type: "patch", Datapath: "router", TunnelKey: 1,
			Options: map[string]string{"peer": routerPort},
		},
	)
	ids, err := s.insert(ctx, rows...)
	if err != nil {
		return err
	}
	s.chassis, s.public, s.tenant = ids[:len(chassis)], ids[len(chassis)], ids[len(chassis)+1]
	s.key = 10
	return nil
}

// bind adds the port of a guest that has started on a node.
func (s *southbound) bind(ctx context.Context, g *guest, datapath, fixed string) error {
	s.key++
	up, addr := true, g.mac+" "+fixed
	_, err := s.insert(ctx, &portRow{
		UUID: "port", LogicalPort: g.port, Datapath: datapath, TunnelKey: s.key, MAC: []string{addr},
		Chassis: &s.chassis[g.node.index], Up: &up,
		ExternalIDs: map[string]string{"neutron:port_name": g.name, "neutron:cidrs": fixed + "/24"},
	})
	return err
}

// unbind deletes the port of a guest that is gone.
func (s *southbound) unbind(ctx context.Context, g *guest) error {
	row := &portRow{}
	ops, err := s.client.WhereAny(row, model.Condition{
		Field: &row.LogicalPort, Function: ovsdb.ConditionEqual,
		Value: g.port,
	}).Delete()
	if err != nil {
		return err
	}
	_, err = s.transact(ctx, ops)
	return err
}

// float gives the floating IP to a guest, or to nobody. This is one cell, as
// ovn-northd writes it.
func (s *southbound) float(ctx context.Context, to *guest) error {
	row := &portRow{NATAddresses: []string{}}
	if to != nil {
		row.NATAddresses = []string{fmt.Sprintf("%s %s is_chassis_resident(%q)", to.mac, to.addr, to.port)}
	}
	where := s.client.WhereAny(row, model.Condition{
		Field: &row.LogicalPort, Function: ovsdb.ConditionEqual,
		Value: routerPort,
	})
	ops, err := where.Update(row, &row.NATAddresses)
	if err != nil {
		return err
	}
	_, err = s.transact(ctx, ops)
	return err
}
