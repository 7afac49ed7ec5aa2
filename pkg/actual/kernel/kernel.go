// Package kernel is the backend for everything that rtnetlink and /proc/sys
// hold: devices, links, sysctls, addresses, neighbours, forwarding entries, routes
// and rules.
//
// It refuses to know what is wanted or in which order: it reads all that is
// ours and what others have under the same keys, and performs changes of one
// kind in batches. It never overwrites or deletes what is not ours: creates are
// exclusive, deletes carry our mark in their selector.
//
// It keeps a mirror of what it has read. Notifications of the kernel and our
// own successful writes keep the mirror current, so that a round with nothing to
// do costs nothing; whatever makes it stale (a lost notification, a device
// going down, a write that met another owner's) is read again.
//
// Read next: read.go, apply.go, then route.go as the example of a kind.
package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// Config is where the backend works and how it knows its own.
type Config struct {
	// Marks are the numbers and texts that mark what is ours.
	Marks actual.Marks
	// Netns is the path of a network namespace; empty is that of the calling
	// thread.
	Netns string
	// ProcSys is where sysctls are; /proc/sys by default.
	ProcSys string
	// Queue is the size in bytes of the queue for notifications; 8 MiB by
	// default. One notification takes about a kilobyte.
	Queue int
	// Interval is how often what the kernel does not notify of is compared; 5 s by
	// default.
	Interval time.Duration
	// Logger receives what no caller is there to be given: that watching has ended.
	Logger *slog.Logger
}

// Backend implements [actual.Backend] on one network namespace.
type Backend struct {
	marks    actual.Marks
	procSys  string
	log      *slog.Logger
	ns       *rtnl.Namespace
	watch    *rtnl.Watch
	changed  chan struct{}
	done     chan struct{} // closed when the watching goroutine has ended
	closing  chan struct{} // closed to end the comparing goroutine, which closes compared
	compared chan struct{}

	// mu serialises the caller with the watching goroutine.
	mu     sync.Mutex
	conn   *rtnl.Conn
	batch  rtnl.Batch
	links  links
	scope  scope
	mirror mirror
	// stale are the parts of the mirror that must be read again.
	stale parts
	// settings is set when a network setting was changed, and the sysctls in
	// focus have not been compared since.
	settings bool
	// rules is set when a rule came or went that may win over one of ours.
	rules bool
	// flight is what is being applied right now; nil otherwise.
	flight *flight
	// applied is what was applied last and is not in the mirror yet.
	applied  applied
	culprits culprits
	// unreported is set when something changed that the caller should see.
	unreported bool
}

var _ actual.Backend = (*Backend)(nil)

// groups are what the backend is notified of. There is nothing for most
// sysctls and, on most kernels, for proxy neighbours: see silent.go.
var groups = [...]int{
	unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH,
	unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE,
	unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE,
	// Sent for forwarding, rp_filter, the proxies and a few more.
	unix.RTNLGRP_IPV4_NETCONF, unix.RTNLGRP_IPV6_NETCONF,
}

// New opens the sockets. Nothing is read before the first Read.
func New(cfg Config) (*Backend, error) {
	ns, err := rtnl.OpenNamespace(cfg.Netns)
	if err != nil {
		return nil, err
	}
	b := &Backend{
		marks:    cfg.Marks,
		procSys:  cfg.ProcSys,
		log:      cfg.Logger,
		ns:       ns,
		changed:  make(chan struct{}, 1),
		done:     make(chan struct{}),
		closing:  make(chan struct{}),
		compared: make(chan struct{}),
		links:    newLinks(),
		mirror:   newMirror(),
		stale:    everything,
	}
	if b.procSys == "" {
		b.procSys = "/proc/sys"
	}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	if cfg.Queue == 0 {
		cfg.Queue = 8 << 20
	}
	b.culprits.owners.Namespace = ns
	if err := b.open(cfg.Queue); err != nil {
		return nil, errors.Join(err, b.release())
	}
	go b.follow()
	go b.compareSilent(cmp.Or(cfg.Interval, 5*time.Second))
	return b, nil
}

func (b *Backend) open(queue int) (err error) {
	if b.conn, err = rtnl.Dial(b.ns); err != nil {
		return fmt.Errorf("open kernel backend: %w", err)
	}
	b.culprits.own = b.conn.Port()
	if b.watch, err = rtnl.Listen(b.ns, queue, groups[:]...); err != nil {
		return fmt.Errorf("watch kernel: %w", err)
	}
	return b.restrict()
}

// errClosed is what all methods return after Close.
var errClosed = errors.New("the kernel backend is closed")

// Name is kernel.
func (b *Backend) Name() string { return "kernel" }

// Kinds are those that rtnetlink and /proc/sys hold.
func (b *Backend) Kinds() []object.Kind {
	return []object.Kind{
		object.KindDevice, object.KindLink, object.KindMaster, object.KindSysctl, object.KindAddress,
		object.KindNeigh, object.KindProxyNeigh, object.KindFDB, object.KindRoute, object.KindRule,
	}
}

// Changed is signalled when others changed something of ours or under a key in
// focus, or a device in focus. What Apply itself does is no reason.
func (b *Backend) Changed() <-chan struct{} { return b.changed }

// Close ends watching and releases the sockets. Everything applied stays.
func (b *Backend) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.watch == nil {
		return nil
	}
	err := b.watch.Close()
	close(b.closing)
	b.mu.Unlock()
	<-b.done
	<-b.compared
	b.mu.Lock()
	b.watch = nil
	return errors.Join(err, b.release())
}

func (b *Backend) release() error {
	var errs []error
	if b.watch != nil {
		errs = append(errs, b.watch.Close())
	}
	if b.conn != nil {
		errs = append(errs, b.conn.Close())
	}
	return errors.Join(append(errs, b.ns.Close())...)
}
