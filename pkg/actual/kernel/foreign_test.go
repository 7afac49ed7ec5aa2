package kernel

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestForeignStays: what others have under our keys is neither overwritten nor
// deleted, and the error names its owner.
func TestForeignStays(t *testing.T) {
	tests := []struct {
		name, theirs, ours string
		want               string // in the error of creating ours
		show               string // ip arguments that print theirs
		print              string // what they print
	}{
		{
			"route", "route add 10.0.0.5 dev d1 table 201 proto bgp", "route 10.0.0.5/32 table 201 metric 0  dev d0",
			"protocol bgp", "route show table 201", "10.0.0.5 dev d1 proto bgp",
		},
		{
			"same route", "route add 10.0.0.5 dev d0 table 201 proto bgp", "route 10.0.0.5/32 table 201 metric 0  dev d0",
			"protocol bgp", "route show table 201", "10.0.0.5 dev d0 proto bgp",
		},
		{
			"multipath", "route add 10.0.0.5 table 201 proto static nexthop dev d0 nexthop dev d1",
			"route 10.0.0.5/32 table 201 metric 0  dev d0", "dev nexthops/2", "route show table 201", "nexthop dev d0 weight 1",
		},
		{
			"unreachable", "route add unreachable 10.0.0.5 table 201", "route 10.0.0.5/32 table 201 metric 0  dev d0",
			"metric 0  unreachable", "route show table 201", "unreachable 10.0.0.5",
		},
		{
			"route6", "-6 route add 2001:db8::5 dev d1 table 201 proto bgp",
			"route 2001:db8::5/128 table 201 metric 1024  dev d0", "protocol bgp", "-6 route show table 201",
			"2001:db8::5 dev d1 proto bgp",
		},
		{
			"multipath6", "-6 route add 2001:db8::5 table 201 proto static nexthop via fe80::1 dev d0 " +
				"nexthop via fe80::2 dev d1", "route 2001:db8::5/128 table 201 metric 1024  dev d0",
			"nexthop fe80::1 dev d0 nexthop fe80::2 dev d1",
			"-6 route show table 201", "nexthop via fe80::1",
		},
		{
			"rule", "rule add priority 32000 lookup 201", "rule inet priority 32000 lookup 201", "another owner's rule",
			"rule show", "32000:\tfrom all lookup 201",
		},
		{
			"suppressing rule", "rule add priority 32000 lookup 201 suppress_prefixlength 0",
			"rule inet priority 32000 lookup 201 suppress_prefixlength 0", "another owner's rule", "rule show",
			"32000:\tfrom all lookup 201 suppress_prefixlength 0",
		},
		{
			"neigh", "neigh add 172.24.4.5 dev d0 lladdr 02:00:00:00:00:01 nud permanent",
			"neigh 172.24.4.5 dev d0  lladdr 02:00:00:00:00:02", "another owner's neigh", "neigh show",
			"172.24.4.5 dev d0 lladdr 02:00:00:00:00:01 PERMANENT",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			ours := parse(t, tt.ours)
			focus := wanting(t, ours)
			l.read(focus)
			l.ip(tt.theirs)
			l.woken()
			for _, f := range []actual.Focus{focus, complete(focus)} {
				if it, ok := l.read(f).Get(ours.Key()); !ok || it.Marked {
					t.Errorf("complete %v: got %v, marked %v; want theirs, unmarked", f.Complete, it.Value, it.Marked)
				}
			}
			if err := l.apply(create(ours))[0]; err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("create: got %v, want an error with %q", err, tt.want)
			}
			if err := l.apply(remove(ours))[0]; err != nil {
				t.Errorf("delete: %v", err)
			}
			if got := l.ip(tt.show); !strings.Contains(got, tt.print) {
				t.Errorf("theirs is gone or changed:\n%s", got)
			}
		})
	}
}

// TestUpdateLeavesForeign: a replace would hit the first entry under
// the key, so it is refused unless that is ours alone.
func TestUpdateLeavesForeign(t *testing.T) {
	for _, tt := range []struct{ name, ours, update, theirs, show string }{
		{
			"beside IPv4", "route 10.0.0.5/32 table 201 metric 0  dev d0", "route 10.0.0.5/32 table 201 metric 0  dev d1",
			"route append 10.0.0.5 dev d1 table 201 proto bgp", "route show table 201",
		},
		{
			"beside IPv6", "route 2001:db8::5/128 table 201 metric 1024  dev d0",
			"route 2001:db8::5/128 table 201 metric 1024  dev d0 via fe80::9",
			"-6 route append 2001:db8::5 via fe80::1 dev d1 table 201 proto bgp", "-6 route show table 201",
		},
		{
			"instead", "route 10.0.0.5/32 table 201 metric 0  dev d0", "route 10.0.0.5/32 table 201 metric 0  dev d1",
			"route replace 10.0.0.5 dev d1 table 201 proto bgp", "route show table 201",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			ours := parse(t, tt.ours)
			focus := wanting(t, ours)
			l.read(focus)
			l.must(create(ours))
			l.ip(tt.theirs)
			l.read(focus)
			if err := l.apply(update(ours, parse(t, tt.update)))[0]; err == nil {
				t.Error("update went through")
			}
			if got := l.ip(tt.show); !strings.Contains(got, "proto bgp") {
				t.Errorf("theirs is gone:\n%s", got)
			}
			l.must(remove(ours))
			if got := l.ip(tt.show); !strings.Contains(got, "proto bgp") || strings.Contains(got, "proto 98") {
				t.Errorf("after delete:\n%s", got)
			}
			l.read(focus)
		})
	}
}

// TestNeighReplacesLearnt: an entry that the kernel made itself gives way.
func TestNeighReplacesLearnt(t *testing.T) {
	for _, state := range []string{"stale", "failed", "noarp"} {
		t.Run(state, func(t *testing.T) {
			l := newLab(t)
			n := parse(t, "neigh 172.24.4.5 dev d0  lladdr 02:00:00:00:00:02")
			l.ip("neigh add 172.24.4.5 dev d0 lladdr 02:00:00:00:00:01 nud " + state)
			if _, ok := l.read(wanting(t, n)).Get(n.Key()); ok {
				t.Error("an entry that is not permanent is shown")
			}
			l.must(create(n))
			if it, ok := l.read(wanting(t, n)).Get(n.Key()); !ok || it.Value != n {
				t.Errorf("got %v", it.Value)
			}
			l.quiet()
			l.ip("neigh change 172.24.4.5 dev d0 lladdr 02:00:00:00:00:01 nud reachable")
			l.woken()
			if _, ok := l.read(wanting(t, n)).Get(n.Key()); ok {
				t.Error("ours is shown after it was changed")
			}
		})
	}
}

// TestOwnership: on devices of others an address or neighbour is ours by the
// protocol it carries, and otherwise not.
func TestOwnership(t *testing.T) {
	l := newLab(t)
	l.ip("addr add 192.0.2.1/32 dev d0")
	l.ip("neigh add 192.0.2.2 dev d0 lladdr 02:00:00:00:00:01 nud permanent")
	l.ip("neigh add proxy 192.0.2.3 dev d0")
	want := []object.Value{
		parse(t, "address 192.0.2.1/32 dev d0"),
		parse(t, "neigh 192.0.2.2 dev d0  lladdr 02:00:00:00:00:01"),
		parse(t, "proxy 192.0.2.3 dev d0"),
	}
	for range 2 {
		// Creating the same succeeds, and does not make it ours.
		set := l.read(complete(wanting(t, want...)))
		for _, v := range want {
			if it, ok := set.Get(v.Key()); !ok || it.Value != v || it.Marked {
				t.Errorf("got %v, %v, marked %v; want %s unmarked", it.Value, ok, it.Marked, object.Text(v))
			}
			l.must(create(v))
		}
	}
}

// TestMissingDevice: it is a race and no fault.
func TestMissingDevice(t *testing.T) {
	l := newLab(t)
	for _, line := range []string{
		"device br-ex  up",
		"link br-ex.100  type vlan parent br-ex id 100 up",
		"sysctl net/ipv4/conf/br-ex/proxy_arp  = 1",
		"address 192.0.2.1/32 dev br-ex",
		"neigh 192.0.2.1 dev br-ex  lladdr 02:00:00:00:00:01",
		"proxy 192.0.2.1 dev br-ex",
		"route 192.0.2.1/32 table 201 metric 0  dev br-ex",
	} {
		v := parse(t, line)
		err := l.apply(create(v))[0]
		if !errors.Is(err, actual.ErrGone) || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("create %s: got %v, want one that is ErrGone", line, err)
		}
		if v.Key().Kind.IsSetting() {
			continue
		}
		if err := l.apply(remove(v))[0]; err != nil {
			t.Errorf("delete %s: %v", line, err)
		}
	}
}

// TestShadows lists what comes before us, in the words of ip.
func TestShadows(t *testing.T) {
	l := newLab(t)
	lines := []string{
		"100: from all to 172.24.4.92 lookup 55",
		"101: from 10.0.0.0/8 iif d0 lookup 1000",
		"102: not from all fwmark 0x1/0xff blackhole",
		"103: from all dport 80-90 ipproto tcp lookup main",
		"104: from all uidrange 0-5 unreachable",
	}
	l.ip("rule add priority 100 to 172.24.4.92 lookup 55")
	l.ip("rule add priority 101 from 10.0.0.0/8 iif d0 lookup 1000")
	l.ip("rule add priority 102 not fwmark 1/0xff blackhole")
	l.ip("rule add priority 103 ipproto tcp dport 80-90 lookup main")
	l.ip("rule add priority 104 uidrange 0-5 unreachable")
	l.ip("-6 rule add priority 105 to 2001:db8::/32 lookup 55")
	l.ip("rule add priority 32100 lookup 55")
	l.must(create(parse(t, "rule inet priority 99 lookup 201")))
	got, err := l.b.Shadows(t.Context(), 32000)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Join(append(lines, "105: from all to 2001:db8::/32 lookup 55"), "\n")
	var texts []string
	for _, r := range got {
		texts = append(texts, r.Text)
		if !strings.HasPrefix(r.Text, fmt.Sprintf("%d: ", r.Priority)) {
			t.Errorf("priority %d of %s", r.Priority, r.Text)
		}
	}
	if strings.Join(texts, "\n") != want {
		t.Errorf("got:\n%s\nwant:\n%s\nip says:\n%s", strings.Join(texts, "\n"), want, l.ip("rule"))
	}
}
