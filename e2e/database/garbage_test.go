package database_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// cutter stands between a client and a server and cuts connections after some octets of
// what the server says, wherever in a message that is.
type cutter struct {
	socket string
	server *server
	// most bounds the octets of a connection; 0 is no bound.
	most atomic.Int64
	cuts atomic.Int64
}

func newCutter(t testing.TB, s *server) *cutter {
	t.Helper()
	c := &cutter{socket: filepath.Join(shortDir(t), "cut.sock"), server: s}
	l, err := net.Listen("unix", c.socket)
	harness.Check(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

func (c *cutter) serve(client net.Conn) {
	defer client.Close()
	s, err := net.Dial("unix", c.server.socket)
	if err != nil {
		return
	}
	defer s.Close()
	go func() {
		_, _ = io.Copy(s, client) // it ends with either end
		s.Close()
	}()
	from := io.Reader(s)
	if most := c.most.Load(); most > 0 {
		from = io.LimitReader(s, 1+rand.Int64N(most))
		defer c.cuts.Add(1)
	}
	_, _ = io.Copy(client, from) // it ends with either end
}

// TestProofCutReplies: connections that end anywhere in a message cost no path.
func TestProofCutReplies(t *testing.T) {
	s := single(t)
	c := newCutter(t, s)
	n := start(t, writer([]*server{s}), ovsdb.Config{
		Remotes: []string{"unix:" + c.socket}, BackoffMin: time.Millisecond, BackoffMax: 5 * time.Millisecond,
	})
	// What a whole session takes is a bound that most of them do not reach.
	c.most.Store(int64(n.src.Status().Bytes))
	harness.Run(t, "ovs-appctl", "-t", filepath.Join(s.dir, "ctl"), "ovsdb-server/reconnect")
	goal := int64(proof.Count(100, 5000))
	for at := goal / 20; at <= goal; at += goal / 20 {
		until(t, fmt.Sprintf("%d cuts", at), func() bool { return c.cuts.Load() >= at })
		n.bind() // the node may hear of it in any of the next sessions
	}
	c.most.Store(0)
	n.returned()
	proof.Report(t, "%d connections cut within a message, 0 paths withdrawn, agreement %s after the last one",
		c.cuts.Load(), n.longest.Round(time.Millisecond))
}

// TestProofBadRows: rows that cannot be read cost neither their own paths, as long as
// they are there, nor those of others.
func TestProofBadRows(t *testing.T) {
	s := single(t)
	n := start(t, writer([]*server{s}), ovsdb.Config{Remotes: []string{s.remote()}})
	rng := rand.New(rand.NewPCG(1, 2))
	const each = 20
	total := proof.Count(100, 1000)
	for made := 0; made < total; made += each {
		var bad []any
		broken := map[int]bool{}
		for i := range each {
			if i%2 == 0 {
				vm := rng.IntN(n.bound)
				broken[vm] = true
				bad = append(bad, update(vmName(vm), row{"mac": set(garbage(rng))}))
				continue
			}
			bad = append(bad, badRow(rng, made+i, n.datapath))
		}
		n.write(bad...)
		n.sees("the bad rows", func(sb *observe.Southbound) bool { return sb.Ports.Len() >= n.bound+1+(made+each)/2 })
		n.returned()
		var mended []any
		for vm := range broken {
			mended = append(mended, update(vmName(vm), row{"mac": set(vmMAC(vm))}))
		}
		n.write(mended...)
	}
	n.returned()
	proof.Report(t, "%d bad rows, 0 paths withdrawn, the next change announced at most %s later", total,
		n.longest.Round(time.Millisecond))
}

// garbage is what no column mac may have: text that begins like an address and is none.
func garbage(rng *rand.Rand) string {
	begin := []string{
		"fa:16:3e:zz", "fa:16:3e:00:00:01 172.24.4.999", "fa:16:3e:00:00:01 fe80::/1000", "@", "\u00e9\u00e8",
	}
	text := begin[rng.IntN(len(begin))]
	for range rng.IntN(40) {
		text += string(rune(33 + rng.IntN(90)))
	}
	return text
}

// badRow is a port of any type whose columns have anything that the schema allows.
func badRow(rng *rand.Rand, number int, datapath string) any {
	types := []string{"", "patch", "localnet", "chassisredirect", "l3gateway", "virtual", "vtep", "nonsense"}
	keys := []string{"peer", "distributed-port", "chassis-redirect-port", "network_name", "l3gateway-chassis", "x"}
	return insert("Port_Binding", row{
		"logical_port": fmt.Sprintf("bad%05d", number), "datapath": []any{"uuid", datapath},
		"tunnel_key": 10_000 + number, "type": types[rng.IntN(len(types))], "mac": set(garbage(rng)),
		"nat_addresses": set(garbage(rng)), "options": pairs(keys[rng.IntN(len(keys))], garbage(rng)),
		"external_ids": pairs("neutron:cidrs", garbage(rng)),
	})
}
