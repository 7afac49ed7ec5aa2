package web

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// Pair is how many objects are desired, and how many of them are there.
type Pair struct{ Wanted, Have int }

// Missing reports whether some are not there.
func (p Pair) Missing() bool { return p.Have < p.Wanted }

// String is both numbers.
func (p Pair) String() string { return fmt.Sprintf("%d of %d", p.Have, p.Wanted) }

// Leg is the way of packets from one routing table to the ports of one network.
type Leg struct {
	Table uint32
	// Dev is the device that its routes lead to, Bridge its bridge and Network the physical
	// network behind it; empty where there is none.
	Dev, Bridge, Network        string
	Rules, Routes, Flows, Paths Pair
	// Device says what is wrong with the device; empty if nothing is.
	Device string
	// Unreachable are announced addresses behind it that packets do not get through to, Code
	// the stable reason of the first and Text the reason in words.
	Unreachable int
	Code, Text  string
}

// Picture is the node from the peers to the ports, to be drawn.
type Picture struct {
	Width, Height int
	Heads         []Label
	Boxes         []Box
	Lines         []Line
}

// Label is a text at a place.
type Label struct {
	X, Y int
	Text string
}

// Box is a thing with a name, some lines, and whether the way breaks in it.
type Box struct {
	X, Y, Width, Height int
	Name                string
	Lines               []Label
	Broken              bool
	// Title is what a reader is told who cannot see the picture, and who points at the box.
	Title string
}

// Line joins two boxes.
type Line struct {
	X1, Y1, X2, Y2 int
	Broken         bool
}

// The measures of the picture.
const (
	boxWidth, boxHeight  = 150, 58
	columnStep, rowStep  = 186, 74
	pictureLeft, heading = 4, 26
	mostRows             = 10
	longestText          = 20
)

var columns = []string{"BGP peers", "Speaker", "Rules and tables", "Bridges", "Networks", "Addresses of ports"}

// draw lays the node out. Rows are in the order of peers and legs; what does not fit is
// counted.
func draw(s control.Status, legs []Leg) Picture {
	shown, shownPeers := legs[:min(len(legs), mostRows)], s.Peers[:min(len(s.Peers), mostRows)]
	rows := max(len(shown), len(shownPeers), 1)
	p := Picture{Width: pictureLeft*2 + 5*columnStep + boxWidth, Height: heading + (rows+1)*rowStep + heading}
	for i, name := range columns {
		p.Heads = append(p.Heads, Label{column(i), heading - 10, name})
	}
	up := 0
	middle := heading + (rows-1)*rowStep/2
	for i, peer := range shownPeers {
		ok := peer.State == control.Established
		if ok {
			up++
		}
		b := box(0, heading+i*rowStep, peer.Address, !ok, fmt.Sprintf("AS %d", peer.AS), peer.State)
		p.Boxes = append(p.Boxes, b)
		p.join(b, column(1), middle, !ok)
	}
	speaker := box(1, middle, "speaker", up == 0, fmt.Sprintf("%d of %d sessions up", up, len(shownPeers)))
	if n := len(s.Peers) - len(shownPeers); n > 0 {
		speaker = box(1, middle, "speaker", up == 0, fmt.Sprintf("%d more peers", n))
	}
	p.Boxes = append(p.Boxes, speaker)
	for i, leg := range shown {
		p.leg(leg, speaker, heading+i*rowStep, len(s.Peers) > 0 && !slices.ContainsFunc(s.Peers, isUp))
	}
	bottom := heading + rows*rowStep + heading - 8
	if n := len(legs) - len(shown); n > 0 {
		p.Heads = append(p.Heads, Label{column(2), bottom - 6, fmt.Sprintf("and %d more tables", n)})
	}
	for i, source := range s.Sources[:min(len(s.Sources), len(columns))] {
		state := "connected"
		if !source.OK {
			state = "NOT CONNECTED"
		}
		name, _, _ := strings.Cut(source.Name, " ") // the endpoint follows
		b := box(i, bottom, name, !source.OK, state)
		b.Title = source.Name + ": " + source.Text
		p.Boxes = append(p.Boxes, b)
	}
	return p
}

// breaksIn says in which column an address becomes unreachable for a reason; others are
// beyond what is drawn, and shown at the addresses alone.
var breaksIn = map[string]int{
	"foreign-rule": 2, "foreign-route": 2, "foreign-flow": 3, "forwarding-off": 3,
}

func isUp(p control.Peer) bool { return p.State == control.Established }

// leg draws a way from the speaker to the ports. Of a node whose sessions are all down nothing
// is announced, whatever the speaker has.
func (p *Picture) leg(l Leg, from Box, y int, silent bool) {
	table := box(2, y, fmt.Sprintf("table %d", l.Table), l.Rules.Missing() || l.Routes.Missing() || breaksIn[l.Code] == 2,
		"rules "+l.Rules.String(), "routes "+l.Routes.String())
	bridge := box(3, y, l.Dev, l.Device != "" || l.Flows.Missing() || breaksIn[l.Code] == 3,
		"flows "+l.Flows.String())
	if l.Device != "" {
		bridge = box(3, y, l.Dev, true, l.Device)
	}
	network := box(4, y, l.Network, false, l.Bridge)
	if l.Network == "" {
		network = box(4, y, "no network", false, "")
	}
	broken := l.Unreachable > 0 || l.Paths.Missing()
	name := l.Paths.String() + " announced"
	if silent {
		name = "sent to nobody"
	}
	ports := box(5, y, name, broken || silent)
	switch {
	case l.Unreachable > 0:
		ports = box(5, y, name, true, fmt.Sprintf("%d not reachable", l.Unreachable), l.Code)
		ports.Title = fmt.Sprintf("%d not reachable: %s", l.Unreachable, l.Text)
	case silent:
		ports = box(5, y, name, true, l.Paths.String()+" paths ready")
	case broken:
		ports = box(5, y, name, true, "paths are missing")
	}
	last := from
	for _, b := range []Box{table, bridge, network, ports} {
		p.Boxes = append(p.Boxes, b)
		p.Lines = append(p.Lines, Line{
			last.X + last.Width, last.Y + last.Height/2, b.X, b.Y + b.Height/2, last.Broken || b.Broken,
		})
		last = b
	}
}

// join draws a line from a peer to the speaker.
func (p *Picture) join(b Box, x, y int, broken bool) {
	p.Lines = append(p.Lines, Line{b.X + b.Width, b.Y + b.Height/2, x, y + boxHeight/2, broken})
}

func column(i int) int { return pictureLeft + i*columnStep }

// box is a box in a column. Its title is all of its text.
func box(at, y int, name string, broken bool, lines ...string) Box {
	b := Box{X: column(at), Y: y, Width: boxWidth, Height: boxHeight, Name: cut(name), Broken: broken, Title: name}
	for i, text := range lines {
		b.Lines = append(b.Lines, Label{b.X + 8, y + 34 + i*15, cut(text)})
		b.Title += ", " + text
	}
	if broken {
		b.Title += ": broken here"
	}
	return b
}

// cut shortens what would not fit into a box.
func cut(text string) string {
	runes := []rune(text)
	if len(runes) <= longestText {
		return text
	}
	return string(runes[:longestText-1]) + "…"
}
