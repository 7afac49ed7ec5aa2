package interop_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// frr is bgpd with zebra, without which it takes no next hop for valid.
type frr struct {
	*wire
	frrRelease
}

// frrRelease is where the programs of a release are.
type frrRelease struct {
	// version is what bgpd calls itself.
	version string
	// daemon and vtysh start a daemon and the shell.
	daemon func(name string) []string
	vtysh  []string
	// bfdd is where its socket is put, which is the same for all otherwise.
	bfdd func(dir string) []string
	// modules is where its modules are; empty where it looks itself.
	modules string
}

// frr10 is where scripts/install-frr10 puts the release of Debian 13.
const frr10 = "/var/cache/bgp-ovn-test/frr-10.3/run"

// frrReleases are that of Debian 12, which is installed, and that of Debian 13.
var frrReleases = map[string]frrRelease{
	"frr-8.4": {
		"8.4", func(name string) []string { return []string{"/usr/lib/frr/" + name} },
		[]string{"vtysh"},
		func(dir string) []string { return []string{"--bfdctl", dir + "/bfdd.sock"} }, "",
	},
	"frr-10.3": {
		"10.3", func(name string) []string { return []string{frr10, name} },
		[]string{frr10, "vtysh"},
		func(string) []string { return nil }, "/var/cache/bgp-ovn-test/frr-10.3/usr/lib/*/frr/modules",
	},
}

// newFRR starts the release that is installed.
func newFRR(w *wire, sessions ...session) router { return frrReleases["frr-8.4"].start(w, sessions...) }

func (rel frrRelease) start(w *wire, sessions ...session) router {
	w.t.Helper()
	f := frr{w, rel}
	out := harness.Run(w.t, append(rel.daemon("bgpd"), "--version")...)
	if !strings.Contains(out, "version "+rel.version) {
		w.t.Fatalf("want FRR %s: %s; run scripts/install-deps test", rel.version, out)
	}
	harness.Run(w.t, "chown", "frr:frr", w.dir)
	networks := map[string]string{"ip": f.ours4 + "/24", "ipv6": f.ours6 + "/64"}
	if slices.ContainsFunc(sessions, func(s session) bool { return s.dev != "" }) {
		networks = map[string]string{"ipv6": ourLink + "/64"}
	}
	f.startZebra(networks)
	if slices.ContainsFunc(sessions, func(s session) bool { return s.bfd }) {
		f.launch("bfdd", "hostname d\n", "bfdd.vty", f.bfdd(f.dir)...)
	}
	var modules []string
	if slices.ContainsFunc(sessions, func(s session) bool { return s.bmp != 0 }) {
		modules = []string{"-M", "bmp"}
		if found, _ := filepath.Glob(rel.modules); len(found) > 0 {
			modules = append(modules, "--moduledir", found[0])
		}
	}
	f.launch("bgpd", f.config(sessions), "bgpd.vty", modules...)
	w.t.Cleanup(func() {
		if w.t.Failed() {
			f.tell()
		}
	})
	return f
}

// zebraTries is how often zebra is started: FRR 10.3 has been seen, once in some hundred
// starts on a busy machine, not to know the network of an address of its link, which it
// knows, and never to look again; another one that took its place saw as little.
const zebraTries = 4

// startZebra starts zebra and waits until it knows the link. FRR 10.3 never looks again at a
// next hop that bgpd asks for before that: it stays invalid.
func (f frr) startZebra(networks map[string]string) {
	f.t.Helper()
	missing := ""
	for range zebraTries {
		cmd := f.launch("zebra", "hostname z\n", "zserv")
		ctx, cancel := harness.WithTimeout(f.t.Context(), 5*time.Second)
		knows := func() bool {
			missing = f.unconnected(networks)
			return missing == ""
		}
		err := harness.Until(ctx, "zebra knows the link", knows)
		cancel()
		if err != nil {
			f.t.Logf("the link goes down and comes up again: %s", missing)
			f.bounce(networks)
			ctx, cancel = harness.WithTimeout(f.t.Context(), 15*time.Second)
			err = harness.Until(ctx, "zebra knows the link", knows)
			cancel()
		}
		if err == nil {
			return
		}
		f.t.Logf("zebra is started again: %s", missing)
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // how does not matter: another one takes its place
	}
	f.t.Fatal(missing)
}

// bounce takes the link of the router down and up again, with its addresses, so that zebra is told of all of it.
func (f frr) bounce(networks map[string]string) {
	f.t.Helper()
	f.run("ip", "link", "set", f.theirDev, "down")
	f.run("ip", "link", "set", f.theirDev, "up")
	addrs := []string{f.theirs4 + "/24", f.theirs6 + "/64"}
	if networks["ip"] == "" {
		addrs = []string{theirLink + "/64"}
	}
	for _, addr := range addrs {
		args := []string{"ip", "addr", "replace", addr, "dev", f.theirDev}
		if strings.Contains(addr, ":") {
			args = append(args, "nodad")
		}
		f.run(args...)
	}
}

// unconnected is what zebra does not know of the networks of its link; empty if all.
func (f frr) unconnected(networks map[string]string) string {
	ask := func(what string) string {
		out, err := exec.Command(f.vtysh[0], append(slices.Clone(f.vtysh[1:]),
			"--vty_socket", f.dir, "-d", "zebra", "-c", "show "+what)...).CombinedOutput()
		return fmt.Sprintf("%s%v", out, err)
	}
	for family, prefix := range networks {
		want := netip.MustParsePrefix(prefix).Masked().String()
		if out := ask(family + " route connected"); !strings.Contains(out, want) {
			return fmt.Sprintf("zebra does not know %s yet: %s\n%s", want, out, ask("interface"))
		}
	}
	return ""
}

// ask is what bgpd shows.
func (f frr) ask(what string) string {
	out, err := exec.Command(f.vtysh[0], append(slices.Clone(f.vtysh[1:]),
		"--vty_socket", f.dir, "-d", "bgpd", "-c", "show "+what)...).CombinedOutput()
	return fmt.Sprintf("%v\n%s", err, out)
}

// tell says how the router sees a test that failed.
func (f frr) tell() {
	for _, what := range []string{"bgp summary", "bgp nexthop", "bgp neighbors", "bgp ipv4 unicast"} {
		f.t.Logf("%s: show %s: %s", f.version, what, f.ask(what))
	}
}

func (f frr) config(sessions []session) string {
	var b strings.Builder
	as := routerAS
	if slices.ContainsFunc(sessions, func(s session) bool { return s.internal }) {
		as = nodeAS
	}
	fmt.Fprintf(&b, "hostname b\nrouter bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n no bgp default "+
		"ipv4-unicast\n no bgp network import-check\n", as, f.theirs4)
	for i, s := range sessions {
		n := " neighbor " + s.ours + " "
		if s.dev == "" {
			fmt.Fprintf(&b, "%sremote-as %d\n%stimers connect 1\n", n, nodeAS, n)
		} else {
			sessions[i].ours, n = s.dev, " neighbor "+s.dev+" "
			fmt.Fprintf(&b, "%sinterface remote-as external\n%stimers connect 1\n", n, n)
		}
		if s.password != "" {
			fmt.Fprintf(&b, "%spassword %s\n", n, s.password)
		}
		if s.gtsm {
			fmt.Fprintf(&b, "%sttl-security hops 1\n", n)
		}
		if s.bfd {
			every := cmp.Or(s.bfdEvery, 300)
			fmt.Fprintf(&b, "%sbfd 3 %d %d\n", n, every, every)
			if s.bfdKeeps { // it takes the C bit into account, which we never set (RFC 5882 section 4.3)
				fmt.Fprintf(&b, "%sbfd check-control-plane-failure\n", n)
			}
		}
		if s.looking {
			fmt.Fprintf(&b, "%spassive\n", n)
		}
		if s.bmp != 0 {
			fmt.Fprintf(&b, " bmp targets station\n  bmp connect %s port %d min-retry 1000 max-retry 2000\n"+
				"  bmp monitor ipv4 unicast post-policy\n  bmp monitor ipv6 unicast post-policy\n"+
				"  bmp monitor l2vpn evpn post-policy\n exit\n", s.ours, s.bmp)
		}
		if s.longLived {
			b.WriteString(" bgp long-lived-graceful-restart stale-time 60\n")
		}
	}
	for _, s := range sessions {
		for _, family := range s.families {
			fmt.Fprintf(&b, " address-family %s\n  neighbor %s activate\n", spaced(family), s.ours)
			if s.looking && family != object.L2VPNEVPN {
				fmt.Fprintf(&b, "  neighbor %s addpath-tx-all-paths\n", s.ours)
			}
			if s.refuse != "" && family == object.IPv4Unicast {
				fmt.Fprintf(&b, "  neighbor %s route-map IN in\n", s.ours)
			}
			if s.refuseVNI != 0 && family == object.L2VPNEVPN {
				fmt.Fprintf(&b, "  neighbor %s route-map TENANTS in\n", s.ours)
			}
			for _, p := range s.announce {
				if family != object.L2VPNEVPN && (family == object.IPv6Unicast) == strings.Contains(p, ":") {
					fmt.Fprintf(&b, "  network %s\n", p)
				}
			}
			b.WriteString(" exit-address-family\n")
		}
	}
	b.WriteString("exit\n")
	for _, s := range sessions {
		if s.refuse != "" {
			fmt.Fprintf(&b, "ip prefix-list REFUSED permit %s\nip prefix-list TAGGED permit %s\n"+
				"route-map IN deny 10\n match ip address prefix-list REFUSED\nroute-map IN permit 20\n"+
				" match ip address prefix-list TAGGED\n set community %s additive\nroute-map IN permit 30\n", s.refuse, s.tag,
				tagged)
		}
	}
	for _, s := range sessions {
		if s.refuseVNI != 0 {
			fmt.Fprintf(&b, "route-map TENANTS deny 10\n match evpn vni %d\nroute-map TENANTS permit 20\n"+
				" match evpn vni %d\n set community %s additive\nroute-map TENANTS permit 30\n", s.refuseVNI, s.tagVNI, tagged)
		}
	}
	return b.String()
}

func spaced(f object.Family) string { return strings.ReplaceAll(f.String(), "-", " ") }

func (f frr) launch(name, config, socket string, more ...string) *exec.Cmd {
	f.t.Helper()
	args := append(f.daemon(name), "-P", "0", "-f", f.file(name+".conf", config), "-i", f.dir+"/"+name+".pid",
		"-z", f.dir+"/zserv", "--vty_socket", f.dir, "--log", "file:"+f.dir+"/"+name+".log")
	args = f.inside(append(args, more...)...)
	cmd := child(f.t, f.dir+"/"+name+".out", args...)
	awaitListener(f.t, f.dir+"/"+socket)
	return cmd
}

// bfdSessions lists what BFD watches, with the word up where it has an answer.
func (f frr) bfdSessions() string {
	f.t.Helper()
	return harness.Run(f.t, append(f.vtysh, "--vty_socket", f.dir, "-d", "bfdd", "-c", "show bfd peers brief")...)
}

func (f frr) show(what string, into any) {
	f.t.Helper()
	out := harness.Run(f.t, append(f.vtysh, "--vty_socket", f.dir, "-d", "bgpd", "-c", "show "+what+" json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		f.t.Fatalf("show %s: %v in %s", what, err, out)
	}
}

func (f frr) hops(family object.Family) map[string]string {
	f.t.Helper()
	var table struct {
		Routes map[string][]struct {
			Valid    bool
			Nexthops []struct {
				IP string `json:"ip"`
			}
		}
	}
	f.show("bgp "+spaced(family), &table)
	out := map[string]string{}
	for prefix, paths := range table.Routes {
		if len(paths) == 0 || !paths[0].Valid || len(paths[0].Nexthops) == 0 {
			continue
		}
		// Its own have no next hop.
		if hop := paths[0].Nexthops[0].IP; hop != "0.0.0.0" && hop != "::" {
			out[prefix] = hop
		}
	}
	return out
}

// learned asks for what the listing leaves out.
func (f frr) learned(family object.Family, prefix string) (route, bool) {
	f.t.Helper()
	var detail struct {
		Paths []struct {
			Metric                    *uint32
			Community, LargeCommunity struct{ String string }
			Nexthops                  []struct {
				IP string `json:"ip"`
			}
		}
	}
	f.show("bgp "+spaced(family)+" "+prefix, &detail)
	if len(detail.Paths) == 0 || len(detail.Paths[0].Nexthops) == 0 {
		return route{}, false
	}
	p := detail.Paths[0]
	r := route{Hop: p.Nexthops[0].IP}
	if p.Metric != nil {
		r.MED = fmt.Sprint(*p.Metric)
	}
	r.Communities = words(f.t, object.CommunitiesOf, strings.Fields(p.Community.String))
	r.Large = words(f.t, object.LargeCommunitiesOf, strings.Fields(p.LargeCommunity.String))
	return r, true
}
