package bgp_test

import (
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Turning BFD on leaves the session alone. It ends once BFD fails, with a reason that both
// ends have, and routes are not kept: graceful restart is not for what BFD has found.
func TestBFDEndsTheSession(t *testing.T) {
	b := start(t, func(*bgp.Config) {})
	p := passive("192.0.2.2", object.IPv4Unicast)
	p.RestartTime, p.HoldTime = 30, 90
	apply(t, b, create(p))
	n := newNeighbour(t, neighbourAS, "192.0.2.2")
	n.dial("192.0.2.2", "192.0.2.1", func(p *api.Peer) {
		p.GracefulRestart = &api.GracefulRestart{Enabled: true, RestartTime: 33}
		p.AfiSafis[0].MpGracefulRestart.Config.Enabled = true
	}, object.IPv4Unicast)
	established(t, b, "192.0.2.2")
	watched := p
	watched.BFD = object.BFD{On: true}
	apply(t, b, []object.Change{{Before: p, After: watched}})

	state := func() (bgp.PeerState, uint32) {
		list, err := b.Peers(t.Context())
		raw, errRaw := b.Conn().Peers(t.Context(), "192.0.2.2")
		if err != nil || errRaw != nil || len(list) != 1 || len(raw) != 1 {
			t.Fatalf("%v, %v, %v", list, err, errRaw)
		}
		return list[0], raw[0].GetState().GetBfdState().GetLocalDiscriminator()
	}
	s, disc := state()
	if s.State != bgp.Established || s.Flaps != 0 || !s.BFD.Runs || s.BFD.State != bfd.Down || disc == 0 {
		t.Fatalf("after BFD was turned on: %+v", s)
	}
	// The neighbour's end is one packet and then silence; its port is ours in this namespace.
	from, to := &net.UDPAddr{IP: net.IPv4(192, 0, 2, 2)}, &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 3784}
	c, err := net.DialUDP("udp4", from, to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, _ := c.SyscallConn()
	_ = raw.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_TTL, 255) })
	packet := bfd.Packet{
		State: bfd.Init, DetectMult: 3, MyDisc: 9, YourDisc: disc, DesiredMinTx: 300_000, RequiredMinRx: 300_000,
	}
	if _, err := c.Write(packet.Append(nil)); err != nil {
		t.Fatal(err)
	}
	eventually(t, time.Minute, func() string {
		s, _ := state()
		if s.State == bgp.Established || s.BFD.Failures != 1 || s.Fault != speaker.FaultBFD {
			return fmt.Sprintf("%+v", s)
		}
		return ""
	})
	s, _ = state()
	if e := s.BFD.Events; len(e) != 2 || e[0].Cause() != bfd.CauseUp || e[1].Cause() != bfd.CauseExpired ||
		s.BFD.Counts[bfd.CauseExpired] != 1 || s.BFD.Diag != bfd.Expired {
		t.Errorf("events %+v, counts %v", e, s.BFD.Counts)
	}
	if s.LastError != "BFD: detection time expired" || s.Ours.Kept != bgp.KeptNo {
		t.Errorf("last error %q, our routes are kept: %+v", s.LastError, s.Ours)
	}
}
