package malformed_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
)

const (
	nodeAS = 65001
	port   = 1790
)

var (
	nodeAddr = netip.MustParseAddr("10.98.0.1")
	witness  = netip.MustParseAddr("10.98.0.2")
	fresh    = netip.MustParseAddr("10.98.0.3")
)

// attacker is the address of the n-th neighbour that sends something.
func attacker(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, 98, byte(1 + n/200), byte(1 + n%200)})
}

// node is the speaker and a backend that told it what to do.
type node struct {
	cmd *exec.Cmd
	*bgp.Backend
}

func newNode(t *testing.T) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "mf") // short: it holds a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, said := filepath.Join(dir, "s"), filepath.Join(dir, "said")
	n := &node{cmd: harness.Child(t, said, exec.Command(os.Getenv(harness.BinaryVariable), "speaker", "--listen",
		"unix:"+socket))}
	harness.Eventually(t, 20*time.Second, func() string {
		b, _ := os.ReadFile(said)
		if !strings.Contains(string(b), "speaker runs") {
			return "the speaker does not run"
		}
		return ""
	})
	n.Backend, err = bgp.Dial(bgp.Config{Config: speaker.Config{
		Socket: "unix:" + socket, AS: nodeAS, RouterID: nodeAddr, Listen: []netip.Addr{nodeAddr}, ListenPort: port,
		Logger: slog.New(slog.DiscardHandler),
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	harness.Eventually(t, 20*time.Second, func() string {
		if _, err := n.Read(context.Background(), actual.Focus{}); err != nil {
			return err.Error()
		}
		return ""
	})
	return n
}

// expect adds neighbours that connect.
func (n *node) expect(t *testing.T, addrs ...netip.Addr) {
	t.Helper()
	var changes []object.Change
	for _, a := range addrs {
		changes = append(changes, object.Change{After: object.Peer{
			Address: a.String(), AS: speakertest.AS, Port: 179, Passive: true, HoldTime: 90, ConnectRetry: 2,
			Families: object.WordsOf("ipv4-unicast", "ipv6-unicast", "l2vpn-evpn"),
		}})
	}
	for i, err := range n.Apply(context.Background(), changes) {
		if err != nil {
			t.Fatalf("%s: %v", addrs[i], err)
		}
	}
}

// learned is the next hops of an IPv4 prefix.
func (n *node) learned(prefix string) string {
	list, err := rib.TableOf(n.Conn(), nil).Learned(context.Background(), netip.MustParsePrefix(prefix), true)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, p := range list {
		out = append(out, p.NextHop.String())
	}
	return strings.Join(out, " ")
}

// session brings one up, from an address.
func session(from netip.Addr, open []byte) (*speakertest.Peer, error) {
	p, err := speakertest.Dial(context.Background(), from, netip.AddrPortFrom(nodeAddr, port))
	if err != nil {
		return nil, err
	}
	return p, p.Establish(open)
}

// usualOpen speaks all families.
func usualOpen(id netip.Addr) []byte {
	families := speakertest.Families(speakertest.IPv4, speakertest.IPv6, speakertest.EVPN)
	return speakertest.OpenMessage(speakertest.AS, id, families, speakertest.FourOctetAS(speakertest.AS))
}

// announce is a well-formed UPDATE of one prefix.
func announce(t *testing.T, p *speakertest.Peer, hop netip.Addr, prefix string) {
	t.Helper()
	attributes := speakertest.Usual(hop, speakertest.AS)
	if err := p.Write(speakertest.UpdateMessage(attributes, netip.MustParsePrefix(prefix))); err != nil {
		t.Fatal(err)
	}
}

// TestMalformedMessages sends each message over a session of its own, because what ends
// one keeps its neighbour out for five seconds.
func TestMalformedMessages(t *testing.T) {
	cases := speakertest.Malformed()
	n := newNode(t)
	addrs := []netip.Addr{witness, fresh}
	for i := range cases {
		addrs = append(addrs, attacker(i))
	}
	n.expect(t, addrs...)
	var other *speakertest.Peer
	harness.Eventually(t, 30*time.Second, func() string {
		var err error
		if other, err = session(witness, usualOpen(witness)); err != nil {
			return err.Error()
		}
		return ""
	})
	announce(t, other, witness, "198.51.100.0/24")
	harness.Eventually(t, 20*time.Second, func() string { return differs(n.learned("198.51.100.0/24"), witness.String()) })

	var wg sync.WaitGroup
	next := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range next {
				if missing := send(attacker(i), cases[i]); missing != "" {
					t.Errorf("%s: %s", cases[i].Name, missing)
				}
			}
		})
	}
	for i := range cases {
		next <- i
	}
	close(next)
	wg.Wait()

	if err := n.cmd.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("the speaker has ended: %v", err)
	}
	if got := n.learned("198.51.100.0/24"); got != witness.String() || !other.Up() {
		t.Errorf("the other session is up: %t, its route leads to %q", other.Up(), got)
	}
	var last *speakertest.Peer
	harness.Eventually(t, 30*time.Second, func() string {
		var err error
		if last, err = session(fresh, usualOpen(fresh)); err != nil {
			return err.Error()
		}
		return ""
	})
	announce(t, last, fresh, "198.51.101.0/24")
	harness.Eventually(t, 20*time.Second, func() string { return differs(n.learned("198.51.101.0/24"), fresh.String()) })
}

func differs(got, want string) string {
	if got == want {
		return ""
	}
	return fmt.Sprintf("got %q, want %q", got, want)
}

// send sends one case and waits until the speaker has dealt with it: it reads in order,
// so after a NOTIFICATION that follows the connection ends.
func send(from netip.Addr, c speakertest.Case) string {
	open := usualOpen(from)
	if c.TwoOctetAS {
		open = speakertest.OpenMessage(speakertest.AS, from, speakertest.Families(speakertest.IPv4))
	}
	if c.Open != nil {
		p, err := speakertest.Dial(context.Background(), from, netip.AddrPortFrom(nodeAddr, port))
		if err != nil {
			return err.Error()
		}
		defer p.Close()
		_ = p.Establish(c.Open) // it may agree, or not
		return ""
	}
	deadline := time.Now().Add(30 * time.Second)
	p, err := session(from, open)
	for err != nil && time.Now().Before(deadline) { // the neighbour may still be idle
		p, err = session(from, open)
	}
	if err != nil {
		return "no session: " + err.Error()
	}
	defer p.Close()
	if err := p.Write(c.Messages); err != nil {
		return err.Error()
	}
	_ = p.Write(speakertest.Message(speakertest.Notification, []byte{6, 2})) // it may have ended already
	select {
	case <-p.Done():
		return ""
	case <-time.After(30 * time.Second):
		return "the speaker has not read what was sent"
	}
}
