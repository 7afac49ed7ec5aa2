package bgp_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// events collects what the hook is called with.
type events struct {
	mu   sync.Mutex
	list []bgp.PeerEvent
}

func (e *events) add(p bgp.PeerEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, p)
}

// entered counts how often a state was entered.
func (e *events) entered(s bgp.State) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for _, p := range e.list {
		if p.State == s {
			n++
		}
	}
	return n
}

func awaitSignal(t *testing.T, b *bgp.Backend) {
	t.Helper()
	select {
	case <-b.Changed():
	case <-time.After(30 * time.Second):
		t.Fatal("no signal")
	}
}

func TestSessionChangesAreSignalled(t *testing.T) {
	var seen events
	b := start(t, func(c *bgp.Config) { c.OnPeer = seen.add })
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.RestartTime = 30
	apply(t, b, create(p))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", func(p *api.Peer) {
		p.GracefulRestart = &api.GracefulRestart{Enabled: true, RestartTime: 33}
		p.AfiSafis[0].MpGracefulRestart.Config.Enabled = true
	}, object.IPv4Unicast)
	awaitSignal(t, b)
	s := established(t, b, "192.0.2.2")
	if s.HoldTime != 9 || s.LocalAddress != "192.0.2.1" || s.RouterID != "192.0.2.2" || s.AS != neighbourAS {
		t.Errorf("state %+v", s)
	}
	if !s.Graceful || s.RestartTime != 33 || time.Since(s.Since) > time.Minute {
		t.Errorf("state %+v", s)
	}
	apply(t, b, create(path("203.0.113.7/32")))
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
	if got := stateOf(t, b, "192.0.2.2").Families[0]; got.Sent != 1 {
		t.Errorf("%+v, want one sent: the End-of-RIB is not a prefix", got)
	}
	if err := n.s.ShutdownPeer(context.Background(), &api.ShutdownPeerRequest{
		Address:       "192.0.2.1",
		Communication: "maintenance",
	}); err != nil {
		t.Fatal(err)
	}
	awaitSignal(t, b)
	eventually(t, 10*time.Second, func() string {
		s = stateOf(t, b, "192.0.2.2")
		if s.State == bgp.Established || !strings.Contains(s.LastError, "maintenance") {
			return fmt.Sprintf("state %+v", s)
		}
		return ""
	})
	if seen.entered(bgp.Established) != 1 || seen.entered(bgp.Idle) == 0 {
		t.Errorf("events %+v", seen.list)
	}
}

func TestLastErrorSaysWhy(t *testing.T) {
	b := start(t, nil)
	refused := peer("192.0.2.2", object.IPv4Unicast)
	refused.Port = 1
	stranger := passive("192.0.2.3", object.IPv4Unicast)
	stranger.AS = 65003
	apply(t, b, create(refused, stranger))
	n := newNeighbour(t, neighbourAS, "192.0.2.3")
	n.dial("192.0.2.3", "192.0.2.1", nil, object.IPv4Unicast)
	for address, want := range map[string]string{"192.0.2.2": "connection refused", "192.0.2.3": "bad peer as"} {
		eventually(t, 20*time.Second, func() string {
			if s := stateOf(t, b, address); !strings.Contains(strings.ToLower(s.LastError), want) {
				return fmt.Sprintf("%+v, want %q", s, want)
			}
			return ""
		})
	}
}

// changesOfPeers has a case, or several, for each field of a peer.
func changesOfPeers() map[string]func(before, after *object.Peer) {
	return map[string]func(before, after *object.Peer){
		"HoldTime":             func(_, p *object.Peer) { p.HoldTime = 30 },
		"ConnectRetry":         func(_, p *object.Peer) { p.ConnectRetry = 5 },
		"PrefixLimit":          func(_, p *object.Peer) { p.PrefixLimit = 1000 },
		"Multihop":             func(_, p *object.Peer) { p.Multihop = 4 },
		"TTLSecurity":          func(_, p *object.Peer) { p.TTLSecurity = true },
		"Port":                 func(_, p *object.Peer) { p.Port = 1799 },
		"Password":             func(_, p *object.Peer) { p.Password = "secret" },
		"Families":             func(_, p *object.Peer) { p.Families = object.WordsOf("ipv4-unicast", "ipv6-unicast") },
		"AS":                   func(_, p *object.Peer) { p.AS = 65009 },
		"Passive":              func(_, p *object.Peer) { p.Passive = false },
		"LocalAddress":         func(_, p *object.Peer) { p.LocalAddress = netip.MustParseAddr("192.0.2.1") },
		"AllowOwnAS":           func(_, p *object.Peer) { p.AllowOwnAS = 1 },
		"BFD":                  func(_, p *object.Peer) { p.BFD = object.BFD{On: true} },
		"AddPathReceive":       func(_, p *object.Peer) { p.AddPathReceive = true },
		"RestartTime":          func(_, p *object.Peer) { p.RestartTime = 60 },
		"RestartTime, another": func(b, p *object.Peer) { b.RestartTime, p.RestartTime = 60, 90 },
		"LLGRTime":             func(b, p *object.Peer) { b.RestartTime, p.RestartTime, p.LLGRTime = 60, 60, 60 },
		"LLGRTime, another": func(b, p *object.Peer) {
			b.RestartTime, p.RestartTime, b.LLGRTime, p.LLGRTime = 60, 60,
				60, 90
		},
		"HoldTime and Families":   func(_, p *object.Peer) { p.HoldTime, p.Families = 30, object.WordsOf("ipv6-unicast") },
		"HoldTime and the limits": func(_, p *object.Peer) { p.HoldTime, p.PrefixLimit, p.ConnectRetry = 30, 7, 9 },
	}
}

// A change resets the session, as the neighbour sees it, if Peer.Resets reports so.
func TestResets(t *testing.T) {
	for name, change := range changesOfPeers() {
		t.Run(name, func(t *testing.T) {
			before := passive("192.0.2.2", object.IPv4Unicast)
			after := before
			change(&before, &after)
			b := start(t, nil)
			apply(t, b, create(before))
			n := newNeighbour(t, neighbourAS, "192.0.2.2")
			n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
			n.sees(0, true)
			apply(t, b, []object.Change{{Before: before, After: after}})
			if why := before.Resets(after); len(why) > 0 {
				n.sees(1, false)
				return
			}
			// What is announced afterwards arrives, over the session that was there.
			apply(t, b, create(path("203.0.113.7/32")))
			n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
			n.sees(0, true)
		})
	}
}

func TestEveryFieldOfAPeerHasACase(t *testing.T) {
	cases := changesOfPeers()
	for i := range reflect.TypeFor[object.Peer]().NumField() {
		if name := reflect.TypeFor[object.Peer]().Field(i).Name; cases[name] == nil && name != "Address" {
			t.Errorf("no case for %s: add one, and decide in object.Peer.Resets", name)
		}
	}
}

// sees waits until the neighbour has lost its session so many times; up is
// whether it must have it now.
func (n *neighbour) sees(lost uint32, up bool) {
	n.t.Helper()
	eventually(n.t, 20*time.Second, func() (missing string) {
		err := n.s.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
			established := p.State.SessionState == api.PeerState_SESSION_STATE_ESTABLISHED
			if p.State.Flops != lost || up && !established {
				missing = fmt.Sprintf("the neighbour lost its session %d times, want %d; it is %s now", p.State.Flops, lost,
					p.State.SessionState)
			}
		})
		if err != nil {
			n.t.Fatal(err)
		}
		return missing
	})
}

// GoBGP forgets to take the password off the listening socket.
func TestPasswordComesAndGoes(t *testing.T) {
	b := start(t, nil)
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.Password = "secret"
	withKey := func(key string) *neighbour {
		n := newNeighbour(t, neighbourAS, "192.0.2.2")
		n.dial("192.0.2.2", "192.0.2.1", func(p *api.Peer) { p.Conf.AuthPassword = key }, object.IPv4Unicast)
		return n
	}
	apply(t, b, create(p))
	first := withKey("secret")
	established(t, b, p.Address)
	first.end()
	apply(t, b, remove(p))

	open := p
	open.Password = ""
	apply(t, b, create(open))
	second := withKey("")
	established(t, b, p.Address)
	second.end()

	apply(t, b, []object.Change{{Before: open, After: p}})
	withKey("secret")
	established(t, b, p.Address)
}

// Without the setting in main_test.go the password would have no effect.
func TestPasswordNeedsPlainTCP(t *testing.T) {
	t.Setenv("GODEBUG", "multipathtcp=2")
	b := start(t, nil)
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.Password = "secret"
	if err := b.Apply(context.Background(), create(p))[0]; err == nil || !strings.Contains(err.Error(), "Multipath TCP") {
		t.Errorf("got error %v", err)
	}
}

// A neighbour with TTL security drops our first packets until we have it too,
// and GoBGP must not go on with the TTL that it began with.
func TestTTLSecurityReachesAPeerThatIsConnecting(t *testing.T) {
	lc := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_MINTTL, 255)
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, 255)
		})
	}}
	strict, err := lc.Listen(t.Context(), "tcp4", "192.0.2.2:1791")
	if err != nil {
		t.Fatal(err)
	}
	defer strict.Close()
	called := make(chan struct{})
	go func() {
		if c, err := strict.Accept(); err == nil {
			c.Close()
			close(called)
		}
	}()
	b := start(t, noListener)
	p := peer("192.0.2.2", object.IPv4Unicast)
	p.Port = 1791
	apply(t, b, create(p))
	eventually(t, 20*time.Second, func() string {
		s := stateOf(t, b, p.Address)
		return emptyIf(strings.Contains(s.LastError, "timeout"), fmt.Sprintf("%+v", s))
	})
	after := p
	after.TTLSecurity = true
	apply(t, b, []object.Change{{Before: p, After: after}})
	select {
	case <-called:
	case <-time.After(20 * time.Second):
		t.Fatal("no connection with the new TTL")
	}
}

func TestCloseLeavesSessions(t *testing.T) {
	b := start(t, nil)
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast)))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if s := stateOf(t, b, "192.0.2.2"); s.State != bgp.Established {
		t.Errorf("%+v", s)
	}
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
}

func TestShutdownWithdraws(t *testing.T) {
	b := start(t, nil)
	apply(t, b, create(path("203.0.113.7/32")))
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.RestartTime = 120
	apply(t, b, create(p))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", nil, object.IPv4Unicast)
	n.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": "192.0.2.1"})
	if err := b.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	n.expect(object.IPv4Unicast, map[string]string{})
}
