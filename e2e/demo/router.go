package main

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	bgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/server"
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
		bgp: server.NewBgpServer(server.LoggerOption(silence{})), routes: map[netip.Prefix]route{},
		up: map[netip.Addr]bool{}, changed: make(chan struct{}),
	}
	go r.bgp.Serve() // it never returns
	global := &api.Global{Asn: routerAS, RouterId: "198.51.100.1", ListenPort: 179, ListenAddresses: []string{"0.0.0.0"}}
	if err := r.bgp.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return nil, fmt.Errorf("start the router's BGP: %w", err)
	}
	// The nodes lead each other nowhere.
	err := r.bgp.SetPolicyAssignment(ctx, &api.SetPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name: "global", Direction: api.PolicyDirection_EXPORT, DefaultAction: api.RouteAction_REJECT,
	}})
	if err != nil {
		return nil, fmt.Errorf("set the router's export policy: %w", err)
	}
	ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	return r, r.bgp.WatchEvent(ctx, &api.WatchEventRequest{
		Peer: &api.WatchEventRequest_Peer{},
		Table: &api.WatchEventRequest_Table{Filters: []*api.WatchEventRequest_Table_Filter{
			{Type: api.WatchEventRequest_Table_Filter_BEST},
		}},
	}, r.observe)
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

// observe is called by GoBGP for each event, one after the other.
func (r *router) observe(e *api.WatchEventResponse) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if state := e.GetPeer().GetPeer().GetState(); state != nil {
		if addr, err := netip.ParseAddr(state.GetNeighborAddress()); err == nil {
			r.up[addr] = state.GetSessionState() == api.PeerState_ESTABLISHED
		}
	}
	for _, p := range e.GetTable().GetPaths() {
		if err := r.enter(p, now); err != nil && r.failed == nil {
			r.failed = fmt.Errorf("the router cannot use a path: %w", err)
		}
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// enter puts a selected path into the kernel, or takes it out.
func (r *router) enter(p *api.Path, now time.Time) error {
	prefix, via, err := decode(p)
	if err != nil {
		return err
	}
	if p.GetIsWithdraw() {
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
func decode(p *api.Path) (prefix netip.Prefix, via netip.Addr, err error) {
	var nlri api.IPAddressPrefix
	if err := p.GetNlri().UnmarshalTo(&nlri); err != nil {
		return prefix, via, err
	}
	addr, err := netip.ParseAddr(nlri.GetPrefix())
	if err != nil {
		return prefix, via, err
	}
	prefix = netip.PrefixFrom(addr, int(nlri.GetPrefixLen()))
	for _, a := range p.GetPattrs() {
		var hop api.NextHopAttribute
		if a.MessageIs(&hop) && a.UnmarshalTo(&hop) == nil {
			via, err = netip.ParseAddr(hop.GetNextHop())
		}
	}
	return prefix, via, err
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
func (r *router) stale(ctx context.Context) (n int, err error) {
	err = r.bgp.ListPath(ctx, &api.ListPathRequest{
		Family: &api.Family{Afi: api.Family_AFI_IP, Safi: api.Family_SAFI_UNICAST},
	}, func(d *api.Destination) {
		for _, p := range d.GetPaths() {
			if p.GetStale() {
				n++
			}
		}
	})
	return n, err
}

// silence is GoBGP's logger. What matters shows in the events; GoBGP's own
// Fatal would end the process.
type silence struct{}

func (silence) Panic(string, bgplog.Fields) {}
func (silence) Fatal(string, bgplog.Fields) {}
func (silence) Error(string, bgplog.Fields) {}
func (silence) Warn(string, bgplog.Fields)  {}
func (silence) Info(string, bgplog.Fields)  {}
func (silence) Debug(string, bgplog.Fields) {}
func (silence) SetLevel(bgplog.LogLevel)    {}
func (silence) GetLevel() bgplog.LogLevel   { return bgplog.ErrorLevel }
