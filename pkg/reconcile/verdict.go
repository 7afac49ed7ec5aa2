package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// dropDefault leaves out a learned default route, and one that is not announced, where
// there is something to say of the address itself: it leads everywhere.
func (e *Explanation) dropDefault() {
	everywhere := func(a reason.Account) bool {
		_, blocked := a.Blocked()
		return (a.Inbound() || blocked) && a.Object.Prefix.Bits() == 0
	}
	if !slices.ContainsFunc(e.Accounts, func(a reason.Account) bool { return !everywhere(a) }) {
		return
	}
	e.Accounts = slices.DeleteFunc(e.Accounts, everywhere)
}

// telling orders accounts by what they tell: those that get through before those
// that are blocked; of these the ones that somebody would announce, and the one
// that got furthest first. How an address is reached comes behind how it is
// announced.
func telling(a, b reason.Account) int {
	_, aBlocked := a.Blocked()
	_, bBlocked := b.Blocked()
	return cmp.Or(
		order(a.Inbound(), b.Inbound()),
		order(aBlocked, bBlocked),
		order(len(a.Chassis) == 0, len(b.Chassis) == 0),
		cmp.Compare(len(b.Steps), len(a.Steps)),
	)
}

// order puts what is not before what is.
func order(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	default:
		return 1
	}
}

// conclude names the first reason of the account that tells most.
func (e *Explanation) conclude(r Round) {
	outbound := slices.DeleteFunc(slices.Clone(e.Accounts), reason.Account.Inbound)
	for _, a := range e.Accounts[len(outbound):] {
		_, blocked := a.Blocked()
		e.Learned = e.Learned || !blocked
	}
	if len(outbound) == 0 {
		e.unknown(r.Snapshot.SB)
		return
	}
	best, blocked := outbound[0].Blocked()
	e.Advertised = !blocked
	if e.Advertised && outbound[0].Drained {
		e.Drain = cmp.Or(e.Drain, DrainLowered)
	}
	if blocked {
		e.First, e.Code, e.Try = best.Text, best.Code, outbound[0].Try
		if best.Code == object.BlockFiltered {
			e.Try = "change bgp.export in the configuration, then bgp-ovn reload"
		}
		if best.Code == object.BlockDrained {
			e.Try = "bgp-ovn undrain takes the node back into service"
		}
		if best.Code == object.BlockFlapping {
			e.Try = "bgp-ovn history " + e.Address.String() + " has when it came and went"
		}
		if best.Code == object.BlockUnreachable {
			e.Try = "bgp-ovn trace " + e.Address.String() + " shows the whole way"
		}
		if e.Try == "" && best.Code == object.BlockProtected {
			e.Try = "give the port, subnet or router another address: this one is the node's own"
		}
	}
	for _, a := range outbound {
		if _, blocked := a.Blocked(); blocked && e.Advertised {
			break // who would announce the address if things were otherwise does not matter
		}
		if !observe.Martian(e.Address) { // which no node announces, whatever is bound there
			e.Chassis, e.Probable = addNames(e.Chassis, a.Chassis), addNames(e.Probable, a.Probable)
		}
	}
	if blocked && r.Frozen == "" {
		e.RuledOut = append(e.RuledOut, "frozen")
	}
}

// addNames adds the names that are not in the list yet.
func addNames(list, names []string) []string {
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

// unknown concludes for an address that nothing here would announce. What keeps
// a learned route out counts before that nobody knows the address.
func (e *Explanation) unknown(sb *observe.Southbound) {
	for _, a := range e.Accounts {
		if s, blocked := a.Blocked(); blocked {
			e.First, e.Code, e.Try = s.Text, s.Code, a.Try
			return
		}
	}
	e.First = "no row of the Southbound database mentions " + e.Address.String()
	if sb != nil && sb.Asked != nil {
		e.First = "no row that this node reads mentions " + e.Address.String() +
			": it reads only ports that concern it (ovn_sb_scope: local); ask another node"
	}
	e.Code = reason.NoRow
	if !e.Learned {
		e.Try = "openstack port list --fixed-ip ip-address=" + e.Address.String() +
			" ; openstack floating ip list --floating-ip-address " + e.Address.String()
	}
}

// mostAccounts bounds how many chains are printed: an address that every tenant
// uses has one for each of them.
const mostAccounts = 4

// columns is how wide a line may be where that can be chosen.
const columns = 100

// verdict is the result in one line.
func (e Explanation) verdict() string {
	text := "NOT ADVERTISED"
	switch {
	case e.Held != nil:
		text = "ADVERTISED (held: " + e.Held.Code + ": " + e.Held.Text
		if e.Held.since != "" {
			text += "; since " + e.Held.since
		}
		if e.Held.clock != "" {
			text += ", until " + e.Held.clock
		}
		text += ")"
	case e.Advertised && e.Hypothetical:
		text = "WOULD BE ADVERTISED"
	case e.Advertised:
		text = "ADVERTISED"
	case e.First != "" && !e.Learned:
		text += ": " + e.First
	}
	if e.Reach != nil && e.Advertised {
		if first, broken := e.Reach.First(); broken {
			text += ", NOT REACHABLE HERE: " + first.Text
		}
	}
	if e.Advertised && e.Held == nil {
		if kept, is := e.Accounts[0].Kept(); is {
			text += ", NOT AS WANTED: " + kept.Text
		}
	}
	if e.Elsewhere != nil {
		text += ", ANNOUNCED ELSEWHERE: by " + e.Elsewhere.By()
	}
	if e.Drain != "" && e.Advertised {
		text += ", DRAINED: a last resort"
	}
	if e.Outside != nil && e.Outside.Lost {
		text += ", NOT SEEN OUTSIDE: " + e.Outside.Text
	}
	if e.Learned {
		text += ", LEARNED"
	}
	return text
}

// reachText prints the way of a packet: whole where it breaks, else that it does not.
func (e Explanation) reachText(b *strings.Builder) {
	if e.Reach == nil {
		return
	}
	first, broken := e.Reach.First()
	if !broken {
		fmt.Fprintf(b, "  reachable here: %d stages checked; bgp-ovn trace %s shows them\n", len(e.Reach.Stages), e.Address)
	} else {
		fmt.Fprintf(b, "  not reachable: %s (%s)\n", first.Text, first.Code)
		if first.Try != "" {
			fmt.Fprintf(b, "  try:          %s\n", first.Try)
		}
		fmt.Fprintf(b, "  the whole way: bgp-ovn trace %s\n", e.Address)
	}
	for _, s := range e.Reach.Stages {
		if s.State == reach.Suspect || s.State == reach.Unknown {
			fmt.Fprintf(b, "  note:         %s %s: %s\n", s.Name, s.State, s.Text)
		}
	}
}

// outsideText prints what has become of the path elsewhere.
func (e Explanation) outsideText(b *strings.Builder) {
	o := e.Outside
	switch {
	case o == nil:
	case o.Lost:
		fmt.Fprintf(b, "  outside:      %s, since %s (%s)\n  try:          %s\n", o.Text, o.Since, o.Code, o.Try)
	case o.State == verify.Found:
		text := "next hop " + o.NextHop
		if o.ASPath != "" {
			text += ", AS path " + o.ASPath
		}
		fmt.Fprintf(b, "  outside:      %s sees it, %s\n", o.Point, text)
	default:
		fmt.Fprintf(b, "  outside:      %s: %s\n", o.State, o.Text)
	}
}

// String prints the explanation as people read it: the verdict, each account as
// a numbered chain, and the first reason on a line of its own.
func (e Explanation) String() string {
	var b strings.Builder
	what := "unknown here"
	if len(e.Accounts) > 0 {
		what = e.Accounts[0].What
	}
	head := fmt.Sprintf("%s  %s  %s", e.Address, what, e.verdict())
	if len(head) > columns { // the verdict on a line of its own
		head = fmt.Sprintf("%s  %s\n  %s", e.Address, what, e.verdict())
	}
	b.WriteString(head + "\n")
	for i, a := range e.Accounts {
		if i == mostAccounts {
			fmt.Fprintf(&b, "%s  also in %d more rows, which get no further; -o json has all\n", e.Address, len(e.Accounts)-i)
			break
		}
		if i > 0 {
			fmt.Fprintf(&b, "%s  also %s\n", e.Address, a.What)
		}
		for n, s := range a.Steps {
			fmt.Fprintf(&b, "  %d %-10s %s  %s\n", n+1, s.Stage, s.Text, s.State())
		}
	}
	e.reachText(&b)
	if o := e.Elsewhere; o != nil {
		fmt.Fprintf(&b, "  elsewhere:    %s is %s, since %s (%s)\n  all of them:  %s\n", o.Prefix, o.Text(), o.Since, o.Code,
			o.Try)
	}
	e.outsideText(&b)
	if e.First != "" {
		fmt.Fprintf(&b, "  first reason: %s (%s)\n", e.First, e.Code)
	}
	if len(e.Chassis) > 0 {
		fmt.Fprintf(&b, "  announced by: %s\n", strings.Join(e.Chassis, ", "))
	}
	if len(e.Probable) > 0 {
		fmt.Fprintf(&b, "  probably by:  %s (their bridge mappings are not in the database)\n",
			strings.Join(e.Probable, ", "))
	}
	if e.Try != "" {
		fmt.Fprintf(&b, "  try:          %s\n", e.Try)
	}
	for _, code := range e.RuledOut {
		fmt.Fprintf(&b, "  also checked: not %s\n", code)
	}
	if e.Stale != "" {
		fmt.Fprintf(&b, "  stale:        %s; what to do: bgp-ovn status\n", e.Stale)
	}
	return b.String()
}
