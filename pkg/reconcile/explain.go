package reconcile

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/elsewhere"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// PeerStatus is what explanations need to know of a session.
type PeerStatus struct {
	Address string `json:"address"`
	Up      bool   `json:"up"`
	Text    string `json:"text"`
}

// Sessions are what explanations need to know of the sessions, by what they carry.
type Sessions struct {
	// Known is false where nobody could be asked.
	Known bool         `json:"known"`
	IPv4  []PeerStatus `json:"ipv4"`
	IPv6  []PeerStatus `json:"ipv6"`
	// EVPN are those that carry l2vpn-evpn, whichever family the addresses are of.
	EVPN []PeerStatus `json:"evpn"`
}

// of are the sessions that carry a path.
func (s Sessions) of(path object.Key) ([]PeerStatus, object.Family) {
	switch family := object.FamilyOf(path.Prefix.Addr()); {
	case path.Kind == object.KindEVPN:
		return s.EVPN, object.L2VPNEVPN
	case family == object.IPv6Unicast:
		return s.IPv6, family
	default:
		return s.IPv4, family
	}
}

// Explanation is all that is known of one address.
type Explanation struct {
	Address    netip.Addr `json:"address"`
	Advertised bool       `json:"advertised"`
	// Learned says that a route to the address is in place that neighbours
	// announced to this node.
	Learned  bool             `json:"learned,omitempty"`
	Accounts []reason.Account `json:"accounts"`
	// Held says why it is still announced although nothing asks for it any more.
	Held *Held `json:"held,omitempty"`
	// Reach is what keeps packets to the address away from it on this node, and the way they
	// take; nil where the address is not announced or the way was not judged.
	Reach *reach.Verdict `json:"reach,omitempty"`
	// Elsewhere says who else announces it, or a part of it; nil if nobody does.
	Elsewhere *Elsewhere `json:"announced_elsewhere,omitempty"`
	// Outside is what has become of it at the looking points, the worst of them; nil where
	// there is none.
	Outside *Outside `json:"outside,omitempty"`
	// First is the first blocking reason of the account that got furthest;
	// empty when the address is advertised.
	First string `json:"first_reason,omitempty"`
	// Code is the stable code of First.
	Code string `json:"code,omitempty"`
	// Chassis are those that announce it, if they are configured as this node is, and
	// Probable those of which the database does not tell for sure.
	Chassis  []string `json:"chassis"`
	Probable []string `json:"probable_chassis,omitempty"`
	Try      string   `json:"try,omitempty"`
	// Drain says that the node is being taken out of service, and how far that is; empty if
	// it is in service.
	Drain DrainPhase `json:"drain,omitempty"`
	// Hypothetical says that the current state was not read, as for a snapshot file:
	// what is derived and not blocked counts as being there.
	Hypothetical bool `json:"hypothetical"`
	// Stale says why the answer may be old.
	Stale string `json:"stale,omitempty"`
	// RuledOut are codes of what might have kept it back and does not.
	RuledOut []string `json:"ruled_out,omitempty"`
}

// Elsewhere is somebody else who announces what we do.
type Elsewhere struct {
	elsewhere.Finding
	Code string `json:"code"`
	// Since is since when, as RFC 3339 writes it.
	Since string `json:"since"`
	Try   string `json:"try"`
}

// Outside is what has become of an announcement at a looking point.
type Outside struct {
	verify.Result
	// Lost says that it should be there, and has not been for a while. Code is the stable code
	// of that, Since since when, as RFC 3339 writes it, and Try what to do.
	Lost  bool   `json:"lost"`
	Code  string `json:"code,omitempty"`
	Since string `json:"since,omitempty"`
	Try   string `json:"try,omitempty"`
}

// Held is what keeps an announcement that is not wanted any more.
type Held struct {
	Code string `json:"code"`
	Text string `json:"text"`
	// Until is when it ends by itself, as RFC 3339 writes it; empty if that is not known.
	Until string `json:"until,omitempty"`
	// Since is since when, as RFC 3339 writes it; empty if that is not known.
	Since string `json:"since,omitempty"`
	clock string // the time of day of Until
	since string // that of Since
}

// held returns why the path of an address itself is there and kept; nil if it is not.
func held(r Round, addr netip.Addr) *Held {
	n := noteOf(r.Plan, object.NewPath(netip.PrefixFrom(addr, addr.BitLen()), object.OriginIncomplete).Key())
	if n == nil || !r.Have.Has(n.Key) || r.Want.Has(n.Key) {
		return nil
	}
	return &Held{Code: n.Block.Code, Text: n.Block.Text, Until: n.Block.Until, clock: n.Block.Clock()}
}

// heldSince adds since when an announcement has not been wanted any more.
func (c *Controller) heldSince(h *Held, addr netip.Addr) {
	c.round.Lock()
	defer c.round.Unlock()
	k := object.NewPath(netip.PrefixFrom(addr, addr.BitLen()), object.OriginIncomplete).Key()
	if l, ok := c.losses[k]; h != nil && ok && !l.since.IsZero() {
		h.Since, h.since = l.since.Format(time.RFC3339), l.since.Local().Format(time.TimeOnly)
	}
}

// Explain is [Controller.ExplainBy] for sessions that carry everything. known says whether
// peers is known at all: a command without a running controller cannot see sessions.
func (c *Controller) Explain(r Round, addr netip.Addr, peers []PeerStatus, known bool) Explanation {
	return c.ExplainBy(r, addr, Sessions{Known: known, IPv4: peers, IPv6: peers, EVPN: peers})
}

// ExplainBy says why addr is or is not announced from here, from the round r and the state
// of the sessions.
func (c *Controller) ExplainBy(r Round, addr netip.Addr, sessions Sessions) Explanation {
	e := Explanation{Address: addr, Stale: cmp.Or(r.Snapshot.Doubt(), r.Snapshot.NorthboundDoubt())}
	c.round.Lock()
	drivers := c.cfg.Drivers
	if c.drain.is != nil {
		e.Drain = cmp.Or(c.drain.told, DrainLowered)
	}
	c.round.Unlock()
	for _, d := range drivers {
		accounts, panicked := desired.Explain(d, r.Snapshot, addr)
		if panicked != nil {
			c.logPanics(*panicked)
		}
		for _, a := range accounts {
			if _, blocked := a.Blocked(); !blocked {
				a = c.Follow(r, addr, a, sessions)
			}
			e.Accounts = append(e.Accounts, a)
		}
	}
	e.dropDefault()
	sorting.Stable(e.Accounts, telling) // verdict.go goes on
	e.conclude(r)
	if !e.Advertised {
		e.Held = held(r, addr)
		c.heldSince(e.Held, addr)
		e.Advertised = e.Held != nil
	}
	return e
}

// Follow adds to an account in which nothing is in the way what became of its objects, and
// of the path on the sessions.
func (c *Controller) Follow(r Round, addr netip.Addr, a reason.Account, sessions Sessions) reason.Account {
	a = c.explainObjects(r, addr, a)
	if !r.Have.Has(pathOf(a, addr)) {
		a.Chassis = others(r.Snapshot, a.Chassis)
	}
	if _, blocked := a.Blocked(); !blocked && sessions.Known && !a.Inbound() {
		a.Steps = append(a.Steps, sessions.step(pathOf(a, addr)))
	}
	return a
}

// Drivers are those that the controller runs at the moment.
func (c *Controller) Drivers() []desired.Driver {
	c.round.Lock()
	defer c.round.Unlock()
	return slices.Clone(c.cfg.Drivers)
}

// pathOf is the object that an account is about.
func pathOf(a reason.Account, addr netip.Addr) object.Key {
	if a.Object.Kind != 0 {
		return a.Object
	}
	return object.NewPath(netip.PrefixFrom(addr, addr.BitLen()), object.OriginIncomplete).Key()
}

// others are the chassis that announce an address without this one, of which the
// driver could not know that its path is not there.
func others(snap observe.Snapshot, chassis []string) []string {
	if snap.SB == nil {
		return chassis
	}
	us, ok := snap.SB.ChassisByName(snap.Chassis)
	if !ok {
		return chassis
	}
	return slices.DeleteFunc(slices.Clone(chassis), func(name string) bool { return name == us.Text() })
}

// ExplainHypothetical is Explain for a node in the state of the snapshot, as if
// everything that can be applied were.
func (c *Controller) ExplainHypothetical(r Round, addr netip.Addr) Explanation {
	r = Hypothetical(r)
	e := c.Explain(r, addr, nil, false)
	e.Hypothetical = true
	return e
}

// Hypothetical is a round as if everything that can be applied were.
func Hypothetical(r Round) Round {
	var there object.Set
	for k, it := range r.Want.All() {
		if noteOf(r.Plan, k) == nil {
			there.Put(it)
		}
	}
	r.Have = there
	return r
}

// explainObjects adds what became of the objects: those that the path needs,
// then the path; or the learned route.
func (c *Controller) explainObjects(r Round, addr netip.Addr, a reason.Account) reason.Account {
	key := pathOf(a, addr)
	it, ok := r.Want.Get(key)
	switch {
	case !ok:
		text := fmt.Sprintf("%s is not derived", key.Text())
		a.Steps = append(a.Steps, reason.Step{Stage: "steering", Text: text + skipText(r.Skipped), Code: reason.NotApplied})
		return a
	case a.Inbound():
		a.Steps = append(a.Steps, keyStep(r, "steering", key))
		return a
	default:
		return c.objectSteps(r, it, a)
	}
}

// objectSteps tells of all that a path needs, and of the path. What decides whether it is
// announced is the path: where that is there, what it needs may have been taken away a moment
// ago, may be changed by others again and again, or may not be readable.
func (c *Controller) objectSteps(r Round, it object.Item, a reason.Account) reason.Account {
	announced := r.Have.Has(it.Value.Key())
	tell := func(stage string, k object.Key) {
		step := keyStep(r, stage, k)
		step.Kept = announced && !step.OK
		a.Steps = append(a.Steps, step)
	}
	for _, need := range it.Needs() {
		if !need.Kind.IsSetting() {
			tell("steering", need)
		}
	}
	tell("BGP", it.Value.Key())
	return a
}

// keyStep says what exists under a wanted key, and if that is not
// what is wanted, why.
func keyStep(r Round, stage string, k object.Key) reason.Step {
	want, wanted := r.Want.Get(k)
	have, there := r.Have.Get(k)
	switch {
	case there && (!wanted || have.Value == want.Value):
		return reason.Step{Stage: stage, Text: object.Text(have.Value), OK: true}
	case wanted && noteOf(r.Plan, k) != nil:
		n := noteOf(r.Plan, k)
		if n.Block.Code == object.BlockUnmanaged {
			return reason.Step{Stage: stage, Text: k.Text() + ": not managed by this instance", OK: true}
		}
		return reason.Step{Stage: stage, Text: k.Text() + ": " + n.Block.Text, Code: n.Block.Code}
	case wanted:
		return reason.Step{Stage: stage, Text: object.Text(want.Value) + ": wanted, not applied yet", Code: reason.NotApplied}
	default:
		return reason.Step{Stage: stage, Text: k.Text() + ": missing", Code: reason.NotApplied}
	}
}

func noteOf(p plan.Plan, k object.Key) *plan.Note {
	for i := range p.Notes {
		if p.Notes[i].Key == k {
			return &p.Notes[i]
		}
	}
	return nil
}

func skipText(skips []observe.Skip) string {
	if len(skips) == 0 {
		return ""
	}
	return fmt.Sprintf("; %d rows were skipped, see status", len(skips))
}

// peerStep sums the sessions up.
func (s Sessions) step(path object.Key) reason.Step {
	peers, family := s.of(path)
	var texts []string
	up := false
	for _, p := range peers {
		up = up || p.Up
		texts = append(texts, p.Text)
	}
	if len(peers) == 0 {
		text := "no peer is configured (bgp.peers)"
		if len(s.IPv4)+len(s.IPv6)+len(s.EVPN) > 0 {
			text = fmt.Sprintf("no peer has family %s (bgp.peers, families)", family)
		}
		return reason.Step{Stage: "peers", Text: text, Code: reason.PeerDown}
	}
	out := reason.Step{Stage: "peers", Text: strings.Join(texts, "; "), OK: up}
	if !up {
		out.Code = reason.PeerDown
	}
	return out
}
