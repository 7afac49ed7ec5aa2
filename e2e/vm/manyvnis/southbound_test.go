//go:build guest

package manyvnis

import (
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"time"
)

// object is a JSON object, or a row of a table.
type object = map[string]any

// tenants are the rows that ovn-northd makes of n routers, each with its gateway on
// one chassis and a tenant network with a VM there. northd itself is not asked: what
// it takes for them is not what is measured.
func tenants(n int, chassis, external string) []any {
	var ops []any
	insert := func(table, name string, row object) {
		ops = append(ops, object{"op": "insert", "table": table, "row": row, "uuid-name": name})
	}
	keys := 1000 // of datapaths and ports; the first ones are in use
	bind := func(name, kind string, datapath any, row object) {
		keys++
		row["logical_port"], row["type"], row["datapath"], row["tunnel_key"] = name, kind, datapath, keys%32000
		insert("Port_Binding", fmt.Sprintf("row%d", keys), row)
	}
	here, provider := []string{"uuid", chassis}, []string{"uuid", external}
	for i := range n {
		vpn := mapOf("neutron_bgpvpn:vni", fmt.Sprint(vni(i)), "neutron_bgpvpn:as", fmt.Sprint(vpnAS),
			"neutron:device_owner", "network:router_gateway")
		for _, kind := range []string{"logical-switch", "logical-router"} {
			keys++
			name := strings.TrimPrefix(kind, "logical-")
			insert("Datapath_Binding", fmt.Sprintf("%s%d", name, i), object{
				"tunnel_key": keys, "external_ids": mapOf(kind, fmt.Sprintf("%s-%d", name, i), "name",
					fmt.Sprintf("neutron-%s-%d", name, i)),
			})
		}
		tenant, router := []string{"named-uuid", fmt.Sprintf("switch%d", i)},
			[]string{"named-uuid", fmt.Sprintf("router%d", i)}
		port := func(what string) string { return fmt.Sprintf("%s-%d", what, i) }
		gateway := fmt.Sprintf("fa:16:3e:00:%02x:%02x 172.24.%d.%d/16", i>>8, i&0xff, 64+i>>8, i&0xff)
		bind("lrp-"+port("gw"), "patch", router, object{
			"mac":     gateway,
			"options": mapOf("chassis-redirect-port", "cr-lrp-"+port("gw"), "peer", port("gw")),
		})
		bind("cr-lrp-"+port("gw"), "chassisredirect", router, object{
			"mac": gateway, "chassis": here,
			"options": mapOf("distributed-port", "lrp-"+port("gw")),
		})
		bind(port("gw"), "patch", provider, object{
			"mac": "router", "options": mapOf("peer", "lrp-"+port("gw")),
			"external_ids": vpn,
		})
		bind("lrp-"+port("in"), "patch", router, object{"mac": fmt.Sprintf("fa:16:3e:01:%02x:%02x 10.0.0.1/26", i>>8,
			i&0xff), "options": mapOf("peer", port("in"))})
		bind(port("in"), "patch", tenant, object{
			"mac": "router", "options": mapOf("peer", "lrp-"+port("in")),
			"external_ids": vpn,
		})
		bind(port("vm"), "", tenant, object{
			"mac": fmt.Sprintf("fa:16:3e:02:%02x:%02x 10.0.0.5", i>>8, i&0xff), "chassis": here, "up": true,
			"external_ids": mapOf("neutron:device_owner", "compute:nova", "neutron:cidrs", "10.0.0.5/26"),
		})
	}
	return ops
}

// mapOf is a map column of pairs of words, RFC 7047 section 5.1.
func mapOf(words ...string) []any {
	pairs := make([][]string, 0, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		pairs = append(pairs, words[i:i+2])
	}
	return []any{"map", pairs}
}

// transact commits operations to the Southbound database: they are too long for the
// arguments of a program.
func transact(socket string, operations []any) error {
	c, err := net.Dial("unix", strings.TrimPrefix(socket, "unix:"))
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	request := object{"method": "transact", "params": append([]any{"OVN_Southbound"}, operations...), "id": 1}
	if err := json.NewEncoder(c).Encode(request); err != nil {
		return err
	}
	var reply struct {
		Error  any
		Result []*struct{ Error, Details string }
	}
	if err := json.NewDecoder(c).Decode(&reply); err != nil {
		return err
	}
	for _, r := range reply.Result {
		if r != nil && r.Error != "" {
			return fmt.Errorf("transact: %s: %s", r.Error, r.Details)
		}
	}
	if reply.Error != nil {
		return fmt.Errorf("transact: %v", reply.Error)
	}
	return nil
}
