package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify/lookingpoint"
)

const (
	// outsideEvery is how often it is asked whether anything has changed at a looking point,
	// and outsideShare bounds what comparing costs: a pause is so many times as long.
	outsideEvery = time.Second
	outsideShare = 10
	// outsideListed is how many lost prefixes status lists; all are counted.
	outsideListed = 100
	// outsideAsked is for how many lost prefixes it is asked whether a neighbour sends them
	// back: where more are lost, all have one cause.
	outsideAsked = 32
)

// outside are the looking points. They are no part of the desired state: nothing that is
// forwarded or announced stands on them, and what they send gets into no table.
type outside struct {
	node *Node
	log  *slog.Logger

	mu sync.Mutex // guards what follows
	// ctx ends all sessions; nil before the node runs.
	ctx  context.Context
	done sync.WaitGroup
	want config.Verify
	// running are the sessions with the points of want.
	running map[lookAt]*looking
	// lost is what a point should have and has not.
	lost   map[verify.NLRI]loss
	counts map[verify.State]int
	// extra is what a point holds of this node, which does not send it; ends are addresses of
	// this node alone, in order.
	extra map[verify.NLRI]loss
	ends  []netip.Addr
	// changed has what the last pass compared.
	changed string
	ours    object.Set
	// down is how many sessions of ours were not up then.
	down            int
	told, toldExtra bool
	// woken holds a token after the points have changed.
	woken chan struct{}
}

// lookAt is what a session depends on.
type lookAt struct {
	config.LookingPoint
	routerID netip.Addr
	evpn     bool
}

// looking is a session that is kept up.
type looking struct {
	*lookingpoint.Session
	point config.LookingPoint
	stop  context.CancelFunc
}

// loss is what has become of a path that is lost.
type loss struct {
	verify.Result
	since time.Time
}

func newOutside(n *Node) *outside {
	return &outside{
		node: n, log: n.opts.Log, running: map[lookAt]*looking{}, lost: map[verify.NLRI]loss{},
		extra: map[verify.NLRI]loss{}, counts: map[verify.State]int{}, woken: make(chan struct{}, 1),
	}
}

// watch looks at the points of the configuration until ctx ends.
func (o *outside) watch(ctx context.Context, want config.Verify) {
	o.mu.Lock()
	o.ctx = ctx
	o.mu.Unlock()
	o.set(want)
	defer o.done.Wait()
	last, lastExtra := 0, 0
	for {
		began := time.Now()
		if err := o.pass(ctx); err != nil && ctx.Err() == nil {
			o.log.Debug("cannot compare what is announced with what looking points have", "err", err)
		}
		out := o.report(time.Now())
		o.observe(out)
		if out.Lost != last || out.Extra != lastExtra {
			last, lastExtra = out.Lost, out.Extra
			o.node.past.wake()
		}
		if !o.rest(ctx, max(outsideEvery, outsideShare*time.Since(began))) {
			return
		}
	}
}

// set changes which points there are. Those that stay keep their sessions.
func (o *outside) set(want config.Verify) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.want = want; o.ctx == nil || o.ctx.Err() != nil {
		return
	}
	wanted := map[lookAt]bool{}
	for _, p := range want.Points {
		wanted[o.lookAt(p)] = true
	}
	for at, l := range o.running {
		if !wanted[at] {
			l.stop()
			delete(o.running, at)
		}
	}
	for at := range wanted {
		if o.running[at] == nil {
			ctx, stop := context.WithCancel(o.ctx)
			l := &looking{lookingpoint.New(o.sessionOf(at)), at.LookingPoint, stop}
			o.running[at] = l
			o.done.Go(func() { l.Run(ctx) })
		}
	}
	o.changed, o.ours = "", object.Set{}
	select {
	case o.woken <- struct{}{}:
	default: // it has been told already
	}
}

// lookAt adds what a point leaves to the node.
func (o *outside) lookAt(p config.LookingPoint) lookAt {
	if p.LocalAS == 0 {
		p.LocalAS = o.node.settings.BGP.AS
	}
	id := o.want.RouterID
	if !id.IsValid() {
		// A router does not send back to an identifier what it has from it.
		raw := o.node.id.As4()
		raw[2] ^= 0x80
		id = netip.AddrFrom4(raw)
	}
	return lookAt{p, id, o.node.settings.FollowsEVPN()}
}

// sessionOf is the configuration of a session.
func (o *outside) sessionOf(at lookAt) lookingpoint.Config {
	remote, _ := netip.ParseAddr(at.Address) // which the configuration was checked for
	var station netip.AddrPort
	if at.BMPPort != 0 {
		station = netip.AddrPortFrom(netip.IPv4Unspecified(), at.BMPPort)
		if remote.Is6() {
			station = netip.AddrPortFrom(netip.IPv6Unspecified(), at.BMPPort)
		}
		if at.LocalAddress.IsValid() {
			station = netip.AddrPortFrom(at.LocalAddress, at.BMPPort)
		}
	}
	return lookingpoint.Config{
		BMP: station, Remote: netip.AddrPortFrom(remote, at.Port), Local: at.LocalAddress, AS: at.AS, LocalAS: at.LocalAS,
		RouterID: at.routerID, EVPN: at.evpn, Password: at.Password, Logger: o.log,
		Allow: func(local netip.Addr) error { return o.node.mayLook(remote, local) },
	}
}

// mayLook refuses a session between the two addresses of one with a neighbour: the router
// would take it for that neighbour, and end the session that traffic depends on.
func (n *Node) mayLook(remote, local netip.Addr) error {
	refused := fmt.Errorf("the peer %s has a session from %s, too, which this one would end: set local_address of "+
		"bgp.verify.points to another address of this node", remote, local)
	r, _ := n.ctl.Last()
	for _, it := range r.Want.AllOf(object.KindPeer) {
		p := it.Value.(object.Peer)
		if p.Address != remote.String() {
			continue
		}
		from := p.LocalAddress
		if !from.IsValid() {
			var err error
			if from, err = lookingpoint.LocalOf(remote); err != nil {
				return err
			}
		}
		if from == local {
			return refused
		}
	}
	return nil
}

// pass compares once, if anything has changed since the last time.
func (o *outside) pass(ctx context.Context) error {
	o.mu.Lock()
	points := len(o.running)
	o.mu.Unlock()
	if points == 0 {
		o.mu.Lock()
		o.lost, o.extra, o.counts = map[verify.NLRI]loss{}, map[verify.NLRI]loss{}, map[verify.State]int{}
		o.mu.Unlock()
		return nil
	}
	a, err := o.node.speaker.Announcements(ctx, "")
	if err != nil {
		return err
	}
	o.mu.Lock()
	same := o.ours.Same(a.Paths)
	o.mu.Unlock()
	list := nlriOf(a.Paths)
	self := o.self(a)
	for _, s := range o.sessions() {
		s.Is(self)
		if !same {
			s.Want(list)
		}
		s.Tend()
	}
	state := o.state(a)
	o.mu.Lock()
	same = same && state == o.changed
	o.mu.Unlock()
	if same {
		return nil
	}
	lost, extra := map[verify.NLRI]verify.Result{}, map[verify.NLRI]verify.Result{}
	counts := map[verify.State]int{}
	take := func(k verify.NLRI, results []verify.Result) {
		worst := verify.Worst(results)
		counts[worst.State]++
		if worst.State.Lost() {
			lost[k] = worst
		} else if worst.State == verify.Extra {
			extra[k] = worst
		}
	}
	o.compare(a, list, func(k verify.NLRI, _ object.Value, _ []bgp.Sent, results []verify.Result) { take(k, results) })
	for _, e := range o.extras(a) {
		take(e.nlri, e.results)
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lost, o.extra = sinceWhen(o.lost, lost, now), sinceWhen(o.extra, extra, now)
	o.counts, o.changed, o.ours = counts, state, a.Paths
	_, o.down = a.Ends()
	return nil
}

// sessions are those that are running, in the order of the configuration.
func (o *outside) sessions() []*looking {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []*looking
	for _, p := range o.want.Points {
		if l := o.running[o.lookAt(p)]; l != nil {
			out = append(out, l)
		}
	}
	return out
}

// state is text that is the same as long as nothing has changed that is compared.
func (o *outside) state(a *bgp.Announcements) string {
	text := fmt.Sprint(a.Neighbours())
	for _, s := range o.sessions() {
		st := s.Status()
		text += fmt.Sprint(" ", st.Changed, st.Established, st.Complete, st.Doubtful)
	}
	return text
}

// nlriOf is what is announced, in order.
func nlriOf(paths object.Set) []verify.NLRI {
	out := make([]verify.NLRI, 0, paths.LenOf(object.KindPath)+paths.LenOf(object.KindEVPN))
	for _, kind := range []object.Kind{object.KindPath, object.KindEVPN} {
		for k := range paths.AllOf(kind) {
			out = append(out, k)
		}
	}
	verify.Sort(out)
	return out
}

// familyOf is the address family of a path's session.
func familyOf(k verify.NLRI) object.Family {
	if k.Kind == object.KindEVPN {
		return object.L2VPNEVPN
	}
	return object.Family(k.Num)
}

// view is how a session is, and the looking point as package verify has it.
func (l *looking) view() (lookingpoint.Status, verify.Point) {
	st := l.Status()
	p := verify.Point{Name: l.point.Address, Router: st.Router, Covering: l.point.Covering}
	for _, a := range l.point.Ignored() {
		p.Ignore = append(p.Ignore, verify.Attribute(a))
	}
	switch {
	case !st.Established:
		p.Blind = fmt.Sprintf("the session with %s is not up: %v", p.Name, st.Err)
	case st.Err != nil:
		p.Blind = p.Name + ": " + st.Err.Error()
	case !st.Complete:
		p.Blind = p.Name + " has not sent everything yet"
	}
	return st, p
}

// compare calls fn with what has become of each path, in their order.
func (o *outside) compare(a *bgp.Announcements, list []verify.NLRI,
	fn func(k verify.NLRI, path object.Value, sent []bgp.Sent, results []verify.Result),
) {
	views := make([][]verify.View, len(list))
	for _, s := range o.sessions() {
		st, base := s.view()
		s.View(list, func(j int, exact []verify.Held, cover *verify.Held) {
			v := verify.View{Point: base, Exact: exact, Cover: cover}
			switch family := familyOf(list[j]); {
			case v.Blind != "":
			case !slices.Contains(st.Families, family):
				v.Blind = blindTo(s.point, family)
			case st.Doubtful && len(exact) == 0:
				v.Blind = base.Name + " is being asked again: it sent much while this was announced"
			}
			views[j] = append(views[j], v)
		})
	}
	node, asked, self := o.node.asSeen(), 0, o.self(a)
	_, down := a.Ends()
	var sent []bgp.Sent
	for i, k := range list {
		it, ok := a.Paths.Get(k)
		if !ok {
			continue
		}
		sent = a.To(it.Value, sent[:0])
		p := verifiedPath(it.Value, sent)
		results := verify.Compare(node, p, views[i])
		if len(sent) == 0 {
			results = orExtra(self, results, views[i], down)
		}
		if verify.IsUnicast(k) && verify.Worst(results).State == verify.Missing && asked < outsideAsked {
			asked++
			if p.Returned = o.node.returned(k.Prefix); len(p.Returned) > 0 {
				results = verify.Compare(node, p, views[i])
			}
		}
		fn(k, it.Value, sent, results)
	}
}

// blindTo says why nothing is known of a family that a router does not tell of.
func blindTo(p config.LookingPoint, family object.Family) string {
	if p.BMPPort != 0 {
		return fmt.Sprintf("%s has told nothing of %s by BMP: let it monitor that, too", p.Address, family)
	}
	return fmt.Sprintf("%s does not offer %s on the session: activate it there", p.Address, family)
}

// verifiedPath is a path of ours as package verify has it.
func verifiedPath(path object.Value, sent []bgp.Sent) verify.Path {
	p := verify.Path{NLRI: path.Key()}
	switch v := path.(type) {
	case object.Path:
		p.Origin, p.Communities, p.LargeCommunities = v.Origin, v.Communities, v.LargeCommunities
		p.MED, p.LocalPref, p.Prepend = v.MED, v.LocalPref, v.Prepend
	case object.EVPNPath:
		p.Origin, p.Communities, p.MED, p.LocalPref, p.Prepend = v.Origin, v.Communities, v.MED, v.LocalPref, v.Prepend
		p.Overlay = verify.Overlay{
			VNI: v.VNI, Targets: v.Targets, RouterMAC: v.RouterMAC, Encapsulation: verify.VXLAN,
		}
	}
	for _, s := range sent {
		p.Sent = append(p.Sent, verify.Sent{Peer: s.Peer, AS: s.AS, Router: s.Router, NextHop: s.NextHop})
	}
	return p
}

// asSeen is what tells our paths from those of others.
func (n *Node) asSeen() verify.Node {
	r, _ := n.ctl.Last()
	out := verify.Node{AS: n.settings.BGP.AS, RouterID: n.id, Others: map[netip.Addr]string{}}
	if r.Snapshot.SB == nil || r.Snapshot.Host == nil {
		return out
	}
	out.Others = n.whoWeAre(r.Snapshot, rib.Tally{}).Chassis
	return out
}

// returned are neighbours that send a prefix of ours back to us: our own AS in its path says
// that they have it.
func (n *Node) returned(prefix netip.Prefix) (peers []string) {
	ctx, cancel := context.WithTimeout(context.Background(), speakerDeadline)
	defer cancel()
	err := n.table.Received(ctx, "", prefix, func(p *rib.ReceivedPath) {
		if p.Loop && p.Prefix == prefix && !slices.Contains(peers, p.Peer) {
			peers = append(peers, p.Peer)
		}
	})
	if err != nil {
		return nil // it only says more about what is known to be missing
	}
	slices.Sort(peers)
	return peers
}

// points are the looking points and how their sessions are.
func (o *outside) points() []control.LookingPoint {
	out := []control.LookingPoint{}
	for _, s := range o.sessions() {
		st := s.Status()
		out = append(out, control.LookingPoint{
			Address: s.point.Address, AS: s.point.AS, Established: st.Established, Since: st.Since, Error: errText(st.Err),
			Complete: st.Complete, AddPath: st.AddPath, RouterID: addrText(st.Router), LocalAddress: addrText(st.Local),
			Families: append([]object.Family{}, st.Families...), Received: st.Received, Kept: st.Kept,
		})
	}
	return out
}
