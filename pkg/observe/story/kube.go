package story

import (
	"cmp"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// cluster is what the Kubernetes API says, and the rows that OVN-Kubernetes alone needs.
// Its lines, each of which replaces the object of that name or, with "gone" after the
// name, deletes it:
//
//	node worker-a on chs-a mode shared
//	                            the Node that chassis chs-a follows; then any of excluded,
//	                            unavailable, cordoned and "state draining"; "unknown" in
//	                            place of all: the API never had it
//	service default/web type LoadBalancer ingress 198.51.100.20 port tcp/80
//	                            further words: proxy IP, hostname NAME, external IP, cluster IP,
//	                            class C, label K=V, local, internal-local, publish-not-ready
//	slice default/web-1 of web IPv4 worker-a worker-b:not-ready
//	                            endpoints by node: ready, NODE:not-ready, NODE:terminating
//	                            (it still serves) or NODE:stopped (it does not)
//	egressip eip 192.0.2.50@worker-a
//	kubeapi stale "why"         an empty why: it answers; "kubeapi without egressips"
//	uplink br-ex eth0 ofport 1  a port of a bridge that leads out of the node
//	flows br-ex                 the flows of the bridge are read; "flows stale WHY"
//	flow br-ex tcp 198.51.100.20:80
//	                            a flow as ovnkube-node makes it; then "in 2", "actions drop";
//	                            arp and nd take an address alone
//	template chs-a NAME=VALUE   a variable of Chassis_Template_Var; "template chs-a gone"
//	monitor 10.244.1.9:8443 tcp offline
//	                            then its type, if it has one
type cluster struct {
	asked     bool
	follows   map[string]string // the node, by system-id
	unknown   map[string]bool   // nodes that were never there
	nodes     map[string]*observe.KubeNode
	states    map[string]observe.NodeState
	services  map[string]*observe.KubeService
	slices    map[string]*observe.KubeSlice
	egress    map[string]*observe.KubeEgressIP
	stale     string
	noEgress  bool
	flows     map[string]map[string]observe.BridgeFlow // by bridge and match
	noFlows   string
	templates map[string]map[string]string
	monitors  map[string]*observe.ServiceMonitor
}

func newCluster() cluster {
	return cluster{
		follows: map[string]string{}, unknown: map[string]bool{}, nodes: map[string]*observe.KubeNode{},
		states: map[string]observe.NodeState{}, services: map[string]*observe.KubeService{},
		slices: map[string]*observe.KubeSlice{}, egress: map[string]*observe.KubeEgressIP{},
		flows: map[string]map[string]observe.BridgeFlow{}, templates: map[string]map[string]string{},
		monitors: map[string]*observe.ServiceMonitor{},
	}
}

// kubeHeads are the words at the start of these lines.
func kubeHeads() map[string]func(*Story, *reader) {
	return map[string]func(*Story, *reader){
		"node":     kubeNode,
		"service":  kubeService,
		"slice":    kubeSlice,
		"egressip": egressIP,
		"kubeapi":  kubeAPI,
		"uplink":   uplink,
		"flows":    flows,
		"flow":     flow,
		"template": template,
		"monitor":  monitor,
	}
}

func kubeNode(s *Story, r *reader) {
	k := &s.cluster
	k.asked = true
	n := &observe.KubeNode{Name: r.word()}
	if r.gone() {
		delete(k.nodes, n.Name)
		return
	}
	k.states[n.Name], k.unknown[n.Name] = observe.NodeActive, false
	k.nodes[n.Name] = n
	for r.more() {
		switch w := r.word(); w {
		case "on":
			k.follows[r.word()] = n.Name
		case "mode":
			n.GatewayMode = r.word()
		case "excluded":
			n.Excluded = true
		case "unavailable":
			n.NetworkUnavailable = true
		case "cordoned":
			n.Unschedulable = true
		case "state":
			k.states[n.Name] = observe.NodeState(r.word())
		case "unknown":
			k.unknown[n.Name] = true
			delete(k.nodes, n.Name)
		default:
			r.fail("unknown word %q", w)
		}
	}
}

// named reads NAMESPACE/NAME.
func (r *reader) named() (namespace, name string) {
	w := r.word()
	namespace, name, ok := strings.Cut(w, "/")
	if !ok {
		r.fail("%q is not namespace/name", w)
	}
	return namespace, name
}

// problem keeps what could not be read of an object.
func (r *reader) problem(list []string) {
	if len(list) > 0 {
		r.check(errors.New(list[0]))
	}
}

func kubeService(s *Story, r *reader) {
	k := &s.cluster
	k.asked = true
	x := &observe.KubeService{Type: "ClusterIP"}
	x.Namespace, x.Name = r.named()
	if r.gone() {
		delete(k.services, x.Text())
		return
	}
	for r.more() {
		readService(x, r)
	}
	k.services[x.Text()] = x
}

func readService(x *observe.KubeService, r *reader) {
	var problems []string
	ingress := func(ip, name, mode string) {
		if in, ok := observe.KubeIngressOf(ip, name, mode, &problems); ok {
			x.Ingress = append(x.Ingress, in)
		}
	}
	switch w := r.word(); w {
	case "type":
		x.Type = r.word()
	case "ingress":
		ingress(r.word(), "", "")
	case "proxy":
		ingress(r.word(), "", "Proxy")
	case "hostname":
		ingress("", r.word(), "")
	case "external":
		x.ExternalIPs = append(x.ExternalIPs, r.addr())
	case "cluster":
		x.ClusterIPs = append(x.ClusterIPs, r.addr())
	case "port":
		protocol, number, _ := strings.Cut(r.word(), "/")
		n, err := strconv.ParseInt(number, 10, 64)
		r.check(err)
		if p, ok := observe.KubePortOf(protocol, n, &problems); ok {
			x.Ports = append(x.Ports, p)
		}
	case "class":
		x.Class = r.word()
	case "label":
		key, value := r.pair()
		put(&x.Labels, key, value)
	case "local":
		x.ExternalLocal = true
	case "internal-local":
		x.InternalLocal = true
	case "publish-not-ready":
		x.PublishNotReady = true
	default:
		r.fail("unknown word %q", w)
	}
	r.problem(problems)
}

func kubeSlice(s *Story, r *reader) {
	k := &s.cluster
	x := &observe.KubeSlice{}
	x.Namespace, x.Name = r.named()
	if r.gone() {
		delete(k.slices, x.Namespace+"/"+x.Name)
		return
	}
	r.literal("of")
	x.Service, x.AddressType = r.word(), r.word()
	for r.more() {
		node, condition, _ := strings.Cut(r.word(), ":")
		yes, no := true, false
		ready, serving, terminating := &yes, &yes, &no
		switch condition {
		case "":
			ready, serving, terminating = nil, nil, nil
		case "not-ready":
			ready, serving = &no, &no
		case "terminating":
			ready, terminating = &no, &yes
		case "stopped":
			ready, serving, terminating = &no, &no, &yes
		default:
			r.fail("unknown condition %q", condition)
		}
		x.Endpoints = append(x.Endpoints, observe.KubeEndpointOf(node, ready, serving, terminating))
	}
	k.slices[x.Namespace+"/"+x.Name] = x
}

func egressIP(s *Story, r *reader) {
	x := &observe.KubeEgressIP{Name: r.word()}
	if r.gone() {
		delete(s.cluster.egress, x.Name)
		return
	}
	for r.more() {
		ip, node, _ := strings.Cut(r.word(), "@")
		a, err := netip.ParseAddr(ip)
		r.check(err)
		x.Items = append(x.Items, observe.KubeEgress{IP: a, Node: node})
	}
	s.cluster.egress[x.Name] = x
}

func kubeAPI(s *Story, r *reader) {
	switch w := r.word(); w {
	case "stale":
		s.cluster.stale = r.word()
	case "without":
		r.literal("egressips")
		s.cluster.noEgress = true
	default:
		r.fail("unknown word %q", w)
	}
}

// uplink adds or removes a port that leads out of the node.
func uplink(s *Story, r *reader) {
	bridge, p := r.word(), observe.UplinkPort{Name: r.word()}
	have, ok := s.bridges[bridge]
	if !ok {
		r.fail("there is no bridge %q", bridge)
		return
	}
	b := *have
	b.Uplinks = slices.DeleteFunc(slices.Clone(have.Uplinks), func(u observe.UplinkPort) bool { return u.Name == p.Name })
	if !r.gone() {
		p.OFPort = r.ofport()
		b.Uplinks = append(b.Uplinks, p)
	}
	s.bridges[bridge] = &b
}

func flows(s *Story, r *reader) {
	w := r.word()
	if w == "stale" {
		s.cluster.noFlows = r.word()
		return
	}
	if r.gone() {
		delete(s.cluster.flows, w)
		return
	}
	s.cluster.flows[w] = map[string]observe.BridgeFlow{}
}

// flow adds a flow as a line that ovs-ofctl prints, so that the product's own reader
// understands it.
func flow(s *Story, r *reader) {
	list, ok := s.cluster.flows[r.word()]
	protocol, to := r.word(), r.word()
	if !ok {
		r.fail("the flows of that bridge are not read: say \"flows BRIDGE\" first")
		return
	}
	f := observe.BridgeFlow{Priority: 110, Protocol: protocol, InPort: "1", Actions: "output:2"}
	var err error
	if protocol == "arp" || protocol == "nd" {
		f.Dst, err = netip.ParseAddr(to)
	} else {
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(to)
		f.Dst, f.Port = ap.Addr(), ap.Port()
	}
	r.check(err)
	key := protocol + " " + to
	if r.gone() {
		delete(list, key)
		return
	}
	for r.more() {
		switch w := r.word(); w {
		case "in":
			f.InPort = r.word()
			key += " in " + f.InPort
		case "actions":
			f.Actions = r.word()
		default:
			r.fail("unknown word %q", w)
		}
	}
	read, ok := observe.ParseBridgeFlow(f.String())
	if r.err == nil && !ok {
		r.fail("%s is not read back", f)
	}
	list[key] = read
}

func template(s *Story, r *reader) {
	chassis := r.word()
	if r.gone() {
		delete(s.cluster.templates, chassis)
		return
	}
	all := maps.Clone(s.cluster.templates[chassis])
	for r.more() {
		key, value := r.pair()
		put(&all, key, value)
	}
	s.cluster.templates[chassis] = all
}

func monitor(s *Story, r *reader) {
	w := r.word()
	ap, err := netip.ParseAddrPort(w)
	r.check(err)
	if r.gone() {
		delete(s.cluster.monitors, w)
		return
	}
	m := &observe.ServiceMonitor{
		UUID: UUID("monitor " + w), IP: ap.Addr().String(), Port: int(ap.Port()), Protocol: r.word(), Status: r.word(),
	}
	if r.more() {
		m.Type = r.word()
	}
	s.cluster.monitors[w] = m
}

// rows adds those of the Southbound database.
func (k *cluster) rows(raw *observe.Southbound) {
	for chassis, variables := range k.templates {
		raw.Templates = append(raw.Templates, &observe.TemplateVars{
			UUID: UUID("template " + chassis), Chassis: chassis, Variables: variables,
		})
	}
	raw.Monitors = slices.Collect(maps.Values(k.monitors))
}

// kube is what a node reads of the API: of Nodes only its own. Nil for a story without a
// Node and a Service.
func (s *Story) kube(chassis string) *observe.Kube {
	c := &s.cluster
	if !c.asked {
		return nil
	}
	name := c.follows[chassis]
	k := &observe.Kube{
		Revision: s.revision, Services: slices.Collect(maps.Values(c.services)),
		Slices: slices.Collect(maps.Values(c.slices)), EgressIPs: slices.Collect(maps.Values(c.egress)),
		NodeName: name, NodeState: cmp.Or(c.states[name], observe.NodeActive), Stale: c.stale, NoEgressIPs: c.noEgress,
		NoNode: name == "" || c.unknown[name],
	}
	if n, ok := c.nodes[name]; ok {
		k.Nodes = []*observe.KubeNode{n}
	}
	k.Sort()
	return k
}

// bridgeFlows are nil where no line tells of them.
func (s *Story) bridgeFlows() *observe.Flows {
	c := &s.cluster
	if len(c.flows) == 0 && c.noFlows == "" {
		return nil
	}
	f := &observe.Flows{Revision: s.revision, Bridges: map[string][]observe.BridgeFlow{}, Stale: c.noFlows}
	for name, list := range c.flows {
		f.Bridges[name] = observe.SortBridgeFlows(slices.Collect(maps.Values(list)))
	}
	return f
}

// lacksColumns are columns that the schema does not have: "schema without TABLE.COLUMN".
func (n *native) lacksColumns() (out []string) {
	for _, name := range n.without {
		if strings.Contains(name, ".") {
			out = append(out, name)
		}
	}
	return out
}

// backends reads the value of a key of column vips as it is written, "" for none.
func (b *balancer) backends(r *reader) {
	key := r.word()
	b.vips[key] = r.word()
}
