package agent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/bmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
)

// station is a monitoring station that reads as RFC 7854 has it.
type station struct {
	listener net.Listener

	mu    sync.Mutex
	conns []net.Conn
	// told are the messages in short, since the last connection; begun counts these.
	told  []string
	begun int
	wrong error
}

// newStation listens on an address; port 0 is any.
func newStation(t *testing.T, at string) *station {
	t.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{listener: l}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns, s.told = append(s.conns, c), nil
			s.begun++
			s.mu.Unlock()
			if err := s.read(c); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				s.mu.Lock()
				s.wrong = err
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(s.away)
	return s
}

// away is the end of the station.
func (s *station) away() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.Close()
	}
}

func (s *station) read(c net.Conn) error {
	for {
		head := make([]byte, bmp.BMP_HEADER_SIZE)
		if _, err := io.ReadFull(c, head); err != nil {
			return err
		}
		length := binary.BigEndian.Uint32(head[1:])
		if head[0] != bmp.BMP_VERSION || length < bmp.BMP_HEADER_SIZE || length > 1<<20 {
			return fmt.Errorf("header % x", head)
		}
		raw := append(head, make([]byte, int(length)-len(head))...)
		if _, err := io.ReadFull(c, raw[len(head):]); err != nil {
			return err
		}
		m, err := bmp.ParseBMPMessageWithOptions(raw, optionsOf)
		if err != nil {
			return fmt.Errorf("message % x: %w", raw, err)
		}
		s.mu.Lock()
		s.told = append(s.told, inShort(m)...)
		s.mu.Unlock()
	}
}

// connections counts those that have begun.
func (s *station) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.begun
}

// optionsOf are those of a message: paths of the Loc-RIB have identifiers, as its "peer" says
// when it comes up.
func optionsOf(from bmp.BMPPeerHeader) []*bgp.MarshallingOption {
	if from.PeerType != bmp.BMP_PEER_TYPE_LOCAL_RIB {
		return nil
	}
	return []*bgp.MarshallingOption{{AddPath: map[bgp.Family]bgp.BGPAddPathMode{bgp.RF_IPv4_UC: bgp.BGP_ADD_PATH_BOTH}}}
}

// inShort is a message in the words of the test.
func inShort(m *bmp.BMPMessage) (out []string) {
	table := "peer"
	if m.PeerHeader.PeerType == bmp.BMP_PEER_TYPE_LOCAL_RIB {
		table = "local"
	}
	switch body := m.Body.(type) {
	case *bmp.BMPInitiation:
		for _, tlv := range body.Info {
			if text, ok := tlv.(*bmp.BMPInfoTLVString); ok {
				out = append(out, "initiation "+text.Value)
			}
		}
	case *bmp.BMPPeerUpNotification:
		out = append(out, strings.TrimSuffix(table+" up "+m.PeerHeader.PeerAddress.String(), " invalid IP"))
	case *bmp.BMPPeerDownNotification:
		out = append(out, table+" down "+m.PeerHeader.PeerAddress.String())
	case *bmp.BMPRouteMonitoring:
		if update, ok := body.BGPUpdate.Body.(*bgp.BGPUpdate); ok {
			for _, nlri := range update.NLRI {
				out = append(out, table+" has "+nlri.NLRI.String())
			}
			for _, nlri := range update.WithdrawnRoutes {
				out = append(out, table+" lost "+nlri.NLRI.String())
			}
		}
	}
	return out
}

// hears waits until the station has been told all of it since it was connected last.
func (s *station) hears(t *testing.T, lines ...string) {
	t.Helper()
	await(t, func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.wrong != nil {
			t.Fatalf("what the station was sent cannot be read: %v", s.wrong)
		}
		for _, line := range lines {
			if !slices.Contains(s.told, line) {
				return fmt.Sprintf("no %q in %q", line, s.told)
			}
		}
		return ""
	})
}

// TestBMP: a station is told of the session, of what the peer announces and of what we do, in
// both forms of the speaker. It may be away, or come back, and a reload takes it away.
func TestBMP(t *testing.T) {
	speakerForms(t, ownBMPPort, func(t *testing.T, w *world, speakerKey string, port uint16) {
		at := "127.0.0.1:0"
		s := newStation(t, at)
		at = s.listener.Addr().String()
		configure := func(bmp string) {
			w.configure(fmt.Sprintf(`bgp: {as: 65001, router_id: 192.0.2.1, %slisten: {address: 127.0.0.1, port: %d}, %s`+
				`peers: [{address: %s, as: %d, passive: true}]}`, speakerKey, port, bmp, tablePeer, speakertest.AS))
		}
		_, stationPort, _ := strings.Cut(at, ":")
		configure(fmt.Sprintf("bmp: [{address: 127.0.0.1, port: %s}], ", stationPort))
		c, n, _ := w.serviceNode()
		var peer *speakertest.Peer
		await(t, func() string {
			var err error
			if peer, err = sessionWith(port, tablePeer, speakertest.AS); err != nil {
				return err.Error()
			}
			return ""
		})
		t.Cleanup(func() { _ = peer.Close() })
		theirs := netip.MustParsePrefix("10.1.0.0/24")
		if err := peer.Write(speakertest.UpdateMessage(speakertest.Usual(tablePeer, speakertest.AS), theirs)); err != nil {
			t.Fatal(err)
		}
		name, err := os.Hostname()
		if err != nil {
			t.Fatal(err)
		}
		all := []string{
			"initiation " + name, "local up", "peer up " + tablePeer.String(), "peer has " + theirs.String(),
			"local has " + here.String() + "/32",
		}
		s.hears(t, all...)
		up := fmt.Sprintf("bgp_ovn_bmp_up{station=%q} ", at)
		await(t, func() string { return lacks(metricsOf(n), up+"1") })

		// The station goes away. The node and its session are as they were, and another
		// station at the same place is told everything.
		s.away()
		await(t, func() string { return lacks(metricsOf(n), up+"0") })
		if st, err := c.Status(t.Context()); err != nil || slices.Contains(problemCodes(st), "peer-down") || !peer.Up() {
			t.Errorf("problems %+v, session up: %v, %v", st.Problems, peer.Up(), err)
		}
		again := newStation(t, at)
		again.hears(t, all...)

		if speakerKey != "" { // the speaker ends, and its successor tells of all that is left
			begun := again.connections()
			if err := peer.Write(tooShort); err != nil {
				t.Fatal(err)
			}
			await(t, func() string {
				if again.connections() == begun {
					return "no new connection"
				}
				return ""
			})
			again.hears(t, "initiation "+name, "local up", "local has "+here.String()+"/32")
		}

		// Without the station in the configuration there is no connection and no series.
		configure("")
		if _, err := c.Reload(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		await(t, func() string {
			if text := metricsOf(n); strings.Contains(text, "bgp_ovn_bmp_up{") {
				return "the series is left"
			}
			return ""
		})
	})
}

func lacks(text, line string) string {
	if strings.Contains(text, line+"\n") {
		return ""
	}
	return "no " + line
}
