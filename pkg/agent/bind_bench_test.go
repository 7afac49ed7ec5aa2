package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
)

// BenchmarkBind measures what one address costs that comes to a node with many: from before the
// transaction on a real Southbound database to the UPDATE at a peer, with a real kernel and the
// state file on disk. The peer reads and does nothing else. The floor is the same with 100
// addresses. In between it moves to another node. CPU is that of the process, which the peer is part of.
func BenchmarkBind(b *testing.B) {
	var floor time.Duration
	for i, n := range []int{100, 1_000, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			took := binds(b, n, uint16(1800+i))
			if n == 100 {
				floor = took
			}
			b.ReportMetric(float64(took)/float64(floor), "x-of-100")
		})
	}
}

const (
	// bindsAtOnce are what one turn of the benchmark measures: the last of a hundred has a meaning.
	bindsAtOnce = 100
	// restBetween is how long a node has between two changes that come by themselves: until then it has
	// written the outcome of the last one.
	restBetween = 25 * time.Millisecond
)

// binds brings n addresses to a node, and then one more again and again: as soon as the last change has
// arrived, and once the node has come to rest. It returns the median of the former.
func binds(b *testing.B, n int, port uint16) time.Duration {
	w := newWorld(b)
	w.configure(crowdSpeaker(port, "passive: true"))
	db := dialOVSDB(b, w.path("db.sock"))
	network := crowded(w, db, n, "hv1")
	hv1, hv2 := db.uuid("Chassis", "name", "hv1"), db.uuid("Chassis", "name", "hv2")
	comer := db.transact(crowdPort(crowdLimit, network, hv2))[0]["uuid"]
	w.start()
	await(b, func() string {
		if got := strings.Count(w.routes(), "\n"); got < n {
			return fmt.Sprintf("%d routes", got)
		}
		return ""
	})
	seen := make(chan bool, 16) // whether it came; otherwise it went
	last := crowdAddr(crowdLimit)
	peer := heard(b, port, func(body []byte) {
		moved(body, func(addr netip.Addr, came bool) {
			if addr == last {
				seen <- came
			}
		})
	})
	defer peer.Close()
	bind := func(to any) time.Duration {
		began := time.Now()
		db.transact(rebind(comer, to))
		select {
		case came := <-seen:
			if came != (to == hv1) {
				b.Fatalf("came %v", came)
			}
		case <-time.After(deadline):
			b.Fatal("no UPDATE")
		}
		return time.Since(began)
	}
	for range 3 { // the first ones pay for what later ones find done
		bind(hv1)
		bind(hv2)
	}
	var took []time.Duration
	before, cpu := mallocs(), cpuTime()
	for b.Loop() {
		for range bindsAtOnce {
			took = append(took, bind(hv1))
			bind(hv2)
		}
	}
	used, allocated := cpuTime()-cpu, mallocs()-before
	var rested []time.Duration
	pace := time.NewTicker(restBetween)
	defer pace.Stop()
	for range bindsAtOnce {
		<-pace.C
		rested = append(rested, bind(hv1))
		<-pace.C
		bind(hv2)
	}
	slices.Sort(took)
	slices.Sort(rested)
	median := took[len(took)/2]
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(median.Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(rested[len(rested)/2].Microseconds())/1000, "rested-p50-ms")
	b.ReportMetric(float64(rested[len(rested)*99/100].Microseconds())/1000, "rested-p99-ms")
	b.ReportMetric(float64(used.Microseconds())/float64(2000*len(took)), "cpu-ms/change")
	b.ReportMetric(float64(allocated)/float64(2000*len(took)), "kB/change")
	return median
}

// crowdSpeaker configures a speaker on a port, with one peer of which more is said.
func crowdSpeaker(port uint16, peer string) string {
	return fmt.Sprintf(`bgp: {as: 65001, router_id: 192.0.2.1, listen: {address: 127.0.0.1, port: %d}, `+
		`peers: [{address: %s, as: %d, %s}]}`, port, tablePeer, speakertest.AS, peer)
}

// crowded binds n VMs to a chassis in the database, and returns one of their networks.
func crowded(w *world, db *transactor, n int, chassis string) (network any) {
	on := db.uuid("Chassis", "name", chassis)
	network = db.uuid("Datapath_Binding", "tunnel_key", 1)
	networks := []any{network}
	for i := 1; i <= n/portsOnNetwork; i++ {
		networks = append(networks, moreNetwork(w, db, i))
	}
	for from := 0; from < n; from += 5000 {
		var ops []any
		for i := from; i < min(from+5000, n); i++ {
			ops = append(ops, crowdPort(i, networks[i/portsOnNetwork], on))
		}
		db.transact(ops...)
	}
	return network
}

// heard brings up a session that tells of each UPDATE, by its body.
func heard(b *testing.B, port uint16, hear func(body []byte)) *speakertest.Peer {
	b.Helper()
	var all atomic.Int64
	var peer *speakertest.Peer
	await(b, func() string {
		p, err := speakertest.Dial(context.Background(), tablePeer, netip.AddrPortFrom(speakerAddr, port))
		if err != nil {
			return err.Error()
		}
		p.Hear(func(body []byte) {
			all.Add(1)
			hear(body)
		})
		open := speakertest.OpenMessage(speakertest.AS, tablePeer, speakertest.Families(speakertest.IPv4),
			speakertest.FourOctetAS(speakertest.AS))
		if err := p.Establish(open); err != nil {
			_ = p.Close()
			return err.Error()
		}
		peer = p
		return ""
	})
	settled := int64(-1)
	await(b, func() string { // until the table has been sent
		if n := all.Load(); n != settled || n == 0 {
			settled = n
			return fmt.Sprintf("%d messages", n)
		}
		return ""
	})
	return peer
}

// moved calls each for the IPv4 addresses that an UPDATE withdraws and announces (RFC 4271
// section 4.3; prefixes of 32 bits).
func moved(body []byte, each func(addr netip.Addr, came bool)) {
	withdrawn := 2 + int(body[0])<<8 + int(body[1])
	announced := withdrawn + 2 + int(body[withdrawn])<<8 + int(body[withdrawn+1])
	for i, prefixes := range [][]byte{body[2:withdrawn], body[announced:]} {
		for len(prefixes) > 0 {
			octets := (int(prefixes[0]) + 7) / 8
			if octets == 4 {
				each(netip.AddrFrom4([4]byte(prefixes[1:5])), i == 1)
			}
			prefixes = prefixes[1+octets:]
		}
	}
}

// crowdLimit is the number of the port that comes and goes.
const crowdLimit = 1 << 20

func crowdName(i int) string { return fmt.Sprintf("crowd-%07d", i) }

func crowdAddr(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

// portsOnNetwork is less than what the tunnel keys of a datapath suffice for.
const portsOnNetwork = 25_000

// moreNetwork makes another provider network on br-ex.
func moreNetwork(w *world, db *transactor, i int) any {
	w.run("ovs-vsctl", "--db="+w.remote(), "--no-wait", "add-port", "br-ex", fmt.Sprint("patch-more-", i), "--",
		"set", "Port", fmt.Sprint("patch-more-", i), fmt.Sprint("external_ids:ovn-localnet-port=more-", i), "--",
		"set", "Interface", fmt.Sprint("patch-more-", i), "type=patch", "options:peer=patch-2", fmt.Sprint("ofport=", 10+i))
	w.sbctl("--id=@d", "create", "Datapath_Binding", fmt.Sprint("tunnel_key=", 100+i), "--",
		"create", "Port_Binding", fmt.Sprint("logical_port=more-", i), "type=localnet", "tunnel_key=1", "datapath=@d",
		"options:network_name=physnet1")
	return db.uuid("Datapath_Binding", "tunnel_key", 100+i)
}

// crowdPort is the operation that inserts a VM on a network, bound to a chassis if that is not nil.
func crowdPort(i int, network, chassis any) map[string]any {
	key := 10 + i%portsOnNetwork
	if i == crowdLimit {
		key = 10 + portsOnNetwork
	}
	mac := fmt.Sprintf("fa:16:00:%02x:%02x:%02x %s", byte(i>>16), byte(i>>8), byte(i), crowdAddr(i))
	return map[string]any{"op": "insert", "table": "Port_Binding", "row": map[string]any{
		"logical_port": crowdName(i), "datapath": reference(network), "tunnel_key": key, "mac": mac,
		"chassis": reference(chassis), "up": chassis != nil,
	}}
}

// rebind is the operation that binds a port to a chassis. It names the port by its _uuid, as
// ovn-controller does: for any other column the server looks through all rows.
func rebind(port, chassis any) map[string]any {
	return map[string]any{
		"op": "update", "table": "Port_Binding", "where": []any{[]any{"_uuid", "==", port}},
		"row": map[string]any{"chassis": reference(chassis), "up": chassis != nil},
	}
}

// reference is a reference to a row; nil is none.
func reference(uuid any) any {
	if uuid == nil {
		return []any{"set", []any{}}
	}
	return []any{"uuid", uuid}
}

// transactor is a connection to a database that waits for each answer.
type transactor struct {
	b   *testing.B
	in  *json.Decoder
	out *json.Encoder
}

func dialOVSDB(b *testing.B, socket string) *transactor {
	b.Helper()
	conn, err := net.Dial("unix", socket)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	return &transactor{b, json.NewDecoder(conn), json.NewEncoder(conn)}
}

// transact executes operations, of which none may fail.
func (o *transactor) transact(ops ...any) []map[string]any {
	o.b.Helper()
	ask := map[string]any{"id": 1, "method": "transact", "params": append([]any{"OVN_Southbound"}, ops...)}
	if err := o.out.Encode(ask); err != nil {
		o.b.Fatal(err)
	}
	for {
		var answer struct {
			ID     any
			Method string
			Params []any
			Result []map[string]any
			Error  any
		}
		if err := o.in.Decode(&answer); err != nil {
			o.b.Fatal(err)
		}
		if answer.Method == "echo" {
			if err := o.out.Encode(map[string]any{"id": answer.ID, "result": answer.Params, "error": nil}); err != nil {
				o.b.Fatal(err)
			}
			continue
		}
		for _, r := range answer.Result {
			if r["error"] != nil {
				o.b.Fatalf("%v", r)
			}
		}
		return answer.Result
	}
}

// uuid finds a row.
func (o *transactor) uuid(table, column string, is any) any {
	o.b.Helper()
	found := o.transact(map[string]any{
		"op": "select", "table": table, "where": []any{[]any{column, "==", is}}, "columns": []string{"_uuid"},
	})
	rows, _ := found[0]["rows"].([]any)
	if len(rows) != 1 {
		o.b.Fatalf("%s %s %v: %v", table, column, is, found)
	}
	pair, _ := rows[0].(map[string]any)["_uuid"].([]any)
	return pair[1]
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
