package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// controllerEnv makes the test binary a controller with a configuration.
const controllerEnv = "AGENT_TEST_CONTROLLER"

// runController is that process.
func runController(path string) int {
	s, err := loadFile(path)
	var n *Node
	if err == nil {
		n, err = Open(context.Background(), s, Options{
			Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Program: "test",
			Load: func(set ...string) (config.Settings, error) { return loadFile(path, set...) },
		})
	}
	if err == nil {
		err = errors.Join(n.Run(context.Background(), "test"), n.Close())
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// frozenHold is the hold time of the sessions in this test, and frozenFor how many of
// them a process is frozen for.
const (
	frozenHold = 9 * time.Second
	frozenFor  = 2
)

// A controller that is frozen for longer than the hold time costs no session if the
// speaker is a process of its own: the neighbour hears its keepalives and keeps every
// route. When it goes on, it takes up what has changed. A speaker that is frozen that long
// costs the sessions, which come back when it goes on.
func TestProofControllerFrozen(t *testing.T) {
	w := newWorld(t)
	socket := "unix:" + w.path("speaker.sock")
	from := netip.MustParseAddr("127.0.0.3")
	w.configure(fmt.Sprintf(`bgp: {as: 65001, router_id: 192.0.2.1, speaker: %q, listen: {address: 127.0.0.1, port: %d}, `+
		`peers: [{address: %s, as: %d, passive: true, hold_time: %d}]}`,
		socket, speakerPort, from, speakertest.AS, int(frozenHold.Seconds())))
	speaker := w.process(fragileEnv + "=" + socket)
	controller := w.process(controllerEnv + "=" + w.config)
	c := control.NewClient(w.path("control.sock"))
	await(t, w.routed)
	peer := w.neighbour(c, from)

	w.signal(controller, syscall.SIGSTOP)
	for range proof.Count(1, 5) {
		if lasted := w.lasts(peer, frozenFor*frozenHold); lasted != "" {
			t.Fatalf("the controller is frozen: %s", lasted)
		}
	}
	updates := peer.Updates()
	w.bind("vm-b", "hv1")
	w.signal(controller, syscall.SIGCONT)
	await(t, func() string {
		if peer.Updates() == updates || !strings.Contains(w.routes(), there.String()) {
			return "what changed meanwhile is not announced"
		}
		return ""
	})
	if !peer.Up() {
		t.Error("the session ended when the controller went on")
	}

	w.signal(speaker, syscall.SIGSTOP)
	if lasted := w.lasts(peer, frozenFor*frozenHold); lasted == "" {
		t.Error("a frozen speaker keeps its sessions: the neighbour does not notice anything")
	}
	w.signal(speaker, syscall.SIGCONT)
	w.neighbour(c, from)
	proof.Report(t, "controller frozen for %d x %s with a hold time of %s: 0 sessions lost, 0 withdrawals; "+
		"speaker frozen: the session is lost and comes back", proof.Count(1, 5), frozenFor*frozenHold, frozenHold)
}

// process runs the test binary in a role until the test ends.
func (w *world) process(role string) *exec.Cmd {
	w.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), role)
	cmd.Stdout, cmd.Stderr = w.logged, w.logged
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}

func (w *world) signal(cmd *exec.Cmd, s syscall.Signal) {
	w.t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		w.t.Fatal(err)
	}
}

// neighbour brings a session up that has a Hold Timer, and waits for a route.
func (w *world) neighbour(c *control.Client, from netip.Addr) *speakertest.Peer {
	w.t.Helper()
	var peer *speakertest.Peer
	await(w.t, func() string {
		if peer == nil || !peer.Up() {
			var err error
			if peer, err = speakertest.Dial(w.t.Context(), from, netip.AddrPortFrom(speakerAddr, speakerPort)); err != nil {
				return err.Error()
			}
			peer.Hold(frozenHold)
			open := speakertest.OpenMessage(speakertest.AS, from, speakertest.Families(speakertest.IPv4),
				speakertest.FourOctetAS(speakertest.AS))
			if err := peer.Establish(open); err != nil {
				err = errors.Join(err, peer.Close())
				peer = nil
				return err.Error()
			}
		}
		s, err := c.Status(w.t.Context())
		switch {
		case err != nil:
			return err.Error()
		case peerState(s, from.String()) != control.Established || peer.Updates() == 0:
			return "no route has come"
		}
		return ""
	})
	w.t.Cleanup(func() { peer.Close() })
	return peer
}

// lasts says what happens to a session in a time; empty if nothing does.
func (w *world) lasts(peer *speakertest.Peer, d time.Duration) string {
	updates := peer.Updates()
	select {
	case <-peer.Done():
		return "the session has ended"
	case <-time.After(d):
	}
	if n := peer.Updates() - updates; n > 0 {
		return fmt.Sprintf("the neighbour got %d updates", n)
	}
	return ""
}
