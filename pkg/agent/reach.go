package agent

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/gather"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

const (
	// reachSample is how many addresses one check looks at beside one of each network, and
	// reachScan among how many those are looked for.
	reachSample = 32
	reachScan   = 2048
	// reachEvery is how often what is announced is checked between audits, and reachFresh how
	// old a check may be that status shows.
	reachEvery = 30 * time.Second
	reachFresh = time.Second
	// reachDeadline bounds one check.
	reachDeadline = 3 * time.Second
)

// Addresses that only a default route leads to. Nothing is ever sent to them: the kernel is
// asked where it would send.
var (
	far4 = netip.MustParseAddr("192.88.98.1")
	far6 = netip.MustParseAddr("2001:4:112::1")
)

// factReader reads facts. gather.Reader is the real one.
type factReader interface {
	Facts(ctx context.Context, questions []gather.Question) []reach.Facts
}

// reachability judges whether what is announced is reachable.
type reachability struct {
	reader factReader
	log    *slog.Logger

	mu sync.Mutex // guards what follows
	// behind has the last known uplink of each peer: its addresses go with a device that is
	// down.
	behind map[netip.Addr]string
	// defaults says of which family a default route was seen, by whether it is IPv6.
	defaults map[bool]bool
	// woken holds a token while a check is due.
	woken chan struct{}
	// last is the last check.
	last   control.Reach
	lastAt time.Time
	bad    []object.Key
	// remotes are addresses that others announce into VRFs, as remotesFor has them.
	remotes    map[remoteKey][]netip.Prefix
	remotesFor object.Set
	// protocol is rtm_protocol of our routes.
	protocol uint8
	withdrawing
}

// openReachability opens what answers about reachability. It is closed by c.
func openReachability(c *closing, s config.Settings, log *slog.Logger) (*reachability, error) {
	conf := gather.Config{RuleProtocol: s.Routing.RuleProtocol}
	if s.Flows.Manage {
		conf.RunDir = cmp.Or(s.OpenVSwitch.RunDir, os.Getenv("OVS_RUNDIR"), openflow.DefaultRunDir)
		conf.OVSDB = s.OpenVSwitch.Endpoint
	}
	reader, err := gather.Open(conf)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	c.onClose(reader.Close)
	return &reachability{
		reader: reader, log: log, protocol: s.Routing.RouteProtocol, woken: make(chan struct{}, 1),
		behind: map[netip.Addr]string{}, defaults: map[bool]bool{},
		last:        control.Reach{Unreachable: []control.Unreachable{}, Withdrawn: []control.Withdrawn{}},
		withdrawing: withdrawing{conf: withdrawConfig(s)},
	}, nil
}

// wake has a check made soon.
func (c *reachability) wake() {
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// unreachable are the addresses that the last check found unreachable.
func (c *reachability) unreachable() []netip.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]netip.Addr, len(c.last.Unreachable))
	for i, u := range c.last.Unreachable {
		out[i] = u.Address
	}
	return out
}

// watchReach checks after each audit, and from time to time, until ctx ends.
func (n *Node) watchReach(ctx context.Context) {
	tick := time.NewTicker(reachEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.reach.woken:
		case <-tick.C:
		case <-n.reach.again():
			r, _ := n.ctl.Last()
			n.reach.recheck(ctx, r)
			continue
		}
		r, _ := n.ctl.Last()
		found := n.reach.check(ctx, r, reachFresh)
		n.metrics.Reach(found.Reasons())
		n.metrics.Withdrawing(found.Guard != nil)
	}
}

// question asks about a way, from the fabric as the snapshot has it. The caller holds mu.
func (c *reachability) question(r reconcile.Round, w reach.Way) gather.Question {
	c.lookBehind(r)
	q := gather.Question{Way: w, Uplinks: deviceNames(c.behind)}
	q.Protocol = c.protocol
	q.Port = w.Port != ""
	if w.Overlay != nil {
		q.Fabric, q.Switch = c.remotesOf(r, w), w.Bridge != ""
		return q
	}
	ipv6 := w.Addr.Is6()
	for peer, dev := range c.behind {
		if peer.Is6() == ipv6 && !peer.IsLinkLocalUnicast() {
			q.Fabric = append(q.Fabric, gather.Source{Addr: peer, Dev: dev})
		}
	}
	sorting.Sort(q.Fabric, func(a, b gather.Source) int { return a.Addr.Compare(b.Addr) })
	far := far4
	if ipv6 {
		far = far6
	}
	q.Fabric = append(q.Fabric, gather.Source{Addr: far, Far: true})
	q.NeedsDefault = c.defaults[ipv6] || !leadsBeyond(r, ipv6)
	// The traces are for bridges without a VLAN between them and the kernel.
	q.Switch = w.Bridge != "" && w.Bridge == w.Dev
	return q
}

// lookBehind brings up to date by which device each peer is reached. The caller holds mu.
func (c *reachability) lookBehind(r reconcile.Round) {
	mapped := func(dev string) bool {
		return dev == "lo" || r.Snapshot.OVS != nil && slices.ContainsFunc(r.Snapshot.OVS.Mappings,
			func(m observe.BridgeMapping) bool { return m.Bridge == dev })
	}
	var peers []netip.Addr
	for _, it := range r.Want.AllOf(object.KindPeer) {
		if peer, err := netip.ParseAddr(it.Value.(object.Peer).Address); err == nil {
			peers = append(peers, peer)
		}
	}
	maps.DeleteFunc(c.behind, func(peer netip.Addr, _ string) bool { return !slices.Contains(peers, peer) })
	for peer, dev := range uplinks(r.Snapshot.Host, peers, mapped) {
		c.behind[peer] = dev
	}
}

// uplinks is by which device each peer is reached, or was last.
func (c *reachability) uplinks(r reconcile.Round) map[netip.Addr]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lookBehind(r)
	return maps.Clone(c.behind)
}

// latest is the last check.
func (c *reachability) latest() control.Reach {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// leadsBeyond reports whether a route in the main table leads to a next hop.
func leadsBeyond(r reconcile.Round, ipv6 bool) bool {
	if r.Snapshot.Host != nil && slices.ContainsFunc(r.Snapshot.Host.Gateways, func(g observe.Gateway) bool {
		return g.Dst.Addr().Is6() == ipv6 && g.Dst.Bits() > 0
	}) {
		return true
	}
	for _, it := range r.Have.AllOf(object.KindRoute) {
		if v := it.Value.(object.Route); v.Table == object.TableMain && v.Dst.Addr().Is6() == ipv6 && v.Dst.Bits() > 0 {
			return true
		}
	}
	return false
}

// judged is a verdict with the facts that it was made of.
type judged struct {
	reach.Verdict
	facts reach.Facts
}

// judge asks and judges. The caller holds mu.
func (c *reachability) judge(ctx context.Context, questions []gather.Question) []judged {
	ctx, cancel := context.WithTimeout(ctx, reachDeadline)
	defer cancel()
	facts := c.reader.Facts(ctx, questions)
	out := make([]judged, len(facts))
	for i, f := range facts {
		for _, l := range f.Back {
			if l.Far && l.Refused == "" {
				c.defaults[f.Addr.Is6()] = true
			}
		}
		out[i] = judged{reach.Judge(f), f}
		out[i].From = append([]string{}, questions[i].Uplinks...)
	}
	return out
}

// explain judges the way to one address; nil if it is not announced. Of several VNIs that
// have it the first counts by which it is not reachable.
func (c *reachability) explain(ctx context.Context, r reconcile.Round, addr netip.Addr) *reach.Verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	var questions []gather.Question
	for _, w := range waysOf(r, addr) {
		questions = append(questions, c.question(r, w))
	}
	if len(questions) == 0 {
		return nil
	}
	return worst(c.judge(ctx, questions))
}

// worst is the first verdict that says that packets do not get through, or else the first.
func worst(found []judged) *reach.Verdict {
	i := max(0, slices.IndexFunc(found, func(v judged) bool { return !v.Reachable }))
	return &found[i].Verdict
}

// trace judges the way of a packet to any address, from one uplink or all, with the source
// src or those of the peers.
func (c *reachability) trace(ctx context.Context, r reconcile.Round, t control.TraceQuestion) (control.Trace, error) {
	ways := waysOf(r, t.To)
	announced := len(ways) > 0
	if !announced {
		ways = []reach.Way{{Addr: t.To}}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var questions []gather.Question
	for _, w := range ways {
		q := c.question(r, w)
		if t.From != "" && w.Overlay == nil {
			q.Uplinks = []string{t.From}
			for i := range q.Fabric {
				q.Fabric[i].Dev = ""
			}
		}
		if t.Src.IsValid() {
			q.Fabric = []gather.Source{{Addr: t.Src}}
		}
		if len(q.Uplinks) == 0 {
			return control.Trace{}, fmt.Errorf("trace %s: no device leads to a BGP peer: name one with --from", t.To)
		}
		questions = append(questions, q)
	}
	v := *worst(c.judge(ctx, questions))
	return control.Trace{Version: control.Version, Announced: announced, Verdict: v}, nil
}

// check looks at one address of each network, a sample of all, and what was not reachable
// last time, unless the last check is younger than fresh.
func (c *reachability) check(ctx context.Context, r reconcile.Round, fresh time.Duration) control.Reach {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lastAt.IsZero() && time.Since(c.lastAt) < fresh {
		return c.last
	}
	var sample, known []announced
	if r.Want.LenOf(object.KindPeer) > 0 { // else nothing is announced to anybody
		sample = append(c.sample(r), c.overlaySample(r)...)
		known = c.known(r, sample)
	}
	began := time.Now()
	found := c.judge(ctx, c.questions(r, sample))
	c.sampled, c.lost = len(sample), 0
	for _, v := range found {
		if reach.Certain(v.facts, v.Verdict) {
			c.lost++
		}
	}
	found = append(found, c.judgeKnown(ctx, r, known)...)
	ways := append(sample, known...)
	c.decide(r, began, ways, found)
	out := control.Reach{At: began, Unreachable: []control.Unreachable{}, Checked: len(found)}
	out.Withdrawn, out.Guard = c.withdrawn(r)
	c.bad = nil
	for i, a := range ways {
		v := found[i]
		first, broken := v.First()
		if _, withdrawn := c.blocked()[a.path]; !broken || withdrawn {
			continue
		}
		u := control.Unreachable{Address: v.Address, Code: first.Code, Text: first.Text, Try: first.Try, Since: began}
		u.Device, u.VNI = a.Dev, v.VNI
		for _, old := range c.last.Unreachable {
			if old.Address == u.Address && old.VNI == u.VNI && old.Code == u.Code {
				u.Since = old.Since
			}
		}
		out.Unreachable = append(out.Unreachable, u)
		c.bad = append(c.bad, a.path)
	}
	out.Seconds = time.Since(began).Seconds()
	c.tell(out)
	c.last, c.lastAt = out, time.Now()
	return out
}

// questions ask about ways. The caller holds mu.
func (c *reachability) questions(r reconcile.Round, ways []announced) []gather.Question {
	out := make([]gather.Question, 0, len(ways))
	asked := map[string]bool{}
	for _, w := range ways {
		q := c.question(r, w.Way)
		// One trace a bridge and family: what is above our flows is there for all.
		network := fmt.Sprint(w.Bridge, w.Dev, w.Addr.Is6())
		q.Switch = q.Switch && !asked[network]
		asked[network] = true
		out = append(out, q)
	}
	return out
}

// tell logs what has become unreachable, by reason, and what is not any more.
func (c *reachability) tell(now control.Reach) {
	before, after := c.last.Reasons(), now.Reasons()
	for _, u := range now.Unreachable {
		if before[u.Code] == 0 && after[u.Code] > 0 {
			c.log.Warn("announced addresses are not reachable here", "code", u.Code, "addresses", after[u.Code],
				"first", u.Address, "why", u.Text, "remedy", u.Try)
			before[u.Code] = 1
		}
	}
	for _, u := range c.last.Unreachable {
		if after[u.Code] == 0 && !isAmong(now.Withdrawn, u) {
			after[u.Code] = 1
			c.log.Info("announced addresses are reachable again", "code", u.Code)
		}
	}
}

// announced is the way to an address of a path.
type announced struct {
	reach.Way
	path object.Key
}

// announcedBy is the way to a path, which is there or is withdrawn because it is not
// reachable; false for any other, and for one that is no provider network's.
func announcedBy(r reconcile.Round, it object.Item, there func(object.Key) bool) (announced, bool) {
	k := it.Value.Key()
	if !there(k) && !isWithdrawn(it) {
		return announced{}, false
	}
	addr := k.Prefix.Addr()
	if !addr.IsValid() || k.Kind == object.KindEVPN && k.Num == uint32(object.EVPNMulticast) {
		return announced{}, false
	}
	if !k.Prefix.IsSingleIP() {
		addr = addr.Next() // of a subnet, an address within it
	}
	w, ok := wayOfPath(r, it, addr)
	return announced{w, k}, ok
}

// sample are ways: one of each network and family, and some of all others in turn. The
// caller holds mu.
func (c *reachability) sample(r reconcile.Round) []announced {
	var out, first []announced
	networks := map[string]bool{}
	there := r.There()
	seen := 0
	for _, it := range r.Want.Shuffled(object.KindPath) { // another sample each time
		if seen++; seen > reachScan {
			break
		}
		if len(out) >= reachSample && len(networks) >= r.Want.LenOf(object.KindRule) || isWithdrawn(it) {
			continue
		}
		a, ok := announcedBy(r, it, there)
		if !ok {
			continue
		}
		if name := fmt.Sprint(a.Dev, a.Addr.Is6()); !networks[name] {
			networks[name] = true
			first = append(first, a)
			continue
		}
		out = append(out, a)
	}
	if len(out) > reachSample {
		out = out[:reachSample]
	}
	return append(first, out...)
}

// known are ways beyond a sample: those that were not reachable last time, and all of which
// it has to be known whether they are. The caller holds mu.
func (c *reachability) known(r reconcile.Round, sample []announced) []announced {
	taken := map[object.Key]bool{}
	for _, a := range sample {
		taken[a.path] = true
	}
	var out []announced
	there := r.There()
	add := func(k object.Key) {
		it, wanted := r.Want.Get(k)
		if !wanted || taken[k] {
			return
		}
		taken[k] = true
		if a, ok := announcedBy(r, it, there); ok {
			out = append(out, a)
		}
	}
	for _, k := range c.bad[:min(len(c.bad), reachSample)] {
		add(k)
	}
	for _, k := range c.memory.Suspects() {
		add(k)
	}
	return out
}
