package ovsdb

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Endpoint is where one remote of a database is.
type Endpoint struct {
	// Remote is the remote as it was configured.
	Remote string
	// Addrs are the addresses that its host name was last resolved to, sorted; none if
	// it has no name, or that could never be resolved.
	Addrs []netip.Addr
	// Session is the server's end of the open session with it; the zero address if there
	// is none.
	Session netip.Addr
}

// endpoints is what was learned of remotes by connecting to them.
type endpoints struct {
	mu       sync.Mutex
	resolved map[string][]netip.Addr
	remote   string
	session  netip.Addr
}

// Endpoints are the remotes that have been resolved or connected to, by remote. The
// addresses of a name stay while it cannot be resolved.
func (s *Follower[DB]) Endpoints() []Endpoint {
	e := &s.endpoints
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []Endpoint
	for remote, addrs := range e.resolved {
		p := Endpoint{Remote: remote, Addrs: addrs}
		if remote == e.remote {
			p.Session = e.session
		}
		out = append(out, p)
	}
	if _, named := e.resolved[e.remote]; !named && e.remote != "" {
		out = append(out, Endpoint{Remote: e.remote, Session: e.session})
	}
	sorting.Sort(out, func(a, b Endpoint) int { return strings.Compare(a.Remote, b.Remote) })
	return out
}

// resolve looks a remote's host name up, if it has one, and reports whether that gave
// anything new. What it was resolved to before stays if it cannot be now: connecting
// tells why.
func (e *endpoints) resolve(ctx context.Context, r remote) bool {
	host, _, err := net.SplitHostPort(r.address)
	if r.network != "tcp" || err != nil {
		return false
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return false
	}
	for i := range addrs {
		addrs[i] = addrs[i].Unmap().WithZone("")
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	addrs = slices.Compact(addrs)
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Equal(e.resolved[r.text], addrs) {
		return false
	}
	if e.resolved == nil {
		e.resolved = map[string][]netip.Addr{}
	}
	e.resolved[r.text] = addrs
	return true
}

// open notes the session that has begun, and close that it has ended. What is no TCP
// connection leads over no network.
func (e *endpoints) open(r remote, conn net.Conn) {
	at, err := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remote, e.session = r.text, at.Addr().Unmap().WithZone("")
}

func (e *endpoints) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.remote, e.session = "", netip.Addr{}
}

// forget drops names that are no remotes any more.
func (e *endpoints) forget(remotes []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for remote := range e.resolved {
		if !slices.Contains(remotes, remote) {
			delete(e.resolved, remote)
		}
	}
}
