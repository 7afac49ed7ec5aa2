// Package unnumbered is the source of [observe.Unnumbered]: which router is at the other end
// of an interface on which a BGP neighbour is configured without an address. It listens for
// router advertisements (RFC 4861), and sends them, so that the other end finds us the same
// way.
//
// It refuses to be a router for hosts: what it sends has a router lifetime of 0, so that
// nobody takes this node for a default gateway. It changes nothing in the kernel.
//
// Read next: machine.go for which router is the neighbour, link.go for one interface.
package unnumbered

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

const (
	// patience is how many seconds the first Read waits for the routers of links that are
	// up: a controller that starts again must not end sessions because it has heard nothing
	// yet. A router may take 3.5 s to answer (RFC 4861 section 6.2.6).
	patience = 5
	// watchBuffer is the queue for notifications of devices and addresses.
	watchBuffer = 1 << 18
)

// Config is on which interfaces to listen.
type Config struct {
	// Netns is the path of a network namespace; empty is that of the calling thread.
	Netns string
	// Interfaces are names, or patterns such as bond*.
	Interfaces []string
	// Quiet listens and asks, and does not advertise: for what only looks.
	Quiet bool
	// Logger receives what cannot be sent or heard.
	Logger *slog.Logger
}

// Source listens in one network namespace.
type Source struct {
	log     *slog.Logger
	quiet   bool
	ns      *rtnl.Namespace
	watch   *rtnl.Watch
	kernel  *rtnl.Conn
	changed chan struct{}
	// wake asks for another look at the devices; heard has what arrives on them.
	wake   chan struct{}
	heard  chan heard
	stop   chan struct{}
	ended  sync.WaitGroup
	closed sync.Once
	// links are those that are listened on, by index. They are the loop's alone.
	links map[int]*link

	mu       sync.Mutex // guards what follows
	patterns []string
	state    *observe.Unnumbered
	settled  bool
}

var _ observe.Source[*observe.Unnumbered] = (*Source)(nil)

// Open begins to listen.
func Open(cfg Config) (*Source, error) {
	ns, err := rtnl.OpenNamespace(cfg.Netns)
	if err != nil {
		return nil, err
	}
	s := &Source{
		log: cfg.Logger, quiet: cfg.Quiet, ns: ns, changed: make(chan struct{}, 1), wake: make(chan struct{}, 1),
		heard: make(chan heard, 64), stop: make(chan struct{}), links: map[int]*link{},
		patterns: slices.Clone(cfg.Interfaces), settled: len(cfg.Interfaces) == 0,
		state: &observe.Unnumbered{Revision: 1},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.watch, err = rtnl.Listen(ns, watchBuffer, unix.RTNLGRP_LINK, unix.RTNLGRP_IPV6_IFADDR)
	if err == nil {
		s.kernel, err = rtnl.Dial(ns)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("look for neighbours on interfaces: %w", err), s.release())
	}
	s.signal()
	s.ended.Add(2)
	go s.follow()
	go s.run()
	return s, nil
}

// Listen replaces the names and patterns of interfaces.
func (s *Source) Listen(interfaces []string) {
	s.mu.Lock()
	s.patterns = slices.Clone(interfaces)
	s.mu.Unlock()
	s.signal()
}

// Changed is signalled when Read may return something new.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Read returns what is known, without waiting. For the first seconds that is not enough to
// act upon.
func (s *Source) Read(context.Context) (*observe.Unnumbered, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.settled {
		return nil, fmt.Errorf("%w: routers on %s have not been heard yet", observe.ErrNotSynced,
			strings.Join(s.patterns, ", "))
	}
	return s.state, nil
}

// Close ends the listening. Nobody is told: a controller that restarts leaves its sessions as
// they are.
func (s *Source) Close() (err error) {
	s.closed.Do(func() {
		close(s.stop)
		err = s.watch.Close()
		s.ended.Wait()
		s.watch = nil
		err = errors.Join(err, s.release())
	})
	return err
}

func (s *Source) release() error {
	var errs []error
	if s.watch != nil {
		errs = append(errs, s.watch.Close())
	}
	if s.kernel != nil {
		errs = append(errs, s.kernel.Close())
	}
	return errors.Join(append(errs, s.ns.Close())...)
}

func (s *Source) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// follow turns notifications of devices and addresses into looks at them. What they say is
// not read: a look costs little and sees everything.
func (s *Source) follow() {
	defer s.ended.Done()
	for {
		if err := s.watch.Wait(); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				s.log.Error("notifications of devices have ended; devices that come later are not seen", "error", err)
			}
			return
		}
		if _, err := s.watch.Drain(func(rtnl.Message) error { return nil }); err != nil {
			s.log.Warn("a notification of a device cannot be read", "error", err)
		}
		s.signal()
	}
}

func (s *Source) run() {
	defer s.ended.Done()
	s.survey()
	s.publish()
	tick, ticks := time.NewTicker(time.Second), true
	defer tick.Stop()
	defer func() {
		for _, l := range s.links {
			l.close()
		}
	}()
	for {
		select {
		case <-s.stop:
			return
		case <-s.wake:
			s.survey()
		case h := <-s.heard:
			if l := s.links[h.index]; l != nil {
				l.take(h)
			}
		case <-tick.C:
			if s.deaf() {
				s.survey()
			}
			s.second()
		}
		s.publish()
		switch busy := s.busy(); {
		case busy && !ticks:
			tick.Reset(time.Second)
			ticks = true
		case !busy && ticks: // nobody is woken for nothing
			tick.Stop()
			ticks = false
		}
	}
}

// busy reports whether there is anything to listen on, or to wait for.
func (s *Source) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.patterns) > 0 || len(s.links) > 0 || !s.settled
}

// survey begins to listen on links that have come up, and ends it on those that are down,
// gone or not wanted any more. A link that was down is met again like a new one: what is at
// its other end may have changed.
func (s *Source) survey() {
	s.mu.Lock()
	patterns := s.patterns
	s.mu.Unlock()
	if len(patterns) == 0 && len(s.links) == 0 {
		return
	}
	var devices []device
	err := s.ns.Do(func() (err error) {
		devices, err = devicesLike(patterns)
		return err
	})
	if err != nil {
		s.log.Warn("devices cannot be listed; those that are known stay", "error", err)
		return
	}
	there := map[int]bool{}
	for _, d := range devices {
		there[d.Index] = true
		l := s.links[d.Index]
		if l != nil && l.dev.Name != d.Name {
			l.close()
			l = nil
		}
		if l == nil {
			l = &link{source: s}
			s.links[d.Index] = l
		}
		l.meet(d)
	}
	for index, l := range s.links {
		if !there[index] {
			l.close()
			delete(s.links, index)
		}
	}
}

// deaf reports whether there is a link to try again on.
func (s *Source) deaf() bool {
	for _, l := range s.links {
		if l.conn == nil {
			return true
		}
	}
	return false
}

// second lets a second pass.
func (s *Source) second() {
	tables := map[int][]netip.Addr{}
	for _, l := range s.links {
		if l.wantsTable() {
			tables = s.neighbours()
			break
		}
	}
	for index, l := range s.links {
		l.second(tables[index])
	}
}

// neighbours are the link-local addresses in the kernel's table of neighbours, by device.
func (s *Source) neighbours() map[int][]netip.Addr {
	const usable = unix.NUD_REACHABLE | unix.NUD_STALE | unix.NUD_DELAY | unix.NUD_PROBE | unix.NUD_PERMANENT
	var out map[int][]netip.Addr
	err := s.kernel.Dump(context.Background(), func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETNEIGH, 0, rtnl.NdMsg{Family: unix.AF_INET6})
	}, func() { out = map[int][]netip.Addr{} }, func(m rtnl.Message) error {
		h, attrs, err := m.Neigh()
		if err != nil || s.links[int(h.Index)] == nil || h.State&usable == 0 {
			return err
		}
		for attrs.Next() {
			if attrs.Type != unix.NDA_DST {
				continue
			}
			if a := attrs.Addr(); a.IsLinkLocalUnicast() {
				out[int(h.Index)] = append(out[int(h.Index)], a)
			}
		}
		return attrs.Err()
	})
	if err != nil {
		s.log.Warn("the kernel's table of neighbours cannot be read", "error", err)
		return nil
	}
	return out
}

// publish makes a new state, if it is one.
func (s *Source) publish() {
	var links []observe.UnnumberedLink
	settled := true
	for _, l := range s.links {
		links = append(links, l.observed())
		settled = settled && (l.machine.addr.IsValid() || l.age >= patience)
	}
	sorting.Sort(links, func(a, b observe.UnnumberedLink) int { return strings.Compare(a.Dev, b.Dev) })
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Equal(links, s.state.Links) && (s.settled || !settled) {
		return
	}
	s.settled = s.settled || settled
	s.state = &observe.Unnumbered{Revision: s.state.Revision + 1, Links: links}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// device is an interface that is up, with its link-local addresses.
type device struct {
	net.Interface
	own []netip.Addr
}

// devicesLike lists the interfaces that are wanted and can carry packets.
func devicesLike(patterns []string) ([]device, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	var out []device
	for _, i := range all {
		wanted := slices.ContainsFunc(patterns, func(p string) bool { return observe.MatchesInterface(p, i.Name) })
		if !wanted || i.Flags&(net.FlagUp|net.FlagRunning) != net.FlagUp|net.FlagRunning {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, err
		}
		d := device{Interface: i}
		for _, a := range addrs {
			prefix, ok := a.(*net.IPNet)
			if !ok {
				continue
			}
			if own, _ := netip.AddrFromSlice(prefix.IP); own.Is6() && own.IsLinkLocalUnicast() {
				d.own = append(d.own, own)
			}
		}
		out = append(out, d)
	}
	return out, nil
}
