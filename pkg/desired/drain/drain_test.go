package drain_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/drain"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// wanted are three paths, one of the node itself, one that is blocked for another reason,
// and a route.
func wanted(t *testing.T) object.Set {
	t.Helper()
	var s object.Set
	for _, line := range []string{
		"path ipv4-unicast 203.0.113.7/32  next-hop self origin igp communities 64999:1",
		"path ipv4-unicast 203.0.113.8/32  next-hop self origin igp local-pref 200",
		"path ipv4-unicast 192.0.2.1/32  next-hop self origin igp",
		"path ipv4-unicast 203.0.113.9/32  next-hop self origin igp",
		"evpn type-5 10.0.0.0/8 rd 1:1 next-hop 192.0.2.1 vni 1 rt 1:2 origin igp",
		"route 203.0.113.7/32 table 201 metric 0 dev br-ex",
	} {
		v, err := object.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		it := object.Item{Value: v}
		if strings.Contains(line, "203.0.113.9") {
			it.Block = &object.Block{Code: object.BlockNotWired}
		}
		s.Put(it)
	}
	return s
}

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// TestApply goes through the phases of a drain.
func TestApply(t *testing.T) {
	own := map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true}
	as := object.LastResort{Prepend: object.Prepend{AS: 64999, Times: 2}}
	lp := object.LastResort{LocalPref: true}
	for _, tt := range []struct {
		name  string
		order drain.Order
		want  string
	}{
		{"lowered", drain.Order{Own: own, LastResort: as}, `
path ipv4-unicast 192.0.2.1/32  next-hop self origin igp communities 65535:0 prepend 64999,64999
path ipv4-unicast 203.0.113.7/32  next-hop self origin igp communities 64999:1,65535:0 prepend 64999,64999
path ipv4-unicast 203.0.113.8/32  next-hop self origin igp communities 65535:0 prepend 64999,64999
path ipv4-unicast 203.0.113.9/32  next-hop self origin igp  not-wired
evpn type-5 10.0.0.0/8 rd 1:1  next-hop 192.0.2.1 vni 1 rt 1:2 origin igp communities 65535:0 prepend 64999,64999
lowered 4, 0 withdrawn, 0 last, 1 own`},
		{"taken over", drain.Order{
			Own: own, LastResort: lp, Withdraw: true, Taken: map[netip.Prefix]string{
				prefix("203.0.113.7/32"): "chassis two", prefix("192.0.2.1/32"): "x", prefix("10.0.0.0/8"): "y",
			},
		}, `
path ipv4-unicast 192.0.2.1/32  next-hop self origin igp communities 65535:0 local-pref 0
path ipv4-unicast 203.0.113.7/32  next-hop self origin igp communities 64999:1,65535:0 local-pref 0  drained
path ipv4-unicast 203.0.113.8/32  next-hop self origin igp communities 65535:0 local-pref 0
path ipv4-unicast 203.0.113.9/32  next-hop self origin igp  not-wired
evpn type-5 10.0.0.0/8 rd 1:1  next-hop 192.0.2.1 vni 1 rt 1:2 origin igp communities 65535:0 local-pref 0
lowered 3, 1 withdrawn, 2 last, 1 own`},
		{"forced", drain.Order{Own: own, LastResort: lp, Withdraw: true, Force: true}, `
path ipv4-unicast 192.0.2.1/32  next-hop self origin igp communities 65535:0 local-pref 0
path ipv4-unicast 203.0.113.7/32  next-hop self origin igp communities 64999:1,65535:0 local-pref 0  drained
path ipv4-unicast 203.0.113.8/32  next-hop self origin igp communities 65535:0 local-pref 0  drained
path ipv4-unicast 203.0.113.9/32  next-hop self origin igp  not-wired
evpn type-5 10.0.0.0/8 rd 1:1  next-hop 192.0.2.1 vni 1 rt 1:2 origin igp communities 65535:0 local-pref 0  drained
lowered 1, 3 withdrawn, 0 last, 1 own`},
		{"gone before", drain.Order{
			Own: own, LastResort: lp, Gone: drain.ParseKeys([]string{"path ipv4-unicast 203.0.113.8/32", "junk"}),
		}, `
path ipv4-unicast 192.0.2.1/32  next-hop self origin igp communities 65535:0 local-pref 0
path ipv4-unicast 203.0.113.7/32  next-hop self origin igp communities 64999:1,65535:0 local-pref 0
path ipv4-unicast 203.0.113.8/32  next-hop self origin igp communities 65535:0 local-pref 0  drained
path ipv4-unicast 203.0.113.9/32  next-hop self origin igp  not-wired
evpn type-5 10.0.0.0/8 rd 1:1  next-hop 192.0.2.1 vni 1 rt 1:2 origin igp communities 65535:0 local-pref 0
lowered 3, 1 withdrawn, 0 last, 1 own`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := wanted(t)
			r := drain.Apply(&s, tt.order)
			if got := printed(s, r); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
			again := drain.Apply(&s, drain.Order{})
			if again.Withdrawn != nil {
				t.Errorf("what is withdrawn is looked at again: %+v", again)
			}
			if route, _ := s.Get(mustKey(t, "route 203.0.113.7/32 table 201 metric 0")); route.Block != nil {
				t.Error("a drain changes how packets are forwarded")
			}
		})
	}
}

func mustKey(t *testing.T, text string) object.Key {
	t.Helper()
	k, err := object.ParseKey(text)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// printed are the paths with the codes of their blocks, and what was counted.
func printed(s object.Set, r drain.Report) string {
	var b strings.Builder
	for _, it := range s.Only(object.KindPath, object.KindEVPN).Sorted() {
		b.WriteString("\n" + object.Text(it.Value))
		if it.Block != nil {
			b.WriteString("  " + it.Block.Code)
		}
	}
	fmt.Fprintf(&b, "\nlowered %d, %d withdrawn, %d last, %d own", len(r.Lowered), len(r.Withdrawn), len(r.Last),
		len(r.Own))
	return b.String()
}
