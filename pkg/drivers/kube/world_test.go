package kube_test

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// randomCluster is a cluster of two nodes in central mode, of which the tests know what
// must come. It is told as a story, one object a line.
type randomCluster struct {
	class    string // the class that is ours; empty: any
	external bool   // external IPs are announced
	nodes    []randomNode
	services []*randomService
	rows     []randomRow
	flows    map[string]bool // "PROTO ADDR:PORT" and "arp ADDR"; true if it lets packets in
}

type randomNode struct {
	name, chassis string
	local         bool   // local gateway mode
	words         string // what else the Node says
}

// serves reports whether services may be announced on the node.
func (n randomNode) serves() bool { return n.words == "" || strings.HasSuffix(n.words, "draining") }

type randomService struct {
	name             string
	kind, class      string
	local, publish   bool
	ingress, proxied []netip.Addr
	external         []netip.Addr
	ports            []string // "tcp/80"
	endpoints4       []string // as a story has them
	endpoints6       []string
}

// randomRow is a load balancer of one protocol.
type randomRow struct {
	protocol, on string
	keys         map[string]bool // "ADDR:PORT"; true if it has a backend
}

var (
	pool      = addrs("198.51.100.1", "198.51.100.2", "2001:db8:53::1")
	portPool  = []string{"tcp/80", "tcp/443", "udp/80"}
	endpoints = []string{
		"worker-a", "worker-b", "worker-a:not-ready", "worker-b:not-ready", "worker-a:terminating", "worker-b:terminating",
		"worker-a:stopped", "worker-b:stopped",
	}
)

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// flip is a coin; seldom and mostly are bent ones. The integers of rapid are small most of
// the time, which would leave nearly everything without what it needs.
func flip(t *rapid.T, label string) bool   { return rapid.Bool().Draw(t, label) }
func mostly(t *rapid.T, label string) bool { return !seldom(t, label) }
func seldom(t *rapid.T, label string) bool {
	first := flip(t, label)
	return flip(t, label) && first
}

// some are those of a list for which the coin falls.
func some[T any](t *rapid.T, list []T, coin func(*rapid.T, string) bool, label string) (out []T) {
	for _, x := range list {
		if coin(t, label) {
			out = append(out, x)
		}
	}
	return out
}

func drawCluster(t *rapid.T) *randomCluster {
	c := &randomCluster{external: flip(t, "externalip"), flows: map[string]bool{}}
	if seldom(t, "by class") {
		c.class = "ours"
	}
	for i, name := range []string{"worker-a", "worker-b"} {
		n := randomNode{name: name, local: flip(t, "local mode")}
		n.chassis = fmt.Sprint("6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e1", i+1)
		if seldom(t, "unfit") {
			n.words = rapid.SampledFrom([]string{
				"excluded", "unavailable", "cordoned state draining", "cordoned state drained",
			}).Draw(t, "unfit")
		}
		c.nodes = append(c.nodes, n)
	}
	for i := range rapid.IntRange(1, 4).Draw(t, "services") {
		c.services = append(c.services, drawService(t, fmt.Sprint("default/s", i)))
	}
	for _, on := range []string{"lr GR_worker-a", "lr GR_worker-b", "lr GR_worker-a lr GR_worker-b", "ls worker-a"} {
		c.rows = append(c.rows, drawRow(t, "tcp", on))
		if seldom(t, "udp") {
			c.rows = append(c.rows, drawRow(t, "udp", on))
		}
	}
	for _, a := range pool {
		for _, port := range some(t, portPool, mostly, "flow") {
			protocol, number, _ := strings.Cut(port, "/")
			c.flows[protocol+" "+join(a, number)] = mostly(t, "passes")
		}
		if seldom(t, "lookup flow") {
			c.flows[lookup(a)] = true
		}
	}
	return c
}

func drawService(t *rapid.T, name string) *randomService {
	s := &randomService{
		name: name, kind: "LoadBalancer", local: flip(t, "local"), publish: seldom(t, "publish"),
		ingress: some(t, pool, flip, "ingress"), proxied: some(t, pool, seldom, "proxied"),
		external: some(t, pool, seldom, "external"), ports: some(t, portPool, mostly, "port"),
		endpoints4: some(t, endpoints, seldom, "endpoint"), endpoints6: some(t, endpoints, seldom, "endpoint"),
	}
	if flip(t, "with class") {
		s.class = rapid.SampledFrom([]string{"ours", "theirs"}).Draw(t, "class")
	}
	s.proxied = slices.DeleteFunc(s.proxied, func(a netip.Addr) bool { return slices.Contains(s.ingress, a) })
	if seldom(t, "no load balancer") {
		s.kind = "ClusterIP"
	}
	return s
}

func drawRow(t *rapid.T, protocol, on string) randomRow {
	r := randomRow{protocol: protocol, on: on, keys: map[string]bool{}}
	for _, a := range some(t, pool, flip, "key") {
		for _, port := range some(t, []uint16{80, 443}, flip, "port") {
			r.keys[netip.AddrPortFrom(a, port).String()] = flip(t, "backend")
		}
	}
	return r
}

func join(a netip.Addr, port string) string {
	if a.Is6() {
		return "[" + a.String() + "]:" + port
	}
	return a.String() + ":" + port
}

// lookup is the flow for ARP requests or neighbour solicitations for an address.
func lookup(a netip.Addr) string {
	if a.Is6() {
		return "nd " + a.String()
	}
	return "arp " + a.String()
}

// mentions reports whether a line is about an address, or is of a service that has it.
func (c *randomCluster) mentions(line string, a netip.Addr) bool {
	for _, word := range strings.Fields(line) {
		if word == a.String() || strings.HasPrefix(word, a.String()+":") || strings.HasPrefix(word, "["+a.String()+"]:") {
			return true
		}
		for _, s := range c.services {
			has := slices.Contains(slices.Concat(s.ingress, s.external, s.proxied), a)
			if has && (word == s.name || word == s.name+"-4" || word == s.name+"-6") {
				return true
			}
		}
	}
	return false
}

// nodesText is what the cluster consists of but for its objects.
func (c *randomCluster) nodesText() string {
	var b strings.Builder
	b.WriteString("include kube\n")
	const ports = `datapath GR_worker-b
datapath ext_worker-b
localnet br-ex_worker-b on ext_worker-b network physnet
switchport etor-GR_worker-b type l3gateway on ext_worker-b mac 02:42:ac:12:00:03 chassis %[1]s
routerport rtoe-GR_worker-b type l3gateway on GR_worker-b mac "02:42:ac:12:00:03 192.0.2.12/24" chassis %[1]s
`
	fmt.Fprintf(&b, ports, c.nodes[1].chassis)
	for _, n := range c.nodes {
		mode := "shared"
		if n.local {
			mode = "local"
		}
		fmt.Fprintf(&b, "node %s on %s mode %s %s\n", n.name, n.chassis, mode, n.words)
	}
	return b.String()
}

// objects are the lines of the objects, each of which can be left out.
func (c *randomCluster) objects() []string {
	var out []string
	for _, s := range c.services {
		out = append(out, s.line())
		out = append(out, fmt.Sprintf("slice %s-4 of %s IPv4 %s", s.name, s.name[8:], strings.Join(s.endpoints4, " ")))
		out = append(out, fmt.Sprintf("slice %s-6 of %s IPv6 %s", s.name, s.name[8:], strings.Join(s.endpoints6, " ")))
	}
	for i, r := range c.rows {
		line := fmt.Sprintf("balancer row%d protocol %s %s", i, r.protocol, r.on)
		for _, key := range slices.Sorted(maps.Keys(r.keys)) {
			value := `""`
			if r.keys[key] {
				value = "10.244.1.9:8080"
			}
			line += " backends " + key + " " + value
		}
		out = append(out, line)
	}
	for _, key := range slices.Sorted(maps.Keys(c.flows)) {
		line := "flow br-ex " + key
		if !c.flows[key] {
			line += " actions drop"
		}
		out = append(out, line)
	}
	return out
}

func (s *randomService) line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "service %s type %s", s.name, s.kind)
	if s.class != "" {
		b.WriteString(" class " + s.class)
	}
	if s.local {
		b.WriteString(" local")
	}
	if s.publish {
		b.WriteString(" publish-not-ready")
	}
	for _, words := range []struct {
		word string
		list []netip.Addr
	}{{"ingress", s.ingress}, {"proxy", s.proxied}, {"external", s.external}} {
		for _, a := range words.list {
			fmt.Fprintf(&b, " %s %s", words.word, a)
		}
	}
	for _, p := range s.ports {
		b.WriteString(" port " + p)
	}
	return b.String()
}

// wants reports whether policy asks for an address of a service (K-11, K-12).
func (c *randomCluster) wants(s *randomService, a netip.Addr) bool {
	balanced := s.kind == "LoadBalancer" && slices.Contains(s.ingress, a) && (c.class == "" || s.class == c.class)
	return balanced || c.external && slices.Contains(s.external, a)
}

// served reports whether a service has endpoints for an address on a node (K-13).
func (s *randomService) served(a netip.Addr, node string) bool {
	list := s.endpoints4
	if a.Is6() {
		list = s.endpoints6
	}
	ready, terminating, any := false, false, false
	for _, e := range list {
		where, condition, _ := strings.Cut(e, ":")
		if s.local && where != node {
			continue
		}
		any = true
		ready = ready || condition == ""
		terminating = terminating || condition == "terminating"
	}
	return ready || terminating || any && s.publish
}

// carried reports whether a row of the node's gateway router has a backend for a port of an
// address, and a flow lets packets for it in (K-15, K-17).
func (c *randomCluster) carried(n randomNode, a netip.Addr, port string) bool {
	protocol, number, _ := strings.Cut(port, "/")
	usable := slices.ContainsFunc(c.rows, func(r randomRow) bool {
		return r.protocol == protocol && strings.Contains(r.on, "lr GR_"+n.name) && r.keys[join(a, number)]
	})
	return usable && (c.flows[protocol+" "+join(a, number)] || n.local && c.flows[lookup(a)])
}

// must are the prefixes that a node has to announce, and no others.
func (c *randomCluster) must(n randomNode) map[netip.Prefix]bool {
	out := map[netip.Prefix]bool{}
	for _, s := range c.services {
		for _, a := range pool {
			if n.serves() && c.wants(s, a) && s.served(a, n.name) &&
				slices.ContainsFunc(s.ports, func(p string) bool { return c.carried(n, a, p) }) {
				out[netip.PrefixFrom(a, a.BitLen())] = true
			}
		}
	}
	return out
}
