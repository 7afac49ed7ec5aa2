package agent

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// TestStatusPanics: a panic of a driver is a problem, one for each driver however
// many rows it meets; other skips are none.
func TestStatusPanics(t *testing.T) {
	panicAt := func(driver, row string) observe.Skip {
		s := observe.Skip{Code: observe.SkipPanic, Driver: driver, Hold: true, Text: driver + " panicked at " + row}
		if row != "" {
			s.Table, s.Row = "Port_Binding", row
		}
		return s
	}
	var s statusReport
	s.panics([]observe.Skip{
		panicAt("bgp", "vm-a"),
		{Table: "Port_Binding", Row: "vm-b", Code: observe.SkipConflict, Text: "twice"},
		panicAt("evpn", ""), panicAt("bgp", "vm-c"), panicAt("bgp", "vm-d"),
	})
	want := []string{"bgp panicked at vm-a (and at 2 more rows, see skipped)", "evpn panicked at "}
	s.arrange(newPast(), nil, time.Now())
	var got []string
	for _, p := range s.Problems {
		if got = append(got, p.Text); p.Code != "driver-panic" || p.Try != "report it with the output of: bgp-ovn snapshot" {
			t.Errorf("got %+v", p)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// peerOn is a session.
func peerOn(address string, state speaker.State) bgp.PeerState {
	return bgp.PeerState{Address: address, State: state, LastError: "hold timer expired", Fault: "hold-timer"}
}

// TestStatusState: one session of two that is down degrades a node; it is down when none
// is up, or when nothing that was looked at is reachable for a reason of the node's own.
func TestStatusState(t *testing.T) {
	unreachable := func(checked int, codes ...string) control.Reach {
		r := control.Reach{Checked: checked}
		for i, code := range codes {
			r.Unreachable = append(r.Unreachable, control.Unreachable{
				Address: netip.AddrFrom4([4]byte{203, 0, 113, byte(i)}), Code: code,
			})
		}
		return r
	}
	up, down := peerOn("192.0.2.1", bgp.Established), peerOn("192.0.2.2", "Active")
	for name, tt := range map[string]struct {
		states []bgp.PeerState
		reach  control.Reach
		want   problem.Harm
	}{
		"all up":       {[]bgp.PeerState{up}, control.Reach{}, problem.Healthy},
		"one of two":   {[]bgp.PeerState{up, down}, control.Reach{}, problem.Degraded},
		"none of two":  {[]bgp.PeerState{peerOn("192.0.2.1", "Idle"), down}, control.Reach{}, problem.Down},
		"no peers":     {nil, control.Reach{}, problem.Down},
		"some":         {[]bgp.PeerState{up}, unreachable(3, reach.CodeForeignRoute), problem.Degraded},
		"nothing":      {[]bgp.PeerState{up}, unreachable(1, reach.CodeForeignRule), problem.Down},
		"the only VM":  {[]bgp.PeerState{up}, unreachable(1, reach.CodePortDown), problem.Degraded},
		"nothing asks": {[]bgp.PeerState{up}, unreachable(0), problem.Healthy},
	} {
		t.Run(name, func(t *testing.T) {
			var s statusReport
			s.reachability(tt.reach)
			s.peers(tt.states, nil, time.Minute, nil)
			s.arrange(newPast(), tt.states, time.Now())
			if s.State != tt.want || s.Healthy != (tt.want == problem.Healthy) {
				t.Errorf("got %s (healthy %t), want %s: %+v", s.State, s.Healthy, tt.want, s.Problems)
			}
		})
	}
}

// A neighbour that is to have any AS but ours, and has ours, is a problem that names both.
func TestStatusNotExternal(t *testing.T) {
	p := peerOn("fe80::2%eth0", bgp.Established)
	p.AS, p.NotExternal = 64999, true
	states := []bgp.PeerState{p, peerOn("192.0.2.1", bgp.Established)}
	var s statusReport
	s.peers(states, nil, time.Minute, nil)
	s.arrange(newPast(), states, time.Now())
	want := "peer eth0 has AS 64999, which is ours, and is configured with as: external: the session is an internal one"
	if len(s.Problems) != 1 || s.Problems[0].Code != "peer-not-external" || s.Problems[0].Text != want {
		t.Errorf("got %+v", s.Problems)
	}
}

// TestStatusRootCause: a device that is down explains the sessions and the addresses
// behind it, and not those of another device.
func TestStatusRootCause(t *testing.T) {
	host := &observe.Host{Links: []observe.Link{{Name: "up0"}, {Name: "up1", Up: true}}}
	behind := map[netip.Addr]string{
		netip.MustParseAddr("192.0.2.1"): "up0", netip.MustParseAddr("192.0.2.2"): "up0",
		netip.MustParseAddr("192.0.2.9"): "up1",
	}
	states := []bgp.PeerState{peerOn("192.0.2.1", "Idle"), peerOn("192.0.2.2", "Active"), peerOn("192.0.2.9", "Active")}
	var s statusReport
	s.uplinks(host, behind)
	s.reachability(control.Reach{Checked: 9, Unreachable: []control.Unreachable{
		{Address: netip.MustParseAddr("203.0.113.7"), Code: reach.CodeUplinkDown, Text: "device up0 is down"},
	}})
	s.peers(states, nil, time.Minute, behind)
	s.arrange(newPast(), states, time.Now())
	if len(s.Problems) != 2 || s.Problems[0].Code != "uplink-down" || s.Problems[0].Try != "ip link set up0 up" ||
		s.Problems[1].Code != "peer-down" || s.Problems[1].Count != 1 ||
		s.Problems[1].Text != "peer 192.0.2.9 is Active: hold timer expired" {
		t.Fatalf("got %+v", s.Problems)
	}
	under := s.Problems[0].Explains
	if len(under) != 2 || under[0].Code != "peer-down" || under[0].Count != 2 ||
		!slices.Equal(under[0].Others, []string{"192.0.2.2"}) ||
		under[1].Code != "uplink-down" || under[1].Object.Name != "203.0.113.7" {
		t.Errorf("got %+v", under)
	}
}

// TestPastFlap: a session that was lost and came back between two looks is remembered,
// and one that was seen to be down is remembered once.
func TestPastFlap(t *testing.T) {
	at := time.Date(2026, 3, 4, 2, 10, 0, 0, time.UTC)
	p := newPast()
	up := bgp.PeerState{Address: "192.0.2.4", State: bgp.Established, Since: at.Add(-time.Hour)}
	if _, gone := p.observe(at, nil, []bgp.PeerState{up}); len(gone) > 0 {
		t.Fatalf("got %+v", gone)
	}
	up.Flaps, up.LastError, up.LastErrorAt, up.Since = 1, "hold timer expired", at.Add(time.Second), at.Add(3*time.Second)
	_, gone := p.observe(at.Add(5*time.Second), nil, []bgp.PeerState{up})
	if len(gone) != 1 || gone[0].Text != "peer 192.0.2.4 was lost: hold timer expired" ||
		gone[0].To.Sub(gone[0].From) != 2*time.Second {
		t.Fatalf("got %+v", gone)
	}
	down := up
	down.State, down.Flaps, down.Since = "Active", 2, at.Add(10*time.Minute)
	finding := []problem.Finding{peerFinding(down, time.Minute)}
	p.observe(at.Add(10*time.Minute), finding, []bgp.PeerState{down})
	up.Flaps, up.LastErrorAt, up.Since = 2, at.Add(10*time.Minute), at.Add(14*time.Minute)
	_, gone = p.observe(at.Add(14*time.Minute), nil, []bgp.PeerState{up})
	if len(gone) != 2 || gone[1].Times != 1 || gone[1].To != at.Add(14*time.Minute) {
		t.Errorf("got %+v", gone)
	}
}
