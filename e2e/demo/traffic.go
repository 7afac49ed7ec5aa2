package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

func dial(to netip.Addr) (*net.UDPConn, error) {
	return net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 7)))
}

// exchange sends datagrams from the router until one is answered and returns
// who answered, how long that one took and how many were needed.
func exchange(ctx context.Context, to netip.Addr) (who string, took time.Duration, tries int, err error) {
	conn, err := dial(to)
	if err != nil {
		return "", 0, 0, err
	}
	defer func() { _ = conn.Close() }()
	buf := make([]byte, 512)
	for ctx.Err() == nil {
		tries++
		began := time.Now()
		question := fmt.Sprint(tries)
		_, _ = conn.Write([]byte(question)) // an ICMP error of the last one may come here
		_ = conn.SetReadDeadline(began.Add(250 * time.Millisecond))
		n, err := conn.Read(buf)
		name, number, ok := strings.Cut(string(buf[:n]), " ")
		if err == nil && ok && number == question {
			return name, time.Since(began), tries, nil
		}
		if err != nil {
			<-time.After(time.Until(began.Add(10 * time.Millisecond))) // errors may come at once
		}
	}
	return "", 0, tries, fmt.Errorf("%s answers none of %d datagrams: %w", to, tries, context.Cause(ctx))
}

// stream is a flow of datagrams from the router to a guest and back.
type stream struct {
	conn     *net.UDPConn
	to       netip.Addr
	answered atomic.Int64
	quit     chan struct{}
	sent     chan int64
}

// newStream sends a datagram every interval until stop is called.
func newStream(to netip.Addr, interval time.Duration) (*stream, error) {
	conn, err := dial(to)
	if err != nil {
		return nil, err
	}
	s := &stream{conn: conn, to: to, quit: make(chan struct{}), sent: make(chan int64, 1)}
	go s.send(interval)
	go s.receive()
	return s, nil
}

func (s *stream) send(interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var n int64
	defer func() { s.sent <- n }()
	for {
		select {
		case <-s.quit:
			return
		case <-tick.C:
			_, _ = s.conn.Write([]byte("x")) // not sent is not answered
			n++
		}
	}
}

func (s *stream) receive() {
	buf := make([]byte, 512)
	for {
		if _, err := s.conn.Read(buf); err == nil {
			s.answered.Add(1)
		} else if strings.Contains(err.Error(), "closed") {
			return
		}
	}
}

// flow waits until so many more datagrams are answered.
func (s *stream) flow(ctx context.Context, more int64) error {
	until := s.answered.Load() + more
	err := await(ctx, func() (bool, error) { return s.answered.Load() >= until, nil })
	if err != nil {
		return fmt.Errorf("datagrams to %s: %w", s.to, err)
	}
	return nil
}

// stop ends the stream and returns how many datagrams were sent and how many
// of them were lost.
func (s *stream) stop(ctx context.Context) (sent, lost int64) {
	close(s.quit)
	sent = <-s.sent
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	// The end of the wait is a result: the rest is lost.
	_ = await(ctx, func() (bool, error) { return s.answered.Load() >= sent, nil })
	_ = s.conn.Close()
	return sent, sent - s.answered.Load()
}
