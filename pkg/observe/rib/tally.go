package rib

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// Neighbour is one session of the speaker, and how much came over it.
type Neighbour struct {
	Address string
	AS      uint32
	// Received counts the prefixes that it announces.
	Received uint64
}

// Tally is how much the neighbours have sent so far.
type Tally struct {
	Neighbours []Neighbour
	// State differs if anything may have changed of what they announce. Of an UPDATE that
	// has just come the paths may be listed only a moment later.
	State string
}

// Received counts the prefixes that all neighbours announce.
func (t Tally) Received() (n uint64) {
	for _, p := range t.Neighbours {
		n += p.Received
	}
	return n
}

// Tally counts without listing a path.
func (t *Table) Tally(ctx context.Context) (Tally, error) {
	peers, err := t.conn.Peers(ctx, "")
	if err != nil {
		return Tally{}, err
	}
	out := Tally{Neighbours: []Neighbour{}}
	var lines []string
	for _, p := range peers {
		n := Neighbour{Address: p.GetConf().GetNeighborAddress(), AS: p.GetState().GetPeerAsn()}
		for _, af := range p.GetAfiSafis() {
			n.Received += af.GetState().GetReceived()
		}
		out.Neighbours = append(out.Neighbours, n)
		lines = append(lines, fmt.Sprint(n.Address, " ", speaker.StateOf(p), " ", n.Received, " ",
			p.GetTimers().GetState().GetUptime().GetSeconds(), " ", p.GetState().GetMessages().GetReceived().GetUpdate()))
	}
	slices.Sort(lines)
	out.State = strings.Join(lines, "\n")
	return out, nil
}
