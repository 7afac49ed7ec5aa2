package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// BGPPeers prints a line for each session, with what is wrong below it.
func BGPPeers(w io.Writer, form Form, p control.BGPPeers) error {
	var b strings.Builder
	t := table{page: columnsOf(w), columns: []column{
		{"PEER", 24},
		{"AS", 10},
		{"STATE", 12},
		{"FOR", 9},
		{"FLAPS", 5},
		{"SENT", 8},
		{"RECV", 8},
		{"ACCEPT", 8},
	}}
	// Most have no BFD, and lines are narrow.
	watched := slices.ContainsFunc(p.Peers, func(p control.BGPPeer) bool { return p.BFD != nil })
	if watched {
		t.columns = slices.Insert(t.columns, 4, column{"BFD", 11})
	}
	row := func(cells ...string) {
		if !watched {
			cells = slices.Delete(cells, 4, 5)
		}
		t.row(cells...)
	}
	for _, peer := range p.Peers {
		var sent, received, accepted uint64
		for _, c := range peer.Counts {
			sent, received, accepted = sent+c.Sent, received+c.Received, accepted+c.Accepted
		}
		row(object.PeerName(peer.Address), asText(peer.AS), peer.State, lasting(peer.Uptime+peer.Downtime),
			bfdState(peer.BFD), fmt.Sprint(peer.Flaps), fmt.Sprint(sent), fmt.Sprint(received), fmt.Sprint(accepted))
		if f := peer.Fault; f != nil && f.Current {
			t.note("why: " + f.Code + ": " + f.Text)
			t.note("try: " + f.Remedy)
		}
	}
	for _, q := range p.Held {
		row(q.Peer, "", "quarantined", "", "", "", "", "", "")
		t.note("until " + clock(q.Until.Local()) + "; bgp-ovn peer release " + q.Peer)
	}
	if len(p.Peers)+len(p.Held) == 0 {
		b.WriteString("no peer is configured\n")
	} else {
		b.WriteString(t.String())
	}
	return Print(w, form, p, b.String())
}

// BGPPeer prints one screen for each session.
func BGPPeer(w io.Writer, form Form, p control.BGPPeers) error {
	var b strings.Builder
	for _, peer := range p.Peers {
		peerScreen(&b, peer)
	}
	for _, q := range p.Held {
		fmt.Fprintf(&b, "peer %s  quarantined until %s\n", q.Peer, clock(q.Until.Local()))
		field(&b, "try", "bgp-ovn peer release "+q.Peer)
	}
	return Print(w, form, p, b.String())
}

func peerScreen(b *strings.Builder, p control.BGPPeer) {
	name := object.PeerName(p.Address)
	if name != p.Address {
		name += " (" + p.Address + ")"
	}
	fmt.Fprintf(b, "peer %s  AS %s  %s since %s (%s)\n", name, asText(p.AS), p.State, clock(p.Since.Local()),
		lasting(p.Uptime+p.Downtime))
	if p.State == control.Established {
		field(b, "session", fmt.Sprintf("from %s, identifier %s, hold time %d s, lost %d times", p.LocalAddress, p.RouterID,
			p.HoldTime, p.Flaps))
	} else {
		field(b, "session", fmt.Sprintf("lost %d times", p.Flaps))
	}
	if f := p.Fault; f != nil {
		title := "last error"
		if f.Current {
			title = "WHY"
		}
		field(b, title, strings.TrimSuffix(f.Code+": "+f.Text+at(f.At), " "))
		field(b, "cause", f.Cause)
		field(b, "try", f.Remedy)
	}
	if d := p.BFD; d != nil {
		field(b, "bfd", bfdText(*d))
	}
	field(b, "our routes", keeping(p.OurRoutes)+restartText(p))
	field(b, "its routes", keeping(p.TheirRoutes))
	for _, c := range p.Counts {
		text := fmt.Sprintf("sent %d", c.Sent)
		if c.NotSent > 0 {
			text += fmt.Sprintf(" (not sent %d)", c.NotSent)
		}
		text += fmt.Sprintf(", received %d, accepted %d", c.Received, c.Accepted)
		if c.Looped > 0 {
			text += fmt.Sprintf(", with our AS %d", c.Looped)
		}
		if c.PrefixLimit > 0 {
			text += fmt.Sprintf(", limit %d", c.PrefixLimit)
		}
		if !c.Negotiated {
			text += "; NOT taken by the neighbour"
		}
		field(b, c.Family.String(), text)
	}
	capabilityLines(b, "we offer", p.Local)
	capabilityLines(b, "it offers", p.Remote)
}

// asText is an AS number; of a neighbour of which it is not known yet what it said it is any
// but ours.
func asText(as uint32) string {
	if as == 0 {
		return "external"
	}
	return fmt.Sprint(as)
}

func bfdState(d *control.BGPBFD) string {
	if d == nil {
		return "-"
	}
	return d.State
}

func bfdText(d control.BGPBFD) string {
	hop := "single hop"
	if d.Multihop {
		hop = "multihop"
	}
	text := fmt.Sprintf("%s, neighbour %s, %d ms x %d, %s", d.State, d.Remote, d.IntervalMS, d.Multiplier, hop)
	if d.Failures > 0 {
		text += fmt.Sprintf(", lost %d times, last %s%s", d.Failures, d.Diagnostic, at(d.LastFailure))
	}
	if d.Error != "" {
		text += "; " + d.Error
	}
	return text
}

func restartText(p control.BGPPeer) string {
	if p.OurRestartTime == 0 {
		return "; graceful restart is off"
	}
	if p.State == control.Established && !p.Graceful {
		return "; the neighbour has no graceful restart: it drops them with the session"
	}
	return fmt.Sprintf("; restart time %s", lasting(p.OurRestartTime))
}

func keeping(k control.BGPKeeping) string {
	if k.Kept == "session-up" {
		return k.Reason
	}
	text := "kept: " + k.Kept
	if !k.Until.IsZero() && k.Kept != "no" {
		text += " until " + k.Until.Local().Format(time.TimeOnly)
	}
	return text + " (" + k.Reason + ")"
}

func capabilityLines(b *strings.Builder, title string, list []control.BGPCapability) {
	var words []string
	for _, c := range list {
		words = append(words, strings.TrimSpace(c.Name+" "+c.Detail))
	}
	if len(words) > 0 {
		field(b, title, strings.Join(words, ", "))
	}
}

// field prints a name and its text, which goes on below itself where it is long.
func field(b *strings.Builder, name, text string) {
	for _, line := range wrap(text, maxColumns-16) {
		fmt.Fprintf(b, "  %-12s  %s\n", name, line)
		name = ""
	}
}

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " at " + t.Local().Format(time.TimeOnly)
}

// Advertised prints a line for each path.
func Advertised(w io.Writer, form Form, a control.BGPAdvertised) error {
	t := table{page: columnsOf(w), columns: []column{
		{"PREFIX", 30},
		{"NEXT HOP", 18},
		{"SENT TO", 20},
		{"OBJECT", 26},
	}}
	for _, p := range a.Paths {
		t.row(p.NLRI, hops(p.Sent), peers(p.Sent), objects(p.Objects, a.Names))
	}
	text := t.String() + shown(len(a.Paths), a.Total)
	if a.NotSent > 0 {
		text += fmt.Sprintf("%d paths of ours are not sent: no session takes them (bgp-ovn bgp peers)\n", a.NotSent)
	}
	return Print(w, form, a, text)
}

func hops(sent []control.SentTo) string {
	if len(sent) == 0 {
		return "-"
	}
	for _, s := range sent {
		if s.NextHop != sent[0].NextHop {
			return "several"
		}
	}
	return sent[0].NextHop
}

func peers(sent []control.SentTo) string {
	switch len(sent) {
	case 0:
		return "-"
	case 1:
		return sent[0].Peer
	}
	return fmt.Sprintf("%s +%d", sent[0].Peer, len(sent)-1)
}

func objects(list []object.Source, labels map[string]string) string {
	if len(list) == 0 {
		return "-"
	}
	text := list[0].Table + " " + names.Relabel(list[0].Row, labels)
	if len(list) > 1 {
		text += fmt.Sprintf(" +%d", len(list)-1)
	}
	return text
}

// Received prints a line for each path, and counts why paths are not used.
func Received(w io.Writer, form Form, r control.BGPReceived) error {
	t := table{page: columnsOf(w), columns: []column{
		{"PREFIX", 27},
		{"PEER", 20},
		{"NEXT HOP", 18},
		{"AS PATH", 15},
		{"USED", 12},
	}}
	for _, p := range r.Paths {
		t.row(p.NLRI, p.Peer, cmp.Or(p.NextHop, "-"), cmp.Or(p.ASPath, "-"), verdict(p))
	}
	text := t.String() + shown(len(r.Paths), r.Total)
	for _, c := range r.Reasons {
		text += fmt.Sprintf("not used: %d %s\n", c.Count, c.Reason)
	}
	return Print(w, form, r, text)
}

func verdict(p control.ReceivedPath) string {
	switch {
	case !p.Used:
		return p.Reason
	case p.Stale:
		return "yes, stale"
	}
	return "yes"
}

// Rejected prints each path that is not used, with the reason in words.
func Rejected(w io.Writer, form Form, r control.BGPReceived) error {
	t := table{page: columnsOf(w), columns: []column{
		{"PREFIX", 27},
		{"PEER", 20},
		{"NEXT HOP", 18},
		{"AS PATH", 15},
		{"REASON", 12},
	}}
	reasons := map[string]bool{}
	for _, p := range r.Paths {
		t.row(p.NLRI, p.Peer, cmp.Or(p.NextHop, "-"), cmp.Or(p.ASPath, "-"), p.Reason)
		if !reasons[p.Text] && p.Text != "" && len(reasons) < 20 {
			reasons[p.Text] = true
			t.note(p.Text)
		}
	}
	return Print(w, form, r, t.String()+shown(len(r.Paths), r.Total))
}

// shown says how many of how many are printed.
func shown(n, total int) string {
	if n == total {
		return plural(total, "path") + "\n"
	}
	return fmt.Sprintf("%d of %s; see --limit and --within\n", n, plural(total, "path"))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	if strings.HasSuffix(word, "s") {
		word += "e"
	}
	return strconv.Itoa(n) + " " + word + "s"
}

// lasting prints seconds as people say them.
func lasting(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second)).Truncate(time.Second)
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	case d >= time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return d.String()
}
