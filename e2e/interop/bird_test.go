package interop_test

import (
	"cmp"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// bird is BIRD 2.
type bird struct{ *wire }

func newBIRD(w *wire, sessions ...session) router {
	w.t.Helper()
	b := bird{w}
	child(w.t, w.dir+"/bird.out", w.inside("bird", "-f", "-c", w.file("bird.conf", b.config(sessions)), "-s", w.dir+
		"/ctl", "-P", w.dir+"/pid")...)
	harness.Eventually(w.t, 10*time.Second, func() string {
		out, err := exec.Command("birdc", "-s", w.dir+"/ctl", "show", "status").CombinedOutput()
		return unless(err == nil, string(out))
	})
	return b
}

func (b bird) config(sessions []session) string {
	var c strings.Builder
	fmt.Fprintf(&c, "log stderr all;\nrouter id %s;\nprotocol device { scan time 1; }\n", b.theirs4)
	if i := slices.IndexFunc(sessions, func(s session) bool { return s.bfd }); i >= 0 {
		fmt.Fprintf(&c, "protocol bfd { interface \"*\" { interval %d ms; multiplier 3; }; }\n",
			cmp.Or(sessions[i].bfdEvery, 300))
	}
	for i, s := range sessions {
		for _, p := range s.announce {
			family := "ipv4"
			if strings.Contains(p, ":") {
				family = "ipv6"
			}
			fmt.Fprintf(&c, "protocol static { %s; route %s blackhole; }\n", family, p)
		}
		if s.dev == "" {
			fmt.Fprintf(&c, "protocol bgp node%d {\n local %s as %d;\n neighbor %s as %d;\n", i, s.theirs, routerAS, s.ours,
				nodeAS)
		} else {
			fmt.Fprintf(&c, "protocol radv { interface %q { max ra interval 5; }; }\nprotocol bgp nodes%d {\n local as %d;\n"+
				" neighbor range fe80::/10 external;\n interface %q;\n direct;\n dynamic name \"node\";\n", s.dev, i, routerAS,
				s.dev)
		}
		c.WriteString(" connect delay time 1; connect retry time 1; error wait time 1, 2;\n")
		if s.password != "" {
			fmt.Fprintf(&c, " password %q;\n", s.password)
		}
		switch {
		case s.bfdKeeps:
			c.WriteString(" bfd graceful;\n")
		case s.bfd:
			c.WriteString(" bfd on;\n")
		}
		if s.looking {
			c.WriteString(" passive on;\n")
		}
		fmt.Fprintf(&c, " ttl security %s;\n graceful restart %s;\n long lived graceful restart %s;\n", onOff(s.gtsm),
			onOff(s.graceful), onOff(s.longLived))
		for _, family := range s.families {
			c.WriteString(b.channel(s, family))
		}
		c.WriteString("}\n")
	}
	return c.String()
}

func (b bird) channel(s session, family object.Family) string {
	export, accept, more := "none", "all", ""
	if s.refuse != "" && family == object.IPv4Unicast {
		accept = fmt.Sprintf("filter { if net = %s then reject; if net = %s then bgp_community.add((%s)); accept; }",
			s.refuse, s.tag, strings.ReplaceAll(tagged, ":", ","))
	}
	switch {
	case s.looking:
		export, more = "all", " add paths tx;"
	case s.loop:
		export = fmt.Sprintf("filter { if source = RTS_STATIC then { bgp_path.prepend(%d); accept; } reject; }", nodeAS)
	case len(s.announce) > 0:
		export = "where source = RTS_STATIC"
	}
	name := strings.TrimSuffix(family.String(), "-unicast")
	extended := ""
	if family == object.IPv4Unicast {
		extended = " extended next hop on;"
	}
	return fmt.Sprintf(" %s { import %s; export %s; next hop self;%s%s };\n", name, accept, export, extended, more)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// bfdSessions lists what BFD watches, with the word Up where it has an answer.
func (b bird) bfdSessions() string {
	b.t.Helper()
	return harness.Run(b.t, "birdc", "-r", "-s", b.dir+"/ctl", "show", "bfd", "sessions")
}

func (b bird) hops(family object.Family) map[string]string {
	b.t.Helper()
	return hopsOf(b.routes(family))
}

func (b bird) learned(family object.Family, prefix string) (route, bool) {
	b.t.Helper()
	r, ok := b.routes(family)[prefix]
	return r, ok
}

// routes reads `show route all`: a line with the prefix, then indented lines.
func (b bird) routes(family object.Family) map[string]route {
	b.t.Helper()
	table := "master4"
	if family == object.IPv6Unicast {
		table = "master6"
	}
	out := map[string]route{}
	var prefix string
	for line := range strings.Lines(harness.Run(b.t, "birdc", "-r", "-s", b.dir+"/ctl", "show", "route", "all", "table",
		table)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(line, "BIRD") || strings.HasPrefix(line, "Table"):
		case line[0] != ' ' && line[0] != '\t':
			prefix = ""
			if strings.Contains(line, "[node") {
				prefix = fields[0]
				out[prefix] = route{}
			}
		case prefix != "":
			out[prefix] = attribute(b.t, out[prefix], strings.TrimSpace(line))
		}
	}
	return out
}

// attribute reads one line, such as BGP.community: (65000,100) (65535,65281).
func attribute(t testing.TB, r route, line string) route {
	name, value, _ := strings.Cut(line, ": ")
	list := strings.FieldsFunc(strings.ReplaceAll(value, ", ", ":"),
		func(c rune) bool { return c == ' ' || c == '(' || c == ')' })
	switch name {
	case "BGP.next_hop":
		hops := strings.Fields(value)
		if r.Hop = hops[0]; r.Hop == "::" && len(hops) > 1 {
			r.Hop = hops[1]
		}
	case "BGP.med":
		r.MED = value
	case "BGP.community":
		for i := range list {
			list[i] = strings.ReplaceAll(list[i], ",", ":")
		}
		r.Communities = words(t, object.CommunitiesOf, list)
	case "BGP.large_community":
		r.Large = words(t, object.LargeCommunitiesOf, list)
	}
	return r
}

// words spells a router's communities as we do.
func words(t testing.TB, of func(...string) (object.Words, error), list []string) object.Words {
	t.Helper()
	for i := range list { // FRR's names
		list[i] = strings.NewReplacer("no-export", "65535:65281", "llgr-stale", "65535:6", "local-AS",
			"65535:65283").Replace(list[i])
	}
	w, err := of(list...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
