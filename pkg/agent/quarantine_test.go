package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// fragileEnv makes the test binary a speaker process with a defect: it panics where
// GoBGP reads a message whose header is malformed.
const fragileEnv = "AGENT_TEST_SPEAKER"

// fragile is a log handler that panics in the goroutine that reads the message.
type fragile struct{ slog.Handler }

// Handle panics on the message that GoBGP logs while it reads one.
func (f fragile) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "malformed BGP Header") {
		panic("injected: " + r.Message)
	}
	return f.Handler.Handle(ctx, r)
}

// WithAttrs keeps the defect.
func (f fragile) WithAttrs(attrs []slog.Attr) slog.Handler {
	return fragile{f.Handler.WithAttrs(attrs)}
}

// serveFragile is that process.
func serveFragile(socket string) int {
	log := slog.New(fragile{slog.NewTextHandler(os.Stderr, nil)})
	if err := ServeSpeaker(context.Background(), socket, "test", log); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// supervised keeps a fragile speaker running, as systemd does.
type supervised struct {
	mu    sync.Mutex
	said  bytes.Buffer
	ended int
}

func supervise(t *testing.T, socket string) *supervised {
	t.Helper()
	s := &supervised{}
	ctx, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			cmd := exec.CommandContext(ctx, os.Args[0])
			cmd.Env = append(os.Environ(), fragileEnv+"="+socket)
			said, err := cmd.CombinedOutput()
			s.mu.Lock()
			s.said.Write(said)
			if err != nil && ctx.Err() == nil {
				s.ended++
			}
			s.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		stop()
		done.Wait()
		if t.Failed() {
			t.Logf("the speakers said: %.4000s", s.said.String())
		}
	})
	return s
}

// deaths is how often it ended.
func (s *supervised) deaths() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// neighbour keeps a session up that survives restarts, from an address of this
// namespace, until the test ends.
type neighbour struct {
	from netip.Addr
	mu   sync.Mutex
	peer *speakertest.Peer
}

const speakerPort = 1791

var speakerAddr = netip.MustParseAddr("127.0.0.1")

// up brings the session up if it is not, and announces a prefix.
func (n *neighbour) up() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.peer != nil && n.peer.Up() {
		return ""
	}
	p, err := speakertest.Dial(context.Background(), n.from, netip.AddrPortFrom(speakerAddr, speakerPort))
	if err != nil {
		return err.Error()
	}
	families := speakertest.Families(speakertest.IPv4)
	open := speakertest.OpenMessage(speakertest.AS, n.from, families, speakertest.FourOctetAS(speakertest.AS))
	if err := p.Establish(open); err != nil {
		return errors.Join(err, p.Close()).Error()
	}
	n.peer = p
	return ""
}

// tooShort is a message with a length below that of its header.
var tooShort = append(bytes.Repeat([]byte{0xff}, 16), 0, 18, 4)

// kill ends the speaker by a message in the established session.
func (n *neighbour) kill() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peer.Write(tooShort)
}

// killEarly ends the speaker by what it sends in place of an OPEN.
func (n *neighbour) killEarly() error {
	p, err := speakertest.Dial(context.Background(), n.from, netip.AddrPortFrom(speakerAddr, speakerPort))
	if err != nil {
		return err
	}
	defer p.Close()
	return p.Write(tooShort)
}

func peerState(s control.Status, address string) string {
	i := slices.IndexFunc(s.Peers, func(p control.Peer) bool { return p.Address == address })
	if i < 0 {
		return "absent"
	}
	return s.Peers[i].State
}

func quarantinedPeers(s control.Status) (out []string) {
	for _, q := range s.Quarantined {
		out = append(out, q.Peer)
	}
	return out
}

// fragileWorld is a node with a fragile speaker process and two neighbours.
type fragileWorld struct {
	*world
	node      *Node
	client    *control.Client
	speakers  *supervised
	bad, good *neighbour
}

func newFragileWorld(t *testing.T) *fragileWorld {
	t.Helper()
	w := &fragileWorld{
		world: newWorld(t),
		bad:   &neighbour{from: netip.MustParseAddr("127.0.0.66")}, good: &neighbour{from: netip.MustParseAddr("127.0.0.2")},
	}
	socket := "unix:" + w.path("speaker.sock")
	w.configure(fmt.Sprintf(`bgp: {as: 65001, router_id: 192.0.2.1, speaker: %q, listen: {address: 127.0.0.1, port: %d}, `+
		`peers: [{address: %s, as: %d, passive: true}, {address: %s, as: %d, passive: true}]}`,
		socket, speakerPort, w.bad.from, speakertest.AS, w.good.from, speakertest.AS))
	w.speakers = supervise(t, socket)
	w.node = w.open()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.node.Run(ctx, "test") }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	w.client = control.NewClient(w.path("control.sock"))
	return w
}

// established brings sessions up and returns what is missing.
func (w *fragileWorld) established(want ...*neighbour) func() string {
	return func() string {
		s, err := w.client.Status(context.Background())
		if err != nil {
			return err.Error()
		}
		for _, n := range want {
			missing := n.up()
			if state := peerState(s, n.from.String()); state != control.Established {
				return fmt.Sprintf("peer %s is %s (%s)", n.from, state, missing)
			}
		}
		return ""
	}
}

// quarantined returns what is missing until the peers in quarantine are these.
func (w *fragileWorld) quarantined(want ...string) func() string {
	return func() string {
		s, err := w.client.Status(context.Background())
		if got := quarantinedPeers(s); err != nil || !slices.Equal(got, want) {
			return fmt.Sprintf("quarantined %v, want %v (%v)", got, want, err)
		}
		return ""
	}
}

// A peer whose messages end the speaker process twice is held down by name, while the
// other one comes back and gets our routes; the command releases it.
func TestPeerThatEndsTheSpeakerIsQuarantined(t *testing.T) {
	w := newFragileWorld(t)
	await(t, w.established(w.good))
	await(t, func() string {
		if w.speakers.deaths() > 0 {
			return ""
		}
		return fmt.Sprintf("the speaker lives (%v)", w.bad.killEarly())
	})
	await(t, w.established(w.bad, w.good))
	if missing := w.quarantined()(); missing != "" {
		t.Fatalf("after one death: %s", missing)
	}
	if err := w.bad.kill(); err != nil {
		t.Fatal(err)
	}
	await(t, w.quarantined(w.bad.from.String()))
	await(t, w.established(w.good))
	await(t, func() string {
		if w.good.peer.Updates() == 0 {
			return "the other peer gets no routes"
		}
		return ""
	})
	w.checkShown(t)
	if w.bad.up() == "" {
		t.Error("the quarantined peer has a session")
	}

	ctx := t.Context()
	if _, err := w.client.ReleasePeer(ctx, w.good.from.String()); err == nil ||
		!strings.Contains(err.Error(), "is not quarantined; quarantined: 127.0.0.66") {
		t.Errorf("release of the other peer: %v", err)
	}
	if _, err := w.client.ReleasePeer(ctx, w.bad.from.String()); err != nil {
		t.Fatal(err)
	}
	await(t, w.established(w.bad, w.good))
	if missing := w.quarantined()(); missing != "" {
		t.Errorf("after the release: %s", missing)
	}
	if w.speakers.deaths() != 2 {
		t.Errorf("the speaker ended %d times, want 2", w.speakers.deaths())
	}
}

// checkShown looks for the quarantine in all that an operator reads.
func (w *fragileWorld) checkShown(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	s, err := w.client.Status(ctx)
	if err != nil || !slices.Contains(problemCodes(s), "peer-quarantined") || peerState(s, "127.0.0.66") != "absent" {
		t.Errorf("status: problems %v, peers %+v, %v", s.Problems, s.Peers, err)
	}
	p, err := w.client.Plan(ctx)
	if err != nil || !slices.ContainsFunc(p.Notes, func(n control.Note) bool {
		return n.Code == "quarantined" && n.Key == "127.0.0.66"
	}) {
		t.Errorf("plan: %+v, %v", p.Notes, err)
	}
	e, err := w.client.Explain(ctx, here.String())
	if err != nil || !strings.Contains(fmt.Sprint(e), "127.0.0.66 quarantined until") {
		t.Errorf("explain: %+v, %v", e, err)
	}
	if !strings.Contains(w.logged.String(), "bgp-ovn peer release 127.0.0.66") {
		t.Error("the log has no remedy")
	}
	if m := metricsOf(w.node); !strings.Contains(m, `bgp_ovn_peer_quarantined{peer="127.0.0.66"} 1`) ||
		!strings.Contains(m, `bgp_ovn_peer_quarantined{peer="127.0.0.2"} 0`) {
		t.Errorf("metrics:\n%s", m)
	}
}

func metricsOf(n *Node) string {
	w := httptest.NewRecorder()
	n.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	text, _ := io.ReadAll(w.Result().Body)
	return string(text)
}

// In the one-process form a new process holds at its start whom the record names, so
// that it does not end again and again. Each command that releases it does so.
func TestQuarantineAtTheStartOfOneProcess(t *testing.T) {
	for name, release := range map[string]func(context.Context, *control.Client) error{
		"peer release": func(ctx context.Context, c *control.Client) error {
			_, err := c.ReleasePeer(ctx, "127.0.0.66")
			return err
		},
		"retry --all": func(ctx context.Context, c *control.Client) error {
			r, err := c.Retry(ctx, "")
			want := control.RetriedObject{Kind: "peer", Key: "127.0.0.66"}
			if err == nil && !slices.Contains(r.Objects, want) {
				err = fmt.Errorf("tried again: %v, want %v", r.Objects, want)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) { testQuarantineAtTheStart(t, release) })
	}
}

func testQuarantineAtTheStart(t *testing.T, release func(context.Context, *control.Client) error) {
	t.Helper()
	w := newWorld(t, "bgp: {listen: {port: -1}, "+
		"peers: [{address: 127.0.0.66, as: 65010}, {address: 127.0.0.2, as: 65010}]}")
	now := time.Now()
	text, err := json.Marshal(speaker.Deaths{
		{At: now.Add(-3 * time.Minute), Peer: "127.0.0.66"},
		{At: now.Add(-time.Minute), Peer: "127.0.0.66"},
		{At: now.Add(-time.Minute), Peer: "127.0.0.2"},
	})
	if err == nil {
		err = os.WriteFile(w.path("state.db.deaths"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	c := w.start()
	ctx := t.Context()
	s, err := c.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := quarantinedPeers(s); !slices.Equal(got, []string{"127.0.0.66"}) ||
		peerState(s, "127.0.0.66") != "absent" || peerState(s, "127.0.0.2") == "absent" {
		t.Errorf("quarantined %v, peers %+v", got, s.Peers)
	}
	if err := release(ctx, c); err != nil {
		t.Fatal(err)
	}
	await(t, func() string {
		s, err := c.Status(ctx)
		if err != nil {
			return err.Error()
		}
		if len(s.Quarantined) > 0 || peerState(s, "127.0.0.66") == "absent" {
			return fmt.Sprintf("after the release: quarantined %v, peers %+v", s.Quarantined, s.Peers)
		}
		return ""
	})
}
