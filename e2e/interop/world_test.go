package interop_test

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
	"sync/atomic"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	nodeAS   = 65001
	routerAS = 65002
)

// worlds counts the wires, so that tests can run side by side in one node.
var worlds atomic.Int32

// wire is a veth pair between the node and a router's namespace.
type wire struct {
	t              testing.TB
	dir            string
	pid            string // of the process that holds the namespace
	ours4, theirs4 string
	ours6, theirs6 string
	alias4         string // a second address of ours
	// ourDev and theirDev are the ends of the pair.
	ourDev, theirDev string
}

func newWire(t testing.TB) *wire {
	t.Helper()
	n := worlds.Add(1)
	dir, err := os.MkdirTemp("", "io") // short: it holds unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &wire{
		t: t, dir: dir,
		ours4: fmt.Sprintf("10.99.%d.1", n), theirs4: fmt.Sprintf("10.99.%d.2", n), alias4: fmt.Sprintf("10.99.%d.3", n),
		ours6: fmt.Sprintf("fd00:99:%x::1", n), theirs6: fmt.Sprintf("fd00:99:%x::2", n),
	}
	holder := child(t, dir+"/holder", "unshare", "-n", "sh", "-c", "echo; exec sleep infinity")
	w.pid = fmt.Sprint(holder.Process.Pid)
	harness.Eventually(t, 10*time.Second, func() string {
		b, _ := os.ReadFile(dir + "/holder")
		return unless(len(b) > 0, "no namespace yet")
	})
	ours, theirs := fmt.Sprintf("n%d", n), fmt.Sprintf("r%d", n)
	w.ourDev, w.theirDev = ours, theirs
	harness.Run(t, "ip", "link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", w.pid)
	t.Cleanup(func() { harness.Run(t, "ip", "link", "del", ours) })
	for _, addr := range []string{w.ours4 + "/24", w.alias4 + "/24", w.ours6 + "/64"} {
		address(addr, ours, func(args ...string) { harness.Run(t, args...) })
	}
	for _, addr := range []string{w.theirs4 + "/24", w.theirs6 + "/64"} {
		address(addr, theirs, func(args ...string) { w.run(args...) })
	}
	w.run("ip", "link", "set", "lo", "up")
	w.run("ip", "link", "set", theirs, "up")
	harness.Run(t, "ip", "link", "set", ours, "up")
	return w
}

// address adds an address that is in use at once: without duplicate address
// detection.
func address(addr, dev string, run func(...string)) {
	args := []string{"ip", "addr", "add", addr, "dev", dev}
	if strings.Contains(addr, ":") {
		args = append(args, "nodad")
	}
	run(args...)
}

// run runs a command in the router's namespace.
func (w *wire) run(args ...string) string {
	w.t.Helper()
	return harness.Run(w.t, w.inside(args...)...)
}

func (w *wire) inside(args ...string) []string {
	return append([]string{"nsenter", "-t", w.pid, "-n"}, args...)
}

func (w *wire) file(name, text string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.t.Fatal(err)
	}
	return path
}

func unless(ok bool, missing string) string {
	if ok {
		return ""
	}
	return missing
}

// node is `bgp-ovn speaker` and a backend that tells it what to do.
type node struct {
	t      testing.TB
	socket string
	cmd    *exec.Cmd
	*bgp.Backend
}

func newNode(t testing.TB) *node {
	t.Helper()
	dir, err := os.MkdirTemp("", "io")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	n := &node{t: t, socket: "unix:" + dir + "/s"}
	n.startSpeaker()
	n.dial()
	t.Cleanup(func() { n.Close() })
	return n
}

// oneBFD is held by the test whose speaker runs BFD: all nodes are one namespace, and that has
// one UDP port 3784 for each family.
var oneBFD sync.Mutex

// newBFDNode is a node whose speaker may run BFD, once no other one does.
func newBFDNode(t testing.TB) *node {
	t.Helper()
	oneBFD.Lock()
	t.Cleanup(oneBFD.Unlock) // the first cleanup is the last: the speaker has ended by then
	return newNode(t)
}

func (n *node) dial() {
	n.t.Helper()
	var err error
	n.Backend, err = bgp.Dial(bgp.Config{Config: speaker.Config{
		Socket: n.socket, AS: nodeAS, RouterID: netip.MustParseAddr("10.99.0.1"), ListenPort: -1,
		Logger: slog.New(slog.DiscardHandler),
	}})
	if err != nil {
		n.t.Fatal(err)
	}
	n.readable()
}

// redial is a new controller on the same speaker.
func (n *node) redial() {
	n.t.Helper()
	n.Close()
	n.dial()
}

func (n *node) change(before, after object.Value) {
	n.t.Helper()
	if err := n.Apply(context.Background(), []object.Change{{Before: before, After: after}})[0]; err != nil {
		n.t.Fatal(err)
	}
}

func (n *node) remove(v object.Value) { n.change(v, nil) }

// startSpeaker starts the process; the socket of one that was killed is its to
// remove.
func (n *node) startSpeaker() {
	n.t.Helper()
	dir := filepath.Dir(strings.TrimPrefix(n.socket, "unix:"))
	binary := os.Getenv(harness.BinaryVariable)
	n.cmd = preferred(n.t, filepath.Join(dir, "speaker"), binary, "speaker", "--listen", n.socket)
	harness.Eventually(n.t, 10*time.Second, func() string {
		b, _ := os.ReadFile(filepath.Join(dir, "speaker"))
		return unless(strings.Contains(string(b), "speaker runs"), "the speaker does not run")
	})
}

// killSpeaker ends it as a crash does.
func (n *node) killSpeaker() {
	n.t.Helper()
	n.cmd.Process.Kill()
	n.cmd.Wait()
}

// readable waits until the speaker answers, and reads it.
func (n *node) readable() {
	n.t.Helper()
	harness.Eventually(n.t, 10*time.Second, func() string {
		_, err := n.Read(context.Background(), actual.Focus{})
		return unless(err == nil, fmt.Sprint(err))
	})
}

// want applies values in the planner's order: paths, then peers.
func (n *node) want(values ...object.Value) {
	n.t.Helper()
	for _, kind := range []object.Kind{object.KindPath, object.KindEVPN, object.KindPeer} {
		var changes []object.Change
		for _, v := range values {
			if v.Key().Kind == kind {
				changes = append(changes, object.Change{After: v})
			}
		}
		for i, err := range n.Apply(context.Background(), changes) {
			if err != nil {
				n.t.Fatalf("%s: %v", changes[i].Key().Text(), err)
			}
		}
	}
}

// state is how the session with address is.
func (n *node) state(address string) bgp.PeerState {
	n.t.Helper()
	list, err := n.Peers(context.Background())
	if err != nil {
		n.t.Fatal(err)
	}
	for _, p := range list {
		if p.Address == address {
			return p
		}
	}
	return bgp.PeerState{}
}

func path(prefix string) object.Path {
	return object.NewPath(netip.MustParsePrefix(prefix), object.OriginIncomplete)
}

// toRouter is a peer with short times.
func toRouter(address string, families ...object.Family) object.Peer {
	var names []string
	for _, f := range families {
		names = append(names, f.String())
	}
	return object.Peer{
		Address: address, Port: 179, AS: routerAS, HoldTime: 9, ConnectRetry: 2, Families: object.WordsOf(names...),
	}
}
