package gather

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// Texts of ofproto/trace of Open vSwitch 3.1: a packet from br-ex through a patch port to
// br-int, and there through connection tracking.
func TestReadTrace(t *testing.T) {
	const first = "table=0 ip,in_port=LOCAL, priority 900"
	for name, want := range map[string]reach.Trace{
		"trace-dropped-after-conntrack.txt": {
			Asked: true, First: first, Last: "table=25 ip,nw_dst=10.0.0.1, priority 150", Bridge: "br-int",
			Output: "drop", Dropped: true,
		},
		"trace-twice-through-conntrack.txt": {
			Asked: true, First: first, Last: "table=27 ip, priority 100", Bridge: "br-int", Output: "drop", Dropped: true,
		},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := readTrace(string(text)); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// A packet is dropped if no part of its trace puts it out.
func TestTracePutsOut(t *testing.T) {
	for actions, want := range map[string]bool{
		"drop":                              false,
		"set(eth(dst=00:00:00:00:00:05)),3": true,
		"ct(commit,nat(src=10.0.0.1)),recirc(0x1)": false,
		"push_vlan(vid=7,pcp=0),5":                 true,
		"userspace(pid=1,controller(reason=1))":    true,
		"tnl_push(tnl_port(6),header(size=50)),7":  true,
		"ct_clear,2": true,
		"":           false,
		")),((":      false,
	} {
		if got := putsOut(actions); got != want {
			t.Errorf("putsOut(%q) = %t, want %t", actions, got, want)
		}
	}
	for text, dropped := range map[string]bool{
		"Datapath actions: 3,recirc(0x1)\nDatapath actions: drop\n":  false, // one copy goes out
		"Datapath actions: ct,recirc(0x1)\nDatapath actions: drop\n": true,
		"Datapath actions: drop\n":                                   true,
		"Datapath actions: ct,recirc(0x1)\nDatapath actions: 4\n":    false,
		"no trace at all": false,
		"Datapath actions: recirc(0x1),recirc(0x2)\nDatapath actions: 4\nDatapath actions: drop\n": false,
	} {
		if got := readTrace(text); got.Dropped != dropped {
			t.Errorf("%q: dropped %t, want %t", text, got.Dropped, dropped)
		}
	}
}

func FuzzReadTrace(f *testing.F) {
	for _, name := range []string{"trace-dropped-after-conntrack.txt", "trace-twice-through-conntrack.txt"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := readTrace(text)
		if got.Dropped && got.Output == "" {
			t.Errorf("dropped without actions: %+v", got)
		}
		if !strings.Contains(text, got.Bridge) {
			t.Errorf("bridge %q is not in the text", got.Bridge)
		}
	})
}
