package interop_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"time"

	packet "github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// gobgpd is Debian's, which is older than what we link, and has another API: its own
// command speaks it.
type gobgpd struct{ *wire }

func newGoBGP(w *wire, sessions ...session) router {
	w.t.Helper()
	socket := w.dir + "/api"
	child(w.t, w.dir+"/gobgpd.out", w.inside("gobgpd", "-f", w.file("gobgpd.toml", goBGPConfig(w, sessions)),
		"--api-hosts", "unix://"+socket, "--pprof-disable", "-p")...)
	awaitListener(w.t, socket)
	g := gobgpd{w}
	// Its API answers before it has taken up its configuration.
	harness.Eventually(w.t, 20*time.Second, func() string {
		out, err := exec.Command("gobgp", "--target", "unix://"+socket, "global").CombinedOutput()
		ready := err == nil && strings.Contains(string(out), fmt.Sprint(routerAS))
		return unless(ready, fmt.Sprintf("gobgpd: %v: %s", err, out))
	})
	for _, s := range sessions {
		for _, p := range s.announce {
			g.announce(p)
		}
	}
	return g
}

func goBGPConfig(w *wire, sessions []session) string {
	var c strings.Builder
	fmt.Fprintf(&c, "[global.config]\nas = %d\nrouter-id = %q\n", routerAS, w.theirs4)
	for _, s := range sessions {
		who, passive := fmt.Sprintf("neighbor-address = %q", s.ours), "true"
		if s.dev != "" {
			// It looks the neighbour up in the kernel's table, and dials, so that it gets into ours.
			who, passive = fmt.Sprintf("neighbor-interface = %q", s.dev), "false"
		}
		fmt.Fprintf(&c, "[[neighbors]]\n[neighbors.config]\n%s\npeer-as = %d\nauth-password = %q\n", who, nodeAS,
			s.password)
		fmt.Fprintf(&c, "[neighbors.timers.config]\nconnect-retry = 1\nidle-hold-time-after-reset = "+
			"1\n[neighbors.transport.config]\npassive-mode = %s\n", passive)
		fmt.Fprintf(&c, "[neighbors.ttl-security.config]\nenabled = %t\n", s.gtsm)
		fmt.Fprintf(&c, "[neighbors.graceful-restart.config]\nenabled = %t\nrestart-time = 60\nlong-lived-enabled = %t\n",
			s.graceful, s.longLived)
		for _, f := range s.families {
			fmt.Fprintf(&c, "[[neighbors.afi-safis]]\n[neighbors.afi-safis.config]\nafi-safi-name = %q\n", f)
			fmt.Fprintf(&c, "[neighbors.afi-safis.mp-graceful-restart.config]\nenabled = %t\n", s.graceful)
			fmt.Fprintf(&c, "[neighbors.afi-safis.long-lived-graceful-restart.config]\nenabled = %t\nrestart-time = 60\n",
				s.longLived)
		}
	}
	return c.String()
}

// command runs gobgp, which reaches the daemon by its socket from any namespace.
func (g gobgpd) command(args ...string) string {
	g.t.Helper()
	return harness.Run(g.t, append([]string{"gobgp", "--target", "unix://" + g.dir + "/api"}, args...)...)
}

func (g gobgpd) announce(prefix string) {
	g.t.Helper()
	family := "ipv4"
	if strings.Contains(prefix, ":") {
		family = "ipv6"
	}
	g.command("global", "rib", "-a", family, "add", prefix)
}

// shown is a path as the command prints it.
type shown struct {
	Attrs []struct {
		Type        int             `json:"type"`
		NextHop     string          `json:"nexthop"`
		Metric      uint32          `json:"metric"`
		Communities []uint32        `json:"communities"`
		Value       json.RawMessage `json:"value"`
	} `json:"attrs"`
	Neighbour string `json:"neighbor-ip"`
}

func (g gobgpd) hops(family object.Family) map[string]string {
	g.t.Helper()
	return hopsOf(g.routes(family))
}

func (g gobgpd) learned(family object.Family, prefix string) (route, bool) {
	g.t.Helper()
	r, ok := g.routes(family)[prefix]
	return r, ok
}

func (g gobgpd) routes(family object.Family) map[string]route {
	g.t.Helper()
	name := "ipv4"
	if family == object.IPv6Unicast {
		name = "ipv6"
	}
	var table map[string][]shown
	if err := json.Unmarshal([]byte(g.command("global", "rib", "-a", name, "-j")), &table); err != nil {
		g.t.Fatal(err)
	}
	out := map[string]route{}
	for prefix, paths := range table {
		for _, p := range paths {
			if p.Neighbour != "" { // else it originates at the daemon
				out[prefix] = g.route(p)
			}
		}
	}
	return out
}

func (g gobgpd) route(p shown) (r route) {
	g.t.Helper()
	var communities, large []string
	for _, a := range p.Attrs {
		switch packet.BGPAttrType(a.Type) {
		case packet.BGP_ATTR_TYPE_NEXT_HOP, packet.BGP_ATTR_TYPE_MP_REACH_NLRI:
			r.Hop = a.NextHop
		case packet.BGP_ATTR_TYPE_MULTI_EXIT_DISC:
			r.MED = fmt.Sprint(a.Metric)
		case packet.BGP_ATTR_TYPE_COMMUNITIES:
			for _, v := range a.Communities {
				communities = append(communities, fmt.Sprintf("%d:%d", v>>16, v&0xffff))
			}
		case packet.BGP_ATTR_TYPE_LARGE_COMMUNITY:
			var values []packet.LargeCommunity
			if err := json.Unmarshal(a.Value, &values); err != nil {
				g.t.Fatal(err)
			}
			for _, v := range values {
				large = append(large, fmt.Sprintf("%d:%d:%d", v.ASN, v.LocalData1, v.LocalData2))
			}
		}
	}
	r.Communities = words(g.t, object.CommunitiesOf, communities)
	r.Large = words(g.t, object.LargeCommunitiesOf, large)
	return r
}
