package lookingpoint

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/packet/bmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// The bounds of a BMP session (RFC 7854).
const (
	// maxBMP is the longest message that is read: a Peer Up has two OPEN messages, and a
	// statistics report a few hundred octets.
	maxBMP = 64 << 10
	// maxMonitored is how many peers of the router are followed. The paths of others are
	// left out.
	maxMonitored = 1 << 12
)

// errPrePolicy is why nothing can be seen of a router that tells what it has before its
// policy only: what that refuses looks as if it were there.
var errPrePolicy = errors.New("it sends what it has before its policy only (pre-policy): have it send post-policy " +
	"tables")

// runBMP accepts the router's BMP sessions, one at a time, until ctx ends.
func (s *Session) runBMP(ctx context.Context) {
	pause := s.cfg.Retry
	for ctx.Err() == nil {
		err := s.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		s.down(err)
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		pause = min(2*pause, lastRetry)
	}
}

// listen accepts sessions until ctx ends, or the socket fails.
func (s *Session) listen(ctx context.Context) error {
	lc := net.ListenConfig{Control: s.prepareBMP}
	lc.SetMultipathTCP(false) // such sockets take no MD5 key
	l, err := lc.Listen(ctx, "tcp", s.cfg.BMP.String())
	if err != nil {
		return err
	}
	shut := func() { _ = l.Close() } // nothing is lost by that
	defer context.AfterFunc(ctx, shut)()
	defer shut()
	s.down(fmt.Errorf("it has not connected to %s yet (BMP)", s.cfg.BMP))
	stop := func() {}
	defer func() { stop() }()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		from := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
		if from.WithZone("") != s.cfg.Remote.Addr().WithZone("") {
			s.log.Warn("refusing a BMP session that is not the looking point's", "from", from)
			conn.Close()
			continue
		}
		stop() // a router that connects again has forgotten the former session
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.down(s.monitor(ctx, conn))
		}()
		stop = func() { cancel(); <-done }
	}
}

// prepareBMP gives the listening socket the password.
func (s *Session) prepareBMP(_, _ string, c syscall.RawConn) error {
	if s.cfg.Password == "" {
		return nil
	}
	var err error
	ctlErr := c.Control(func(fd uintptr) { err = setPassword(int(fd), s.cfg.Remote.Addr(), s.cfg.Password) })
	return errors.Join(err, ctlErr)
}

// monitor takes in what one session brings, until it ends.
func (s *Session) monitor(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// A router that is gone without a word is noticed by keepalives of TCP: BMP has none.
	if tcp, ok := conn.(*net.TCPConn); ok {
		if err := tcp.SetKeepAliveConfig(net.KeepAliveConfig{
			Enable: true, Idle: holdTime / 3, Interval: holdTime / 9, Count: 6,
		}); err != nil {
			return err
		}
	}
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	st := station{session: s, peers: map[monitored]*monitoredPeer{}}
	s.up(&line{conn: conn, station: true}, local)
	for {
		m, err := st.read(conn)
		if err != nil {
			return err
		}
		if m == nil {
			continue
		}
		if err := st.take(m); err != nil {
			return err
		}
	}
}

// station is what is known of a router's peers.
type station struct {
	session *Session
	peers   map[monitored]*monitoredPeer
	// before and after say that tables from before and from behind the router's policy came.
	before, after bool
}

// monitored is a peer of the router as messages name it.
type monitored struct {
	kind          uint8
	distinguisher uint64
	addr          netip.Addr
}

// monitoredPeer is what is remembered of one.
type monitoredPeer struct {
	// number is the upper half of the identifiers of its paths.
	number  uint32
	options bgp.MarshallingOption
}

// read reads one message; nil for one that is of no interest or cannot be read, which costs
// what it says and not the session.
func (t *station) read(conn net.Conn) (*bmp.BMPMessage, error) {
	head := make([]byte, bmp.BMP_HEADER_SIZE)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[1:5])
	switch {
	case head[0] != bmp.BMP_VERSION:
		return nil, fmt.Errorf("BMP version %d, want %d", head[0], bmp.BMP_VERSION)
	case size < bmp.BMP_HEADER_SIZE || size > maxBMP:
		return nil, fmt.Errorf("a BMP message of %d octets, want %d to %d", size, bmp.BMP_HEADER_SIZE, maxBMP)
	}
	raw := make([]byte, size)
	copy(raw, head)
	if _, err := io.ReadFull(conn, raw[bmp.BMP_HEADER_SIZE:]); err != nil {
		return nil, err
	}
	m, err := bmp.ParseBMPMessageWithOptions(raw, func(h bmp.BMPPeerHeader) []*bgp.MarshallingOption {
		if p := t.peers[keyOf(h)]; p != nil {
			return []*bgp.MarshallingOption{&p.options}
		}
		return nil
	})
	if err != nil {
		var damaged *bgp.MessageError
		if m != nil && errors.As(err, &damaged) && damaged.ErrorHandling == bgp.ERROR_HANDLING_ATTRIBUTE_DISCARD {
			return m, nil
		}
		t.session.log.Debug("a BMP message cannot be read", "type", head[5], "err", err)
		return nil, nil
	}
	return m, nil
}

func keyOf(h bmp.BMPPeerHeader) monitored {
	return monitored{h.PeerType, h.PeerDistinguisher, h.PeerAddress}
}

// take takes in one message.
func (t *station) take(m *bmp.BMPMessage) error {
	switch body := m.Body.(type) {
	case *bmp.BMPPeerUpNotification:
		t.peerUp(keyOf(m.PeerHeader), body)
	case *bmp.BMPPeerDownNotification:
		t.forget(keyOf(m.PeerHeader))
	case *bmp.BMPRouteMonitoring:
		t.routes(m.PeerHeader, body.BGPUpdate)
	case *bmp.BMPTermination:
		return errors.New("it ended the BMP session")
	}
	return nil
}

// peerUp begins a peer's tables, for which its session says how they are written.
func (t *station) peerUp(k monitored, up *bmp.BMPPeerUpNotification) {
	t.forget(k)
	p := t.peer(k)
	if p == nil {
		return
	}
	sent, _ := messageBody(up.SentOpenMsg).(*bgp.BGPOpen)
	received, _ := messageBody(up.ReceivedOpenMsg).(*bgp.BGPOpen)
	p.options.AddPath = addPaths(sent, received)
	if sent == nil {
		return
	}
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.status.Router = sent.ID
	s.status.AddPath = s.status.AddPath || len(p.options.AddPath) > 0
	s.status.Changed++
}

func messageBody(m *bgp.BGPMessage) bgp.BGPBody {
	if m == nil {
		return nil
	}
	return m.Body
}

// addPaths are the families of which the router's neighbour sends several paths (RFC 7911).
func addPaths(router, neighbour *bgp.BGPOpen) map[bgp.Family]bgp.BGPAddPathMode {
	out := map[bgp.Family]bgp.BGPAddPathMode{}
	receives := addPathModes(router)
	for family, mode := range addPathModes(neighbour) {
		if mode&bgp.BGP_ADD_PATH_SEND != 0 && receives[family]&bgp.BGP_ADD_PATH_RECEIVE != 0 {
			out[family] = bgp.BGP_ADD_PATH_RECEIVE
		}
	}
	return out
}

func addPathModes(open *bgp.BGPOpen) map[bgp.Family]bgp.BGPAddPathMode {
	out := map[bgp.Family]bgp.BGPAddPathMode{}
	if open == nil {
		return out
	}
	for _, p := range open.OptParams {
		list, ok := p.(*bgp.OptionParameterCapability)
		if !ok {
			continue
		}
		for _, c := range list.Capability {
			if several, ok := c.(*bgp.CapAddPath); ok {
				for _, tuple := range several.Tuples {
					out[tuple.Family] = tuple.Mode
				}
			}
		}
	}
	return out
}

// peer is what is remembered of a peer, from now on if there is room; nil if not.
func (t *station) peer(k monitored) *monitoredPeer {
	if p := t.peers[k]; p != nil {
		return p
	}
	used := map[uint32]bool{}
	for _, p := range t.peers {
		used[p.number] = true
	}
	for n := uint32(1); n <= maxMonitored; n++ {
		if !used[n] {
			p := &monitoredPeer{number: n}
			t.peers[k] = p
			return p
		}
	}
	return nil
}

// forget drops a peer and the paths that came from it.
func (t *station) forget(k monitored) {
	p := t.peers[k]
	if p == nil {
		return
	}
	delete(t.peers, k)
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store.drop(func(h verify.Held) bool { return h.ID>>idBits == p.number })
	s.status.Changed++
}

// idBits are those of an identifier that tell the paths of one peer for a prefix apart.
const idBits = 16

// routes takes in an UPDATE. Of the tables that a router may send those count that are
// behind its policy: what it has taken from each neighbour, and what it goes by (RFC 9069).
func (t *station) routes(from bmp.BMPPeerHeader, m *bgp.BGPMessage) {
	u, ok := messageBody(m).(*bgp.BGPUpdate)
	p := t.peer(keyOf(from))
	if !ok || p == nil || from.IsAdjRIBOut() && from.PeerType != bmp.BMP_PEER_TYPE_LOCAL_RIB {
		return
	}
	s := t.session
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
	if from.PeerType != bmp.BMP_PEER_TYPE_LOCAL_RIB && !from.IsPostPolicy() {
		if !t.before {
			t.before = true
			s.judgePolicy(t)
		}
		return
	}
	if !t.after {
		t.after = true
		s.judgePolicy(t)
	}
	s.tells(u)
	apply(u, func(h verify.Held, alive bool) {
		s.status.Received++
		h.ID = p.number<<idBits | (h.ID^h.ID>>idBits)&(1<<idBits-1)
		if from.PeerType != bmp.BMP_PEER_TYPE_LOCAL_RIB {
			h.From, h.FromID = from.PeerAddress.Unmap(), from.PeerBGPID
		}
		h.Overlay.Unlabelled = h.Overlay.VNI == 0 // FRR writes no label by BMP
		s.store.update(h, alive)
	})
	s.status.Changed++
}

// tells notes of which families a router sends tables by BMP, which it tells in no other way
// than by sending them, or their end. The caller holds mu.
func (s *Session) tells(u *bgp.BGPUpdate) {
	if end, family := u.IsEndOfRib(); end {
		s.tellsOf(family)
		return
	}
	if len(u.NLRI)+len(u.WithdrawnRoutes) > 0 {
		s.tellsOf(bgp.RF_IPv4_UC)
	}
	for _, a := range u.PathAttributes {
		switch a := a.(type) {
		case *bgp.PathAttributeMpReachNLRI:
			s.tellsOf(bgp.NewFamily(a.AFI, a.SAFI))
		case *bgp.PathAttributeMpUnreachNLRI:
			s.tellsOf(bgp.NewFamily(a.AFI, a.SAFI))
		}
	}
}

func (s *Session) tellsOf(f bgp.Family) {
	if name, ok := speaker.FamilyOf(f); ok && !slices.Contains(s.status.Families, name) {
		s.status.Families = append(s.status.Families, name)
	}
}

// judgePolicy says whether the tables of a router can be gone by. The caller holds mu.
func (s *Session) judgePolicy(t *station) {
	s.status.Err = nil
	if t.before && !t.after {
		s.status.Err = errPrePolicy
	}
	s.status.Changed++
}
