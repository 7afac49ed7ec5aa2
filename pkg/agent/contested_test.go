package agent

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// TestContestedNamesWho: status says who changes what back, calls two controllers two
// controllers, and has a remedy in which nothing stands that a process chose itself.
func TestContestedNamesWho(t *testing.T) {
	now := time.Date(2026, 3, 4, 14, 2, 20, 0, time.Local)
	one := reconcile.Contested{
		Key: object.Sysctl{Path: "net.ipv4.conf.br-ex.proxy_arp"}.Key(), Count: 12, PerMinute: 9,
		Since: now.Add(-time.Minute), Last: now.Add(-time.Second), Pause: 4 * time.Second, Next: now.Add(3 * time.Second),
	}
	const what = " 1 of our objects; most often sysctl net.ipv4.conf.br-ex.proxy_arp: 12 times since " +
		"2026-03-04 14:01:20, 9 a minute; repaired again at 14:02:23, after a pause of 4s"
	running := fmt.Sprintf("$(reboot)[%d]", os.Getpid())
	for _, tt := range []struct{ by, text, try string }{
		{"", "another program keeps changing back" + what, "find that program, "},
		{running, running + " keeps changing back" + what, fmt.Sprintf(": ps -fp %d", os.Getpid())},
		{
			"ip[999999999]", "ip[999999999] keeps changing back" + what,
			": ps -ef --forest: that process has ended",
		},
		{
			"bgp-ovn[999999999]", fmt.Sprintf("two controllers: bgp-ovn[999999999] and this one, process %d, undo each "+
				"other's changes to%s", os.Getpid(), what), "stop one of them: ps -ef --forest",
		},
		{
			"the kernel, when address 10.0.0.1/24 went, by bgp-ovn[999999999]", "two controllers: the kernel, when address",
			"stop one of them",
		},
		{"process 17", "process 17 keeps changing back" + what, "ip -ts monitor all"},
	} {
		s := statusReport{}
		one.By = tt.by
		s.contested([]reconcile.Contested{one}, now)
		if len(s.found) != 1 || s.found[0].Code != "contested" || !strings.HasPrefix(s.found[0].Text, tt.text) ||
			!strings.Contains(s.found[0].Try, tt.try) || strings.Contains(s.found[0].Try, "$") {
			t.Errorf("%q: got %+v", tt.by, s.found)
		}
		if c := s.Contested[0]; c.Controller != strings.HasPrefix(tt.text, "two controllers") || c.Next == nil {
			t.Errorf("%q: got %+v", tt.by, c)
		}
	}
	s := statusReport{}
	if s.contested(nil, now); len(s.found) > 0 {
		t.Errorf("of nothing: %+v", s.found)
	}
}

// TestAnotherControllerIsNamedFirst, whoever does it more often.
func TestAnotherControllerIsNamedFirst(t *testing.T) {
	s := statusReport{}
	s.contested([]reconcile.Contested{
		{Key: object.Sysctl{Path: "a"}.Key(), Count: 100, By: "sysctl[5]"},
		{Key: object.Sysctl{Path: "b"}.Key(), Count: 5, By: "bgp-ovn[6]"},
	}, time.Now())
	text := s.found[0].Text
	if !strings.Contains(text, "two controllers: bgp-ovn[6]") || !strings.Contains(text, "2 of our") {
		t.Errorf("got %s", text)
	}
}
