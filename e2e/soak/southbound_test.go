package soak_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// row is one of a database, or an operation on it (RFC 7047 section 5.2).
type row = map[string]any

// southbound writes what ovn-northd and ovn-controller would write.
type southbound struct {
	socket   string
	conn     net.Conn
	answers  *json.Decoder
	requests int

	datapath, here, elsewhere string // UUIDs
	ports                     []*port
	random                    *rand.Rand
	// floating is the floating IP of each port that has one, all of them entries of one row.
	floating map[string]string
}

// port is a row of Port_Binding that may exist.
type port struct {
	name, addr, mac string
	key             int
	exists, here    bool
	down            bool
}

// portsOfChange is among how many ports the changes choose.
const portsOfChange = 300

// seed makes the order of changes the same every time.
const seed = 20

func newSouthbound(t *testing.T, w *world) *southbound {
	t.Helper()
	s := &southbound{
		socket: strings.TrimPrefix(w.Central.SBSocket(), "unix:"), floating: map[string]string{},
		random: rand.New(rand.NewPCG(seed, seed)),
	}
	ctx := t.Context()
	find := func(table, condition string) string {
		out := harness.Must(w.Central.Sbctl(ctx, "--bare", "--columns=_uuid", "find", table, condition))(t)
		id := strings.TrimSpace(out)
		if len(id) != len("00000000-0000-0000-0000-000000000000") {
			t.Fatalf("%s %s: got %q, want one row", table, condition, out)
		}
		return id
	}
	out := harness.Must(w.Central.Sbctl(ctx, "--bare", "--columns=datapath", "find", "Port_Binding",
		`logical_port="`+w.vm.Port.ID+`"`))(t)
	s.datapath = strings.TrimSpace(out)
	s.here = find("Chassis", "name="+w.node.SystemID)
	harness.Check(t, s.dial())
	t.Cleanup(func() { s.conn.Close() })
	harness.Check(t, s.prepare())
	s.elsewhere = find("Chassis", "name=elsewhere")
	for i := range portsOfChange {
		s.ports = append(s.ports, &port{
			name: fmt.Sprintf("soak-%03d", i), addr: fmt.Sprintf("172.24.%d.%d", 5+i/250, 1+i%250),
			mac: fmt.Sprintf("fa:16:3e:00:%02x:%02x", i/256, i%256), key: 1000 + i,
		})
	}
	return s
}

// prepare writes the other node, and a router whose port has the floating IPs.
func (s *southbound) prepare() error {
	chassis := row{"op": "insert", "table": "Chassis", "row": row{
		"name": "elsewhere", "hostname": "elsewhere.lab.example", "encaps": []any{"named-uuid", "encap"},
	}}
	encap := row{"op": "insert", "table": "Encap", "uuid-name": "encap", "row": row{
		"type": "geneve", "ip": "172.31.1.250", "chassis_name": "elsewhere",
	}}
	router := row{"op": "insert", "table": "Datapath_Binding", "uuid-name": "router", "row": row{
		"tunnel_key": 9000, "external_ids": pairs("name", "soak-router"),
	}}
	inner := row{"op": "insert", "table": "Port_Binding", "row": row{
		"logical_port": "lrp-soak-gw", "type": "patch", "datapath": []any{"named-uuid", "router"}, "tunnel_key": 1,
		"options": pairs("peer", "soak-gw"), "mac": "02:00:00:00:09:01 172.24.4.2/22",
	}}
	outer := row{"op": "insert", "table": "Port_Binding", "row": row{
		"logical_port": "soak-gw", "type": "patch", "datapath": uuid(s.datapath), "tunnel_key": 999,
		"options": pairs("peer", "lrp-soak-gw"), "mac": "router",
	}}
	return s.transact(encap, chassis, router, inner, outer)
}

func pairs(kv ...string) any {
	out := []any{}
	for i := 0; i < len(kv); i += 2 {
		out = append(out, []any{kv[i], kv[i+1]})
	}
	return []any{"map", out}
}

func uuid(id string) any { return []any{"uuid", id} }

func (s *southbound) dial() (err error) {
	if s.conn, err = net.Dial("unix", s.socket); err != nil {
		return err
	}
	s.answers = json.NewDecoder(s.conn)
	return nil
}

// transact runs operations as one transaction.
func (s *southbound) transact(operations ...any) error {
	s.requests++
	request := row{"method": "transact", "params": append([]any{"OVN_Southbound"}, operations...), "id": s.requests}
	if err := s.conn.SetDeadline(time.Now().Add(harness.Scaled(harness.Patience))); err != nil {
		return err
	}
	if err := json.NewEncoder(s.conn).Encode(request); err != nil {
		return err
	}
	for {
		var m struct {
			Method string
			Params json.RawMessage
			ID     any
			Result []struct{ Error, Details string }
			Error  any
		}
		if err := s.answers.Decode(&m); err != nil {
			return fmt.Errorf("read the answer of ovsdb-server: %w", err)
		}
		if m.Method == "echo" {
			if err := json.NewEncoder(s.conn).Encode(row{"id": m.ID, "result": m.Params, "error": nil}); err != nil {
				return err
			}
			continue
		}
		for _, r := range m.Result {
			if r.Error != "" {
				return errors.New(r.Error + ": " + r.Details)
			}
		}
		return nil
	}
}

// change makes one change of a port or a floating IP, as OVN does when guests start,
// stop, move and are restarted.
func (s *southbound) change() error {
	p := s.ports[s.random.IntN(len(s.ports))]
	switch n := s.random.IntN(10); {
	case !p.exists:
		return s.bind(p)
	case n < 4:
		return s.unbind(p)
	case n < 7:
		p.here = !p.here
		return s.set(p, row{"chassis": uuid(s.at(p))})
	case n < 8:
		p.down = !p.down
		return s.set(p, row{"up": !p.down})
	default:
		return s.float(p)
	}
}

func (s *southbound) at(p *port) string {
	if p.here {
		return s.here
	}
	return s.elsewhere
}

// bind adds the row of a guest that has started.
func (s *southbound) bind(p *port) error {
	p.exists, p.down, p.here = true, false, s.random.IntN(4) > 0
	return s.transact(row{"op": "insert", "table": "Port_Binding", "row": row{
		"logical_port": p.name, "datapath": uuid(s.datapath), "tunnel_key": p.key, "chassis": uuid(s.at(p)), "up": true,
		"mac": p.mac + " " + p.addr, "external_ids": pairs("neutron:cidrs", p.addr+"/22", "neutron:port_name", p.name),
	}})
}

// unbind deletes the row of one that is gone, and its floating IP.
func (s *southbound) unbind(p *port) error {
	if s.floating[p.name] != "" {
		if err := s.float(p); err != nil {
			return err
		}
	}
	p.exists = false
	return s.transact(row{"op": "delete", "table": "Port_Binding", "where": named(p.name)})
}

func named(port string) []any { return []any{[]any{"logical_port", "==", port}} }

func (s *southbound) set(p *port, columns row) error {
	return s.transact(row{"op": "update", "table": "Port_Binding", "where": named(p.name), "row": columns})
}

// float gives the port a floating IP, or takes it away.
func (s *southbound) float(p *port) error {
	if s.floating[p.name] != "" {
		delete(s.floating, p.name)
	} else {
		s.floating[p.name] = strings.Replace(p.addr, "172.24.", "172.25.", 1)
	}
	var entries []any
	for _, name := range slices.Sorted(maps.Keys(s.floating)) {
		entries = append(entries, fmt.Sprintf("fa:16:3e:09:00:01 %s is_chassis_resident(%q)", s.floating[name], name))
	}
	return s.transact(row{"op": "update", "table": "Port_Binding", "where": named("soak-gw"), "row": row{
		"nat_addresses": []any{"set", append([]any{}, entries...)},
	}})
}

// announced are the addresses that the node must announce now, beside the steady ones.
func (s *southbound) announced() []netip.Prefix {
	var out []netip.Prefix
	add := func(addr string) { out = append(out, netip.MustParsePrefix(addr+"/32")) }
	for _, p := range s.ports {
		if !p.exists || !p.here || p.down {
			continue
		}
		add(p.addr)
		if fip := s.floating[p.name]; fip != "" {
			add(fip)
		}
	}
	return out
}
