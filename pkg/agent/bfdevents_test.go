package agent

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd/engine"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// The history has each event of BFD once, in order, with who found it, also those from while
// there was no controller.
func TestHistoryHasEventsOfBFD(t *testing.T) {
	now := time.Now().UTC()
	event := func(ago time.Duration, from, to bfd.State, diag, remote bfd.Diag) engine.Event {
		return engine.Event{At: now.Add(-ago), Change: bfd.Change{From: from, To: to, Diag: diag, RemoteDiag: remote}}
	}
	a := bgp.PeerState{Address: "192.0.2.1", BFD: speaker.BFD{Events: []engine.Event{
		event(9*time.Second, bfd.Init, bfd.Up, 0, 0), event(5*time.Second, bfd.Up, bfd.Down, bfd.NeighborDown, bfd.Expired),
	}}}
	b := bgp.PeerState{Address: "fe80::1%eth0", BFD: speaker.BFD{Events: []engine.Event{
		event(7*time.Second, bfd.Up, bfd.Down, bfd.Expired, 0),
	}}}
	file := filepath.Join(t.TempDir(), "state.db")
	open := func() *Node {
		db, err := state.Open(file, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		return &Node{db: db}
	}
	n := open()
	n.recordBFD([]bgp.PeerState{b, a})
	n.recordBFD([]bgp.PeerState{b, a})
	n.db.Flush()
	n.db.Close()
	a.BFD.Events = append(a.BFD.Events, event(time.Second, bfd.Down, bfd.Up, 0, 0))
	n = open()
	defer n.db.Close()
	n.recordBFD([]bgp.PeerState{b, a})
	n.db.Flush()
	past, err := n.db.History(history.Filter{Most: 100})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range past.Steps {
		got = append(got, fmt.Sprint(now.Sub(s.At).Round(time.Second), " ", s.Object(), ": ", s.Error))
	}
	want := []string{
		"9s peer 192.0.2.1: BFD up",
		"7s peer fe80::1%eth0: BFD down, found by this node: detection time expired",
		"5s peer 192.0.2.1: BFD down, found by the neighbour: detection time expired",
		"1s peer 192.0.2.1: BFD up",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
