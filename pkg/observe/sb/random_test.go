package sb_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// sameRows compares all but revisions.
var sameRows = cmp.Options{
	cmp.Transformer("rows", rowlist.List[*observe.PortBinding].Slice),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
	cmpopts.IgnoreFields(observe.Southbound{}, "Revision", "Stale"),
}

// TestRandomTransactions holds rows that were kept current by differences
// against a first copy of the same database, for each kind of update.
func TestRandomTransactions(t *testing.T) {
	server := newServer(t, schemaFile)
	server.transact(smallNetwork()...)
	sources := map[string]*sb.Source{
		"update3": open(t, ovsdb.Config{Remotes: []string{server.remote()}}),
		"update2": open(t, ovsdb.Config{Remotes: []string{older(t, server, "monitor_cond_since")}}),
		"update":  open(t, ovsdb.Config{Remotes: []string{older(t, server, "monitor_cond", "_Server", "aware")}}),
	}
	methods := map[string]string{"update3": "monitor_cond_since", "update2": "monitor_cond", "update": "monitor"}
	for kind, s := range sources {
		await(t, s, kind, synced)
		if have := s.Status().Method; have != methods[kind] {
			t.Fatalf("%s is monitored by %s", kind, have)
		}
	}
	const seed = 20261123
	w := &walker{t: t, server: server, rand: rand.New(rand.NewPCG(seed, 1))}
	for round := range 12 {
		for range 25 {
			server.transact(w.operations()...)
		}
		mark := strconv.Itoa(round)
		server.transact(row{
			"op": "update", "table": "SB_Global", "where": []any{},
			"row": row{"options": pairs("round", mark)},
		})
		arrived := func(sb *observe.Southbound) bool { return sb.Global["round"] == mark && sb.Stale == "" }
		fresh := open(t, ovsdb.Config{Remotes: []string{server.remote()}})
		want := await(t, fresh, "a fresh copy", arrived)
		for kind, s := range sources {
			have := await(t, s, kind, arrived)
			if d := cmp.Diff(want, have, sameRows); d != "" {
				t.Fatalf("seed %d, round %d: -fresh +%s:\n%s", seed, round, kind, d)
			}
		}
		fresh.Close()
	}
	for kind, s := range sources {
		if st := s.Status(); st.Connects != 1 || st.Copies != 1 {
			t.Errorf("%s lost its way: %+v", kind, st)
		}
	}
}

// walker makes random transactions.
type walker struct {
	t      *testing.T
	server *ovsdbServer
	rand   *rand.Rand
	keys   int
}

func (w *walker) operations() []any {
	var out []any
	for range 1 + w.rand.IntN(4) {
		out = append(out, w.operation())
	}
	return out
}

func (w *walker) operation() any {
	name := w.name()
	where := byPort(name)
	switch w.rand.IntN(10) {
	case 0:
		w.keys++
		return row{"op": "insert", "table": "Datapath_Binding", "row": row{
			"tunnel_key": 100 + w.keys, "external_ids": w.strings(),
		}}
	case 1:
		return w.newPort()
	case 2:
		return remove("Port_Binding", where...)
	case 3:
		return row{"op": "mutate", "table": "Port_Binding", "where": []any{where}, "mutations": []any{
			[]any{"mac", w.pick("insert", "delete"), set(w.macs()...)},
			[]any{"nat_addresses", w.pick("insert", "delete"), set(w.nats()...)},
		}}
	case 4:
		return row{"op": "mutate", "table": "Port_Binding", "where": []any{where}, "mutations": []any{
			[]any{"external_ids", w.pick("insert", "delete"), w.strings()},
			[]any{"options", "delete", set(w.pick("a", "b", "c"))},
		}}
	case 5:
		return update("Port_Binding", where, row{
			"tag": w.maybe(1 + w.rand.IntN(4094)), "up": w.maybe(w.rand.IntN(2) == 0),
			"virtual_parent": w.maybe(w.pick("x", "y")), "parent_port": w.maybe(w.pick("x", "y")),
		})
	case 6:
		return insert("Load_Balancer", row{"name": name, "vips": w.strings(), "protocol": w.maybe(w.pick("tcp", "udp"))})
	case 7:
		return update("Load_Balancer", []any{"name", "==", name}, row{"vips": w.strings(), "options": w.strings()})
	case 8:
		return remove("Load_Balancer", "name", "==", name)
	default:
		return update("Port_Binding", where, row{
			"external_ids": w.strings(), "options": w.strings(), "mac": set(w.macs()...), "type": w.pick("", "patch", "virtual"),
		})
	}
}

// newPort replaces a port: its name and tunnel key must be unique.
func (w *walker) newPort() any {
	w.keys++
	return insert("Port_Binding", row{
		"logical_port": fmt.Sprint("new", w.keys), "tunnel_key": 100 + w.keys,
		"datapath": w.datapath(), "mac": set(w.macs()...), "nat_addresses": set(w.nats()...),
		"options": w.strings(), "external_ids": w.strings(), "up": w.maybe(true),
	})
}

func (w *walker) datapath() any {
	rows := w.server.transact(row{
		"op": "select", "table": "Datapath_Binding", "where": []any{},
		"columns": []any{"_uuid"},
	})[0].Rows
	return rows[w.rand.IntN(len(rows))]["_uuid"]
}

func (w *walker) name() string {
	if w.keys == 0 || w.rand.IntN(8) == 0 {
		return w.pick("vm", "provnet").(string)
	}
	return fmt.Sprint("new", 1+w.rand.IntN(w.keys))
}

func (w *walker) pick(values ...any) any { return values[w.rand.IntN(len(values))] }

func (w *walker) maybe(value any) any {
	if w.rand.IntN(2) == 0 {
		return set()
	}
	return value
}

func (w *walker) macs() []any {
	all := []any{
		"unknown", "router", "fa:16:3e:00:00:01 10.0.0.1", "fa:16:3e:00:00:02",
		" fa:16:3e:00:00:03  10.0.0.3/24 2001:db8::3/64",
		"garbage 300.1.1.1", "fa:16:3e:00:00:04 300.1.1.1 10.0.0.4",
	}
	w.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:w.rand.IntN(4)]
}

func (w *walker) nats() []any {
	all := []any{
		`fa:16:3e:00:00:01 10.0.0.1 is_chassis_resident("vm")`, "fa:16:3e:00:00:02 10.0.0.2 10.0.0.3",
		`fa:16:3e:00:00:01 10.0.0.9 is_chassis_resident(vm)`,
	}
	w.rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all[:w.rand.IntN(3)]
}

func (w *walker) strings() any {
	var kv []string
	for _, key := range []string{"a", "b", "c", "neutron:cidrs", "é \"quoted\""} {
		if w.rand.IntN(2) == 0 {
			kv = append(kv, key, fmt.Sprint(w.pick("", "1", "2", "10.0.0.1/24 2001:db8::1/64", "back\\slash\n\u2028")))
		}
	}
	return pairs(kv...)
}
