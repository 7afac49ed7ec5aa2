package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace is a network namespace and the thread that lives in it. The thread
// also starts the namespace's processes: they die with it (Pdeathsig).
type namespace struct {
	jobs chan func()
	fd   int // for links into it
}

// newNamespace makes a namespace with the loopback device up.
func newNamespace() (*namespace, error) {
	n := &namespace{jobs: make(chan func())}
	made := make(chan error)
	go n.live(made)
	if err := <-made; err != nil {
		return nil, err
	}
	return n, n.Do(func() error { return linkUp("lo") })
}

// live serves the namespace. It never unlocks its thread, which therefore ends
// with it.
func (n *namespace) live(made chan error) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread does not end, and /proc/self would show its
		// namespace as that of all. Hold it until another one is found.
		found := make(chan error)
		go n.live(found)
		err := <-found
		runtime.UnlockOSThread()
		made <- err
		return
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		made <- fmt.Errorf("make a network namespace: %w", err)
		return
	}
	var err error
	n.fd, err = currentNamespace()
	made <- err
	for job := range n.jobs {
		job()
	}
}

// currentNamespace opens the calling thread's namespace.
func currentNamespace() (int, error) {
	fd, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open network namespace: %w", err)
	}
	return fd, nil
}

// Do calls f on the namespace's thread: sockets, children and files under
// /proc/sys/net that f opens belong to the namespace.
func (n *namespace) Do(f func() error) error {
	done := make(chan error, 1)
	n.jobs <- func() { done <- f() }
	return <-done
}

// close ends the thread and what it started.
func (n *namespace) close() error {
	close(n.jobs)
	return unix.Close(n.fd)
}

// linkUp brings a device of the calling thread's namespace up.
func linkUp(name string) error {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		return fmt.Errorf("bring %s up: %w", name, err)
	}
	return nil
}

// end is one end of a cable.
type end struct {
	name string
	addr netip.Prefix // none: the end is part of a bridge
}

func (e end) configure() error {
	l, err := netlink.LinkByName(e.name)
	if err != nil {
		return fmt.Errorf("find %s: %w", e.name, err)
	}
	if e.addr.IsValid() {
		if err := netlink.AddrAdd(l, &netlink.Addr{IPNet: ipNet(e.addr)}); err != nil {
			return fmt.Errorf("add %s to %s: %w", e.addr, e.name, err)
		}
	}
	return linkUp(e.name)
}

// cable makes a veth pair from the calling thread's namespace into another
// one. The far end is configured by the caller.
func cable(near end, far string, fd int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = near.name
	if err := netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: attrs, PeerName: far,
		PeerNamespace: netlink.NsFd(fd),
	}); err != nil {
		return fmt.Errorf("make link %s: %w", near.name, err)
	}
	return near.configure()
}

// defaultRoute leads everything to a neighbour.
func defaultRoute(via netip.Addr) error {
	r := &netlink.Route{Dst: ipNet(netip.PrefixFrom(netip.IPv4Unspecified(), 0)), Gw: via.AsSlice()}
	if err := netlink.RouteAdd(r); err != nil {
		return fmt.Errorf("add default route via %s: %w", via, err)
	}
	return nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// checkSettings says early what would otherwise be a controller that is not
// well: some containers show /proc/sys read-only.
func checkSettings() error {
	f, err := os.OpenFile("/proc/sys/net/ipv4/ip_forward", os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("the settings of a network namespace cannot be written here: %w; "+
			"is this a container with a read-only /proc/sys?", err)
	}
	return errors.Join(f.Close())
}
