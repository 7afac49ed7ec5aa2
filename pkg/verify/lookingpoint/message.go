package lookingpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// families are those that are asked for.
func (c Config) families() []bgp.Family {
	list := []bgp.Family{bgp.RF_IPv4_UC, bgp.RF_IPv6_UC}
	if c.EVPN {
		list = append(list, bgp.RF_EVPN)
	}
	return list
}

// line is one connection on which messages go.
type line struct {
	conn net.Conn
	// What the OPEN messages have led to.
	router   netip.Addr
	hold     time.Duration // 0 is for ever
	families []bgp.Family
	options  bgp.MarshallingOption
	// refreshes says that everything can be asked for again, marksRefresh that the end of the
	// answer is marked.
	refreshes, marksRefresh bool

	// station says that it is a BMP session, on which nothing is sent.
	station bool

	writing sync.Mutex // held while a message is sent
}

// handshake exchanges the OPEN messages and the first KEEPALIVE.
func (l *line) handshake(cfg Config) error {
	if err := l.conn.SetDeadline(time.Now().Add(handshakeTime)); err != nil {
		return err
	}
	open, err := openOf(cfg)
	if err != nil {
		return err
	}
	if err := l.send(open); err != nil {
		return err
	}
	m, err := l.read()
	if err != nil {
		return fmt.Errorf("wait for its OPEN: %w", err)
	}
	theirs, ok := m.Body.(*bgp.BGPOpen)
	if !ok {
		return ended(m)
	}
	if _, err := bgp.ValidateOpenMsg(theirs, cfg.AS, cfg.LocalAS, cfg.RouterID); err != nil {
		l.refuse(err)
		return fmt.Errorf("its OPEN: %w", err)
	}
	if err := l.negotiate(theirs, cfg.families()); err != nil {
		return err
	}
	if err := l.send(bgp.NewBGPKeepAliveMessage()); err != nil {
		return err
	}
	if m, err = l.read(); err != nil {
		return fmt.Errorf("wait for its KEEPALIVE: %w", err)
	}
	if _, ok := m.Body.(*bgp.BGPKeepAlive); !ok {
		return ended(m)
	}
	return nil
}

// openOf is our OPEN. Graceful restart is offered with no time and for no family: a router
// that knows it marks the end of its first table.
func openOf(cfg Config) (*bgp.BGPMessage, error) {
	caps := []bgp.ParameterCapabilityInterface{
		bgp.NewCapRouteRefresh(), bgp.NewCapFourOctetASNumber(cfg.LocalAS),
		bgp.NewCapExtendedNexthop([]*bgp.CapExtendedNexthopTuple{
			bgp.NewCapExtendedNexthopTuple(bgp.RF_IPv4_UC, bgp.AFI_IP6),
		}),
		bgp.NewCapGracefulRestart(false, false, 0, nil), bgp.NewCapEnhancedRouteRefresh(),
	}
	var several []*bgp.CapAddPathTuple
	for _, f := range cfg.families() {
		caps = append(caps, bgp.NewCapMultiProtocol(f))
		several = append(several, bgp.NewCapAddPathTuple(f, bgp.BGP_ADD_PATH_RECEIVE))
	}
	caps = append(caps, bgp.NewCapAddPath(several))
	as := uint16(bgp.AS_TRANS)
	if cfg.LocalAS <= math.MaxUint16 {
		as = uint16(cfg.LocalAS)
	}
	return bgp.NewBGPOpenMessage(as, uint16(holdTime/time.Second), cfg.RouterID,
		[]bgp.OptionParameterInterface{bgp.NewOptionParameterCapability(caps)})
}

// negotiate reads what the other end offers of the families that are asked for.
func (l *line) negotiate(open *bgp.BGPOpen, families []bgp.Family) error {
	l.router = open.ID
	l.hold = min(holdTime, time.Duration(open.HoldTime)*time.Second)
	l.options.AddPath = map[bgp.Family]bgp.BGPAddPathMode{}
	fourOctets, multi := false, false
	for _, p := range open.OptParams {
		list, ok := p.(*bgp.OptionParameterCapability)
		if !ok {
			continue
		}
		for _, c := range list.Capability {
			switch c := c.(type) {
			case *bgp.CapFourOctetASNumber:
				fourOctets = true
			case *bgp.CapMultiProtocol:
				multi = true
				if slices.Contains(families, c.CapValue) && !slices.Contains(l.families, c.CapValue) {
					l.families = append(l.families, c.CapValue)
				}
			case *bgp.CapRouteRefresh:
				l.refreshes = true
			case *bgp.CapEnhancedRouteRefresh:
				l.marksRefresh = true
			case *bgp.CapAddPath:
				for _, t := range c.Tuples {
					if slices.Contains(families, t.Family) && t.Mode&bgp.BGP_ADD_PATH_SEND != 0 {
						l.options.AddPath[t.Family] = bgp.BGP_ADD_PATH_RECEIVE
					}
				}
			}
		}
	}
	if !multi {
		l.families = []bgp.Family{bgp.RF_IPv4_UC}
	}
	switch {
	case !fourOctets:
		return errors.New("it does not speak AS numbers of four octets (RFC 6793)")
	case len(l.families) == 0:
		return errors.New("it offers no address family that is announced here")
	}
	return nil
}

// keepAlive sends a KEEPALIVE from time to time until ctx ends.
func (l *line) keepAlive(ctx context.Context) {
	if l.hold == 0 {
		return
	}
	tick := time.NewTicker(l.hold / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if l.send(bgp.NewBGPKeepAliveMessage()) != nil {
				l.conn.Close() // which ends receiving
				return
			}
		}
	}
}

// receive calls take with each message until the session ends; with withdraw if the message
// is damaged so that its paths count as withdrawn (RFC 7606).
func (l *line) receive(take func(m *bgp.BGPMessage, withdraw bool)) error {
	for {
		deadline := time.Time{}
		if l.hold > 0 {
			deadline = time.Now().Add(l.hold)
		}
		if err := l.conn.SetReadDeadline(deadline); err != nil {
			return err
		}
		m, err := l.read()
		var damaged *bgp.MessageError
		withdraw := false
		switch {
		case err == nil:
		case errors.As(err, &damaged) && damaged.ErrorHandling == bgp.ERROR_HANDLING_ATTRIBUTE_DISCARD && m != nil:
		case errors.As(err, &damaged) && damaged.ErrorHandling == bgp.ERROR_HANDLING_TREAT_AS_WITHDRAW && m != nil:
			withdraw = true
		default:
			if damaged != nil {
				l.refuse(err)
			}
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return fmt.Errorf("hold timer expired: no message for %s", l.hold)
			}
			return err
		}
		switch m.Body.(type) {
		case *bgp.BGPUpdate, *bgp.BGPRouteRefresh, *bgp.BGPKeepAlive:
			take(m, withdraw)
		default:
			return ended(m)
		}
	}
}

// ended is the error for a message that ends a session.
func ended(m *bgp.BGPMessage) error {
	if n, ok := m.Body.(*bgp.BGPNotification); ok {
		return fmt.Errorf("it ended the session: %s", bgp.NewNotificationErrorCode(n.ErrorCode, n.ErrorSubcode))
	}
	return fmt.Errorf("unexpected message of type %d", m.Header.Type)
}

// read reads one message. With an error there may be a message, too, of which a part could
// be read.
func (l *line) read() (*bgp.BGPMessage, error) {
	head := make([]byte, bgp.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(l.conn, head); err != nil {
		return nil, err
	}
	var h bgp.BGPHeader
	if err := h.DecodeFromBytes(head); err != nil {
		return nil, err
	}
	if h.Len > bgp.BGP_MAX_MESSAGE_LENGTH {
		return nil, fmt.Errorf("a message of %d octets, which are more than %d", h.Len, bgp.BGP_MAX_MESSAGE_LENGTH)
	}
	body := make([]byte, h.Len-bgp.BGP_HEADER_LENGTH)
	if _, err := io.ReadFull(l.conn, body); err != nil {
		return nil, err
	}
	return decode(&h, body, &l.options)
}

// decode reads the body of a message. No message may end this process, whatever the codec
// makes of it.
func decode(h *bgp.BGPHeader, body []byte, options *bgp.MarshallingOption) (m *bgp.BGPMessage, err error) {
	defer func() {
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("a message of type %d cannot be read: %v", h.Type, r)
		}
	}()
	return bgp.ParseBGPBody(h, body, options)
}

// send sends one message.
func (l *line) send(m *bgp.BGPMessage) error {
	raw, err := m.Serialize()
	if err != nil {
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err = l.conn.Write(raw)
	return err
}

// refuse tells the other end why the session ends. Nothing depends on whether that arrives.
func (l *line) refuse(err error) {
	var why *bgp.MessageError
	if errors.As(err, &why) && why.TypeCode != 0 {
		_ = l.send(bgp.NewBGPNotificationMessage(why.TypeCode, why.SubTypeCode, why.Data))
	}
}

// refresh asks for everything again (RFC 2918). If that cannot be sent, the session is about
// to end anyway.
func (l *line) refresh() {
	for _, f := range l.families {
		_ = l.send(bgp.NewBGPRouteRefreshMessage(f.Afi(), 0, f.Safi()))
	}
}
