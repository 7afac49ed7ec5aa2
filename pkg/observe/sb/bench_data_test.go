package sb_test

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"testing"
)

// madeUUID is the UUID of the i-th row of a kind.
func madeUUID(kind string, i int) string {
	h := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, i)))
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// bigServer serves ports Port_Bindings as Neutron writes them, 50 on a network,
// and a chassis for each 100 of them.
func bigServer(t testing.TB, ports int) *ovsdbServer {
	t.Helper()
	dir := shortDir(t)
	db := filepath.Join(dir, "sb.db")
	writeDatabase(t, db, bigNetwork(ports))
	return startServer(t, dir, db)
}

func bigNetwork(ports int) any {
	chassis, encaps, datapaths, bindings := row{}, row{}, row{}, row{}
	for i := range max(ports/100, 1) {
		name := madeUUID("system-id", i)
		encaps[madeUUID("encap", i)] = row{"type": "geneve", "ip": address(i), "chassis_name": name}
		chassis[madeUUID("chassis", i)] = row{
			"name": name, "hostname": host(i), "encaps": uuid(madeUUID("encap", i)),
			"other_config": pairs("ovn-bridge-mappings", "physnet1:br-ex", "ovn-cms-options", "", "port-up-notif", "true"),
		}
	}
	for i := range max(ports/50, 1) {
		id := madeUUID("network", i)
		datapaths[madeUUID("datapath", i)] = row{
			"tunnel_key": i + 1, "external_ids": pairs("logical-switch", id, "name", "neutron-"+id, "name2",
				fmt.Sprint("net", i)),
		}
	}
	for i := range ports {
		bindings[madeUUID("binding", i)] = binding(i, len(chassis))
	}
	return row{"Chassis": chassis, "Encap": encaps, "Datapath_Binding": datapaths, "Port_Binding": bindings}
}

func binding(i, chassis int) row {
	at := i % chassis
	return row{
		"logical_port": madeUUID("port", i), "datapath": uuid(madeUUID("datapath", i/50)), "tunnel_key": i%50 + 1,
		"chassis": uuid(madeUUID("chassis", at)), "requested_chassis": uuid(madeUUID("chassis", at)),
		"mac": mac(i) + " " + address(i), "up": true, "options": pairs("requested-chassis", host(at)),
		"external_ids": pairs(
			"neutron:cidrs", address(i)+"/24", "neutron:device_id", madeUUID("device", i),
			"neutron:device_owner", "compute:nova", "neutron:host_id", host(at),
			"neutron:network_name", "neutron-"+madeUUID("network", i/50), "neutron:port_name", fmt.Sprint("vm-", i),
			"neutron:project_id", madeUUID("project", i/200), "neutron:revision_number", fmt.Sprint(i%7)),
	}
}

func address(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&0xff, i&0xff) }
func mac(i int) string     { return fmt.Sprintf("fa:16:3e:%02x:%02x:%02x", i>>16, i>>8&0xff, i&0xff) }
func host(i int) string    { return fmt.Sprintf("compute-%d.example.org", i) }
