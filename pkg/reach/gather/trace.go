package gather

import (
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// readTrace takes out of the text of ofproto/trace what counts: the first and the last flow
// that matched, and what is left for the datapath (ovs-vswitchd(8)). A flow is a line such as
// " 0. ip,in_port=1, priority 900, cookie 0x3e7".
//
// A packet that goes through connection tracking is traced in several parts. Each later part
// begins with the bridge that the packet came in by, whichever bridge goes on with it, so that
// the bridge is the one that sent the packet off for the table at which the part resumes. The
// packet is dropped if no part puts it out.
func readTrace(text string) reach.Trace {
	t := reach.Trace{Asked: true}
	var forks []fork // not resumed yet, in the order of the text
	out := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if actions, ok := strings.CutPrefix(line, "Datapath actions: "); ok {
			if puts := putsOut(actions); puts || !out {
				t.Output, out = actions, out || puts
			}
			continue
		}
		if name, isBridge := strings.CutPrefix(line, `bridge("`); isBridge {
			t.Bridge = strings.TrimSuffix(name, `")`)
			continue
		}
		if _, table, ok := strings.Cut(line, "The forked pipeline will be resumed at table "); ok {
			forks = append(forks, fork{table: strings.TrimSuffix(table, "."), bridge: t.Bridge})
			continue
		}
		if table, ok := strings.CutPrefix(line, "Resuming from table "); ok {
			if i := slices.IndexFunc(forks, func(f fork) bool { return f.table == table }); i >= 0 {
				t.Bridge = forks[i].bridge
				forks = slices.Delete(forks, i, i+1)
			}
			continue
		}
		number, rest, ok := strings.Cut(line, ". ")
		if _, err := strconv.ParseUint(number, 10, 8); !ok || err != nil || !strings.Contains(rest, "priority ") {
			continue
		}
		flow, cookie, _ := strings.Cut(rest, ", cookie ")
		t.Last = "table=" + number + " " + flow
		if t.First == "" {
			t.First = t.Last
			t.Cookie, _ = strconv.ParseUint(strings.TrimPrefix(cookie, "0x"), 16, 64) // 0 if it has none
		}
	}
	t.Dropped = t.Output != "" && !out
	return t
}

// fork is a part of a trace that is still to come.
type fork struct{ table, bridge string }

// changes are the actions of the datapath that put a packet nowhere (ovs-actions(7)).
var changes = []string{
	"drop", "set", "set_masked", "ct", "ct_clear", "recirc", "hash", "meter", "push_vlan", "pop_vlan", "push_mpls",
	"pop_mpls",
	"push_eth", "pop_eth", "push_nsh", "pop_nsh",
}

// putsOut reports whether actions of the datapath put a packet out: to a port, into a tunnel,
// or to a program such as ovn-controller.
func putsOut(actions string) bool {
	depth := 0
	top := strings.Map(func(c rune) rune { // without arguments
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case depth == 0:
			return c
		}
		return -1
	}, actions)
	for name := range strings.SplitSeq(top, ",") {
		if name = strings.TrimSpace(name); name != "" && !slices.Contains(changes, name) {
			return true
		}
	}
	return false
}
