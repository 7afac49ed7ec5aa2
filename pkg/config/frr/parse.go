package frr

import (
	"net/netip"
	"strconv"
	"strings"
)

// The bounds of what is read: a file beyond them is no router's.
const (
	mostLines = 50_000
	mostNames = 2_000 // neighbours, lists and profiles
)

// statement is one line with the number that editors show.
type statement struct {
	line  int
	words []string
}

func (s statement) text() string { return strings.Join(s.words, " ") }

// has reports whether the statement begins with these words.
func (s statement) has(words ...string) bool {
	if len(s.words) < len(words) {
		return false
	}
	for i, w := range words {
		if s.words[i] != w {
			return false
		}
	}
	return true
}

// word is the word at a place; empty beyond the end.
func (s statement) word(i int) string {
	if i >= len(s.words) {
		return ""
	}
	return s.words[i]
}

// neighbour is a neighbour or a peer group of the default VRF.
type neighbour struct {
	name  string
	group string // the peer group that it is in
	// isGroup and isInterface say what the name is.
	isGroup, isInterface bool
	first                statement
	remoteAS             string
	source, profile      string
	bfd, passive, gtsm   bool
	multihop, allowOwn   int
	holdTime, retry      int
	off                  bool
	families             map[string]bool
	in, out              map[string]string // prefix lists, by family
}

// entry is one line of a prefix list.
type entry struct {
	statement
	permit bool
	prefix netip.Prefix
	ge, le int
}

// profile is a profile of BFD.
type profile struct{ multiplier, transmit, receive int }

// config is what of a file matters.
type config struct {
	as         string
	routerID   string
	neighbours map[string]*neighbour
	order      []string
	lists      map[string][]entry
	profiles   map[string]*profile
	// sources are the addresses that route maps set, by map; applied are those that are
	// applied to what BGP learns, by family.
	sources, applied map[string]string
	loopback         bool
	networks         []statement
	left             []Left
	places           map[string]statement
}

// parser reads a file line by line.
type parser struct {
	*config
	// context is what the lines are in: nothing, "router", "router-other", "bfd", "map" or
	// another block that does not matter. family is that of an address family in a router.
	context, family, name string
	at                    statement
}

// parse reads a file. It never fails: what is not understood is left out by name.
func parse(text string) *config {
	c := &config{
		neighbours: map[string]*neighbour{}, lists: map[string][]entry{}, profiles: map[string]*profile{},
		sources: map[string]string{}, applied: map[string]string{}, places: map[string]statement{},
	}
	p := &parser{config: c}
	lines := strings.Split(text, "\n")
	if len(lines) > mostLines {
		c.leave(statement{line: mostLines}, "the file has more lines than are read: only the first %d count", mostLines)
		lines = lines[:mostLines]
	}
	for i, line := range lines {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "!") || strings.HasPrefix(words[0], "#") {
			continue
		}
		p.at = statement{i + 1, words}
		p.read(p.at, strings.TrimLeft(line, " \t") == line)
	}
	return c
}

// harmless are statements of a node's FRR that have no meaning for BGP, or none here.
var harmless = []string{
	"frr", "hostname", "log", "service", "line", "debug", "exit", "exit-vrf", "end", "password", "enable", "agentx",
	"username", "banner", "zebra", "vrf", "ip nht", "ipv6 nht", "ip forwarding", "ipv6 forwarding",
}

// read takes one statement; top says that it is not indented.
func (p *parser) read(s statement, top bool) {
	if top {
		p.context = "" // blocks are indented; those that begin here say so below
	}
	switch {
	case s.has("router", "bgp"):
		p.router(s)
	case s.has("ip", "prefix-list"), s.has("ipv6", "prefix-list"):
		p.prefixList(s)
	case s.has("route-map"):
		p.context, p.name = "map", s.word(1)
	case s.has("bfd") && top:
		p.context, p.name = "bfd", ""
	case s.has("interface") && top:
		p.context = "other"
		p.leave(s, "settings of an interface: router advertisements of unnumbered neighbours are sent by bgp-ovn itself")
	case s.has("ip", "protocol", "bgp", "route-map"):
		p.applied["ipv4"] = s.word(4)
	case s.has("ipv6", "protocol", "bgp", "route-map"):
		p.applied["ipv6"] = s.word(4)
	case p.context == "router":
		p.bgp(s)
	case p.context == "map":
		p.routeMap(s)
	case p.context == "bfd":
		p.bfd(s)
	case p.context == "router-other" || p.context == "other":
	default:
		for _, h := range harmless {
			if s.has(strings.Fields(h)...) {
				return
			}
		}
		p.leave(s, "no counterpart")
	}
}

// router begins a BGP instance. Those of VRFs carry what OVN exports.
func (p *parser) router(s statement) {
	p.family = "ipv4"
	if s.word(3) == "vrf" {
		p.context = "router-other"
		p.leave(s, "the instance of a VRF: what OVN puts into its table is announced from the Southbound database (N-12), "+
			"and routes for OVN follow dynamic-routing-port-name (N-40)")
		return
	}
	p.context, p.as = "router", s.word(2)
	p.places["bgp.as"] = s
}

// bgp reads a statement of the default instance.
func (p *parser) bgp(s statement) {
	switch {
	case s.has("address-family"):
		p.family = s.word(1)
		if p.family == "l2vpn" {
			p.family = "l2vpn-evpn"
		}
	case s.has("exit-address-family"), s.has("exit"), s.has("exit-vni"):
		if !s.has("exit") {
			p.family = "ipv4"
		}
	case s.has("bgp", "router-id"):
		p.routerID, p.places["bgp.router_id"] = s.word(2), s
	case s.has("neighbor"), s.has("no", "neighbor"):
		p.neighbour(s)
	case s.has("redistribute", "connected"):
		p.loopback, p.places["advertise_loopback"] = true, s
	case s.has("redistribute", "kernel"):
		p.leave(s, "taken over: prefixes come from the Southbound database (N-12)")
	case s.has("import", "vrf"):
		p.leave(s, "taken over: what every router of OVN advertises goes to the sessions of the default VRF (N-18)")
	case s.has("network"):
		p.networks = append(p.networks, s)
	case s.has("bgp", "graceful-shutdown"):
		p.leave(s, "not taken for a wish: it marks everything as leaving; use bgp-ovn drain to take a node out of service")
	case s.has("no", "bgp", "default", "ipv4-unicast"), s.has("bgp", "log-neighbor-changes"),
		s.has("no", "bgp", "ebgp-requires-policy"), s.has("no", "bgp", "default", "show-hostname"),
		s.has("bgp", "graceful-restart"), s.has("bgp", "suppress-duplicates"), s.has("no", "bgp", "suppress-duplicates"):
	default:
		p.leave(s, "no counterpart")
	}
}

// routeMap reads what a route map sets.
func (p *parser) routeMap(s statement) {
	switch {
	case s.has("set", "src"):
		p.sources[p.name] = s.word(2)
		p.places["map "+p.name] = s
	case s.has("exit"):
	default:
		p.leave(s, "of route map %s only set src has a counterpart", p.name)
	}
}

// bfd reads the profiles of BFD.
func (p *parser) bfd(s statement) {
	switch {
	case s.has("profile"):
		p.name = s.word(1)
		if len(p.profiles) < mostNames {
			p.profiles[p.name] = &profile{}
		}
	case p.profiles[p.name] == nil:
	case s.has("detect-multiplier"):
		p.profiles[p.name].multiplier = number(s.word(1))
	case s.has("transmit-interval"):
		p.profiles[p.name].transmit = number(s.word(1))
	case s.has("receive-interval"):
		p.profiles[p.name].receive = number(s.word(1))
	}
}

// number reads a number; 0 if it is none.
func number(text string) int {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return int(n)
}

// prefixList reads one entry: ip prefix-list NAME [seq N] permit|deny PREFIX [ge N] [le N].
func (p *parser) prefixList(s statement) {
	words := s.words[2:]
	if len(words) == 0 {
		return
	}
	name, words := words[0], words[1:]
	if len(words) > 1 && words[0] == "seq" {
		words = words[2:]
	}
	if len(words) < 2 || words[0] != "permit" && words[0] != "deny" {
		if len(words) == 0 || words[0] != "description" {
			p.leave(s, "not an entry of a prefix list")
		}
		return
	}
	e := entry{statement: s, permit: words[0] == "permit"}
	text := words[1]
	if text == "any" {
		text = map[bool]string{true: "::/0 le 128", false: "0.0.0.0/0 le 32"}[s.word(0) == "ipv6"]
		words = append([]string{words[0]}, strings.Fields(text)...)
		text = words[1]
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		p.leave(s, "not a prefix")
		return
	}
	e.prefix = prefix.Masked()
	for i := 2; i+1 < len(words); i += 2 {
		switch words[i] {
		case "ge":
			e.ge = number(words[i+1])
		case "le":
			e.le = number(words[i+1])
		}
	}
	if _, known := p.lists[name]; known || len(p.lists) < mostNames {
		p.lists[name] = append(p.lists[name], e)
	}
}
