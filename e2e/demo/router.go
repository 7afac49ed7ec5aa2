package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
	"github.com/vishvananda/netlink"
)

const (
	routerAS = 65000
	nodeAS   = 64999
)

// router is the top of rack: GoBGP with graceful restart, and the kernel of
// this process's namespace, into which received routes are put.
type router struct {
	bgp  *server.BgpServer
	stop context.CancelFunc

	mu      sync.Mutex
	routes  map[netip.Prefix]route
	up      map[netip.Addr]bool
	lost    int // withdrawals so far
	failed  error
	changed chan struct{} // closed at every change
}

// route is where the router sends a prefix.
type route struct {
	via       netip.Addr
	learnt    time.Time // the path was selected
	forwarded time.Time // the kernel has it
}

func newRouter(ctx context.Context) (*router, error) {
	r := &router{
		bgp: server.NewBgpServer(), routes: map[netip.Prefix]route{},
		up: map[netip.Addr]bool{}, changed: make(chan struct{}),
	}
	go r.bgp.Serve() // it never returns
	global := &api.Global{Asn: routerAS, RouterId: "198.51.100.1", ListenPort: 179, ListenAddresses: []string{"0.0.0.0"}}
	if err := r.bgp.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return nil, fmt.Errorf("start the router's BGP: %w", err)
	}
	// The nodes lead each other nowhere.
	err := r.bgp.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name: "global", Direction: api.PolicyDirection_POLICY_DIRECTION_EXPORT,
		DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
	}})
	if err != nil {
		return nil, fmt.Errorf("set the router's export policy: %w", err)
	}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	return r, r.bgp.WatchEvent(ctx, server.WatchEventMessageCallbacks{
		OnPeerUpdate: func(e *apiutil.WatchEventMessage_PeerEvent, _ time.Time) { r.session(e.Peer.State) },
		OnBestPath:   func(paths []*apiutil.Path, _ time.Time) { r.selected(paths) },
	}, server.WatchPeer(), server.WatchBestPath(false))
}

// expect adds a node as a neighbour that will connect. The router helps with
// graceful restart: routes of a node that went silent stay.
func (r *router) expect(ctx context.Context, addr netip.Addr) error {
	family := &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST}
	return r.bgp.AddPeer(ctx, &api.AddPeerRequest{Peer: &api.Peer{
		Conf:            &api.PeerConf{NeighborAddress: addr.String(), PeerAsn: nodeAS},
		Transport:       &api.Transport{PassiveMode: true},
		GracefulRestart: &api.GracefulRestart{Enabled: true, RestartTime: 60},
		AfiSafis: []*api.AfiSafi{{
			Config:            &api.AfiSafiConfig{Family: family, Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: true}},
		}},
	}})
}

func (r *router) close(ctx context.Context) error {
	r.stop()
	return r.bgp.StopBgp(ctx, &api.StopBgpRequest{})
}

// session and selected are called by GoBGP for each event, one after the other.
func (r *router) session(state apiutil.PeerState) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.up[state.NeighborAddress] = state.SessionState == bgp.BGP_FSM_ESTABLISHED
	r.wake()
}

func (r *router) selected(paths []*apiutil.Path) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range paths {
		if err := r.enter(p, now); err != nil && r.failed == nil {
			r.failed = fmt.Errorf("the router cannot use a path: %w", err)
		}
	}
	r.wake()
}

// wake makes those that wait ask again.
func (r *router) wake() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// enter puts a selected path into the kernel, or takes it out.
func (r *router) enter(p *apiutil.Path, now time.Time) error {
	prefix, via := decode(p)
	if p.Withdrawal {
		r.lost++
		delete(r.routes, prefix)
		if err := netlink.RouteDel(&netlink.Route{Dst: ipNet(prefix)}); err != nil {
			return fmt.Errorf("remove %s: %w", prefix, err)
		}
		return nil
	}
	if err := netlink.RouteReplace(&netlink.Route{Dst: ipNet(prefix), Gw: via.AsSlice()}); err != nil {
		return fmt.Errorf("add %s via %s: %w", prefix, via, err)
	}
	r.routes[prefix] = route{via: via, learnt: now, forwarded: time.Now()}
	return nil
}

// decode reads prefix and next hop of a path.
func decode(p *apiutil.Path) (prefix netip.Prefix, via netip.Addr) {
	if nlri, ok := p.Nlri.(*bgp.IPAddrPrefix); ok {
		prefix = nlri.Prefix
	}
	for _, a := range p.Attrs {
		if hop, ok := a.(*bgp.PathAttributeNextHop); ok {
			via = hop.Value
		}
	}
	return prefix, via
}

// wait returns once ok holds, which is asked at every change.
func (r *router) wait(ctx context.Context, what string, ok func() bool) error {
	for {
		r.mu.Lock()
		holds, failed, changed := ok(), r.failed, r.changed
		r.mu.Unlock()
		if holds || failed != nil {
			return failed
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the router waits in vain: %s: %w", what, context.Cause(ctx))
		case <-changed:
		}
	}
}

func (r *router) waitSession(ctx context.Context, addr netip.Addr, up bool) error {
	return r.wait(ctx, fmt.Sprintf("session with %s up: %t", addr, up), func() bool { return r.up[addr] == up })
}

// waitRoute waits until the router sends an address to via; the zero address
// means until it has no route.
func (r *router) waitRoute(ctx context.Context, addr, via netip.Addr) (got route, err error) {
	what := fmt.Sprintf("%s via %s", addr, via)
	if !via.IsValid() {
		what = fmt.Sprintf("no route to %s", addr)
	}
	err = r.wait(ctx, what, func() bool {
		got = r.routes[netip.PrefixFrom(addr, 32)]
		return got.via == via
	})
	return got, err
}

// counts returns the routes that the router has and how many it ever lost.
func (r *router) counts() (have, lost int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.routes), r.lost
}

// stale counts the paths that are only kept for a node that went silent.
func (r *router) stale() (n int, err error) {
	req := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: bgp.RF_IPv4_UC}
	err = r.bgp.ListPath(req, func(_ bgp.NLRI, paths []*apiutil.Path) {
		for _, p := range paths {
			if p.Stale {
				n++
			}
		}
	})
	return n, err
}
