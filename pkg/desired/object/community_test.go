package object

import (
	"net/netip"
	"strings"
	"testing"
)

func TestCommunities(t *testing.T) {
	for _, tt := range []struct {
		of       func(...string) (Words, error)
		in       string
		want     string
		complain string
	}{
		{CommunitiesOf, "65000:100 065000:007 no-export 65000:100", "65000:100,65000:7,65535:65281", ""},
		{CommunitiesOf, "graceful-shutdown", "65535:0", ""},
		{CommunitiesOf, "65536:1", "", `community "65536:1": use AS:VALUE`},
		{CommunitiesOf, "1:2:3", "", "use AS:VALUE"},
		{LargeCommunitiesOf, "4200000000:1:2 1:02:3", "1:2:3,4200000000:1:2", ""},
		{LargeCommunitiesOf, "1:2", "", "use AS:VALUE:VALUE"},
		{LargeCommunitiesOf, "no-export", "", "use AS:VALUE:VALUE"},
	} {
		got, err := tt.of(strings.Fields(tt.in)...)
		if got.String() != tt.want || (err == nil) != (tt.complain == "") || err != nil &&
			!strings.Contains(err.Error(), tt.complain) {
			t.Errorf("%s: got %s, %v, want %s, %q", tt.in, got, err, tt.want, tt.complain)
		}
	}
}

// What is not set is not printed: plans of those who do not use it stay as
// they are.
func TestPathAndPeerText(t *testing.T) {
	plain := NewPath(netip.MustParsePrefix("203.0.113.7/32"), OriginIncomplete)
	rich := plain
	rich.Communities, _ = CommunitiesOf("no-export", "65000:1")
	rich.LargeCommunities, _ = LargeCommunitiesOf("1:2:3")
	rich.MED, rich.LocalPref = MetricOf(0), MetricOf(300)
	peer := Peer{
		Address: "192.0.2.1", Port: 179, AS: 65000, Families: WordsOf("ipv4-unicast"), HoldTime: 90,
		RestartTime: 120,
	}
	full := peer
	full.Multihop, full.LLGRTime, full.AllowOwnAS, full.PrefixLimit, full.ConnectRetry = 2, 3600, 1, 1000, 10
	full.LocalAddress, full.AddPathReceive = netip.MustParseAddr("192.0.2.9"), true
	for want, v := range map[string]Value{
		"path ipv4-unicast 203.0.113.7/32  next-hop self origin incomplete": plain,
		"path ipv4-unicast 203.0.113.7/32  next-hop self origin incomplete communities 65535:0 local-pref 0": plain.Lowered(
			LastResort{LocalPref: true}),
		"path ipv4-unicast 203.0.113.7/32  next-hop self origin incomplete communities 65535:0 " +
			"prepend 64999,64999": plain.Lowered(LastResort{Prepend: Prepend{AS: 64999, Times: 2}}),
		"path ipv4-unicast 203.0.113.7/32  next-hop self origin incomplete communities 65000:1,65535:65281 " +
			"large-communities 1:2:3 med 0 local-pref 300": rich,
		"peer 192.0.2.1  as 65000 port 179 families ipv4-unicast hold 90 restart 120": peer,
		"peer 192.0.2.1  as 65000 port 179 families ipv4-unicast hold 90 restart 120 multihop 2 llgr 3600 allow-own-as 1 " +
			"prefix-limit 1000 connect-retry 10 local-address 192.0.2.9 add-path-receive": full,
	} {
		if got := Text(v); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if back, err := Parse(want); err != nil || back != v {
			t.Errorf("%s reads as %v, %v", want, back, err)
		}
	}
	for _, bad := range []string{
		"communities 1", "med x", "local-pref", "large-communities 1:2", "colour blue", "prepend 1,2", "prepend 0",
		"prepend 1,1,1,1,1,1,1,1,1,1,1", "prepend",
	} {
		if v, err := Parse("path ipv4-unicast 203.0.113.7/32  next-hop self origin igp " + bad); err == nil {
			t.Errorf("%s reads as %v", bad, v)
		}
	}
}
