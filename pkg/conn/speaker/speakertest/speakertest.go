// Package speakertest is the far end of a BGP session for tests, in octets: it sends
// whatever it is told to, well-formed or not, which no BGP implementation would.
//
// It refuses to be one: it keeps no table and checks nothing of what it receives. Read
// next: message.go for what can be sent.
package speakertest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limit bounds connecting, the handshake and each write.
const Limit = 10 * time.Second

// Peer is one TCP connection to a speaker.
type Peer struct {
	conn net.Conn
	// done is closed when the connection has ended.
	done chan struct{}
	// hold is the Hold Timer; 0 waits for ever.
	hold time.Duration
	// hear is called with the body of each UPDATE.
	hear func(body []byte)

	mu sync.Mutex // guards what follows
	// notification is the one that the speaker sent, if it did: code and subcode.
	notification *[2]byte
	// updates counts what the speaker sent, withdrawals those of them that withdraw IPv4.
	updates, withdrawals int
}

// Dial connects from an address to a speaker.
func Dial(ctx context.Context, from netip.Addr, to netip.AddrPort) (*Peer, error) {
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	conn, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	return &Peer{conn: conn, done: make(chan struct{})}, nil
}

// On is the far end of a connection that was accepted.
func On(conn net.Conn) *Peer { return &Peer{conn: conn, done: make(chan struct{})} }

// Hold makes the peer end the session when it hears nothing for that long, as the Hold
// Timer does (RFC 4271 section 4.4). It is called before Establish.
func (p *Peer) Hold(d time.Duration) { p.hold = d }

// Hear calls f with the body of each UPDATE that the speaker sends, one after the other. It is
// called before Establish.
func (p *Peer) Hear(f func(body []byte)) { p.hear = f }

// Establish brings the session up with an OPEN, and keeps it up until Close or until the
// speaker ends it. It returns an error if the speaker does not agree to the session.
func (p *Peer) Establish(open []byte) error {
	if err := p.Write(open); err != nil {
		return err
	}
	if err := p.conn.SetReadDeadline(time.Now().Add(Limit)); err != nil {
		return err
	}
	for _, want := range []byte{Open, Keepalive} {
		kind, body, err := p.receive()
		if err != nil {
			return fmt.Errorf("wait for message %d: %w", want, err)
		}
		if kind != want {
			return fmt.Errorf("got message %d: % x, want message %d", kind, body, want)
		}
		if kind == Open {
			if err := p.Write(Message(Keepalive, nil)); err != nil {
				return err
			}
		}
	}
	if err := p.conn.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	go p.follow()
	return nil
}

// follow answers each KEEPALIVE, and so as often as the speaker wants, until the end.
func (p *Peer) follow() {
	defer close(p.done)
	for {
		if p.hold > 0 && p.conn.SetReadDeadline(time.Now().Add(p.hold)) != nil {
			return
		}
		kind, body, err := p.receive()
		if err != nil {
			return
		}
		p.mu.Lock()
		switch kind {
		case Update:
			p.updates++
			if len(body) >= 2 && binary.BigEndian.Uint16(body) > 0 { // WITHDRAWN ROUTES
				p.withdrawals++
			}
		case Notification:
			if len(body) >= 2 {
				p.notification = &[2]byte{body[0], body[1]}
			}
		}
		p.mu.Unlock()
		if kind == Update && p.hear != nil {
			p.hear(body)
		}
		if kind == Keepalive && p.Write(Message(Keepalive, nil)) != nil {
			return
		}
	}
}

func (p *Peer) receive() (kind byte, body []byte, err error) {
	head := make([]byte, headSize)
	if _, err := io.ReadFull(p.conn, head); err != nil {
		return 0, nil, err
	}
	size := int(binary.BigEndian.Uint16(head[16:]))
	if size < headSize {
		return 0, nil, errors.New("a message shorter than its head")
	}
	body = make([]byte, size-headSize)
	_, err = io.ReadFull(p.conn, body)
	return head[18], body, err
}

// Write sends octets as they are.
func (p *Peer) Write(octets []byte) error {
	if err := p.conn.SetWriteDeadline(time.Now().Add(Limit)); err != nil {
		return err
	}
	_, err := p.conn.Write(octets)
	return err
}

// Up reports whether the session that Establish brought up is still there.
func (p *Peer) Up() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Done is closed when the session that Establish brought up has ended.
func (p *Peer) Done() <-chan struct{} { return p.done }

// Notified is the code and the subcode of the NOTIFICATION that the speaker sent (RFC
// 4271 section 6); not ok if it sent none.
func (p *Peer) Notified() (code, subcode byte, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.notification == nil {
		return 0, 0, false
	}
	return p.notification[0], p.notification[1], true
}

// Updates counts the UPDATE messages that the speaker sent.
func (p *Peer) Updates() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.updates
}

// Withdrawals counts the UPDATE messages that withdraw IPv4 prefixes (RFC 4271 section
// 4.3).
func (p *Peer) Withdrawals() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.withdrawals
}

// Close breaks the connection, without a NOTIFICATION.
func (p *Peer) Close() error { return p.conn.Close() }
