package drivers_test

import (
	"bytes"
	"cmp"
	"fmt"
	"iter"
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// clusters are the worlds of k8s_ovn_bgp_driver's scenarios, at each of their steps.
func clusters(t *testing.T) []world {
	t.Helper()
	var out []world
	for _, path := range glob(t, "kube/testdata/stories/*.txtar") {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, section := range a.Files {
			if word, _, _ := strings.Cut(section.Name, " "); word != "snapshot" && word != "then" {
				continue
			}
			text += string(section.Data) + "\n"
			s, err := story.Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			out = append(out, told(t, filepath.Base(path), s))
		}
	}
	return out
}

// stock is all that clusters have.
type stock struct {
	services  []*observe.KubeService
	slices    []*observe.KubeSlice
	egressIPs []*observe.KubeEgressIP
	flows     []observe.BridgeFlow
	balancers []*observe.LoadBalancer
	monitors  []*observe.ServiceMonitor
	templates []*observe.TemplateVars
}

func stockOf(of []world) (s stock) {
	for _, w := range of {
		s.balancers, s.monitors = append(s.balancers, w.sb.Balancers...), append(s.monitors, w.sb.Monitors...)
		s.templates = append(s.templates, w.sb.Templates...)
		for _, name := range slices.Sorted(maps.Keys(w.views)) {
			view := w.views[name]
			if view.Kube == nil {
				continue
			}
			s.services, s.slices = append(s.services, view.Kube.Services...), append(s.slices, view.Kube.Slices...)
			s.egressIPs = append(s.egressIPs, view.Kube.EgressIPs...)
			if view.Flows != nil {
				for _, bridge := range slices.Sorted(maps.Keys(view.Flows.Bridges)) {
					s.flows = append(s.flows, view.Flows.Bridges[bridge]...)
				}
			}
		}
	}
	return s
}

// randomKube draws a configuration of k8s_ovn_bgp_driver.
func randomKube(t *rapid.T, opts expose.Options) desired.Driver {
	flag := func(label string) bool { return rapid.Bool().Draw(t, label) }
	cfg := kube.Config{Expose: opts, KeepCordoned: flag("keep cordoned")}
	for _, k := range kube.Kinds() {
		if flag("advertise " + string(k)) {
			cfg.Advertise = append(cfg.Advertise, k)
		}
	}
	if flag("policies") {
		cfg.Policies = []kube.Policy{
			{Namespaces: []string{"default"}, Aggregate4: rapid.IntRange(20, 32).Draw(t, "aggregate")},
			{Attributes: expose.Attributes{MED: object.MetricOf(7)}},
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "classes") == 0 {
		cfg.Classes = []string{"", "bgp"}
	}
	return kube.New(cfg)
}

// put replaces an element of a list, or adds it.
func put[T any](list []*T, x *T, same func(a, b *T) bool) []*T {
	out := slices.DeleteFunc(slices.Clone(list), func(o *T) bool { return same(o, x) })
	return append(out, x)
}

// drop removes one element.
func drop[T any](t *rapid.T, list []T) []T {
	i, ok := pick(t, list, "drop")
	if !ok {
		return list
	}
	return slices.Delete(slices.Clone(list), i, i+1)
}

// one draws an element, or the zero value of an empty list.
func one[T any](t *rapid.T, list []T, label string) (x T) {
	if i, ok := pick(t, list, label); ok {
		x = list[i]
	}
	return x
}

// again are equal objects at other places: everything was listed anew.
func again[T any](list []*T) (out []*T) {
	for _, x := range list {
		c := *x
		out = append(out, &c)
	}
	return out
}

// changeCluster changes something that a cluster has, or takes up again what was lost.
func changeCluster(t *rapid.T, view, origin observe.Snapshot, w world, from stock) (observe.Snapshot, world) {
	if view.Kube == nil {
		view.Kube = origin.Kube
		return view, w
	}
	if rapid.IntRange(0, 3).Draw(t, "rows") == 0 {
		return view, w.changeRows(t, from)
	}
	return changeKube(t, view, from), w
}

// changeKube changes what the API tells, and the flows of the bridge.
func changeKube(t *rapid.T, view observe.Snapshot, from stock) observe.Snapshot {
	k := *view.Kube
	for range rapid.IntRange(1, 4).Draw(t, "changes of the API") {
		switch rapid.IntRange(0, 11).Draw(t, "what of the API") {
		case 0, 1, 2:
			changeService(t, &k, from)
		case 3, 4:
			changeSlice(t, &k, from)
		case 5, 6:
			changeEgressIP(t, &k, from)
		case 7:
			changeNode(t, &k)
		case 8:
			k.Stale = rapid.SampledFrom([]string{"", "it does not answer"}).Draw(t, "stale")
			k.NoEgressIPs = rapid.Bool().Draw(t, "no egress IPs")
		case 9:
			k.Services, k.Slices, k.EgressIPs = again(k.Services), again(k.Slices), again(k.EgressIPs)
		default:
			view.Flows = changeFlows(t, view.Flows, from)
		}
		k.Sort()
	}
	if view.Kube = &k; rapid.IntRange(0, 19).Draw(t, "not listed") == 0 {
		view.Kube = nil
	}
	return view
}

func changeService(t *rapid.T, k *observe.Kube, from stock) {
	same := func(a, b *observe.KubeService) bool { return a.Key() == b.Key() }
	if rapid.IntRange(0, 4).Draw(t, "service goes") == 0 {
		k.Services = drop(t, k.Services)
		return
	}
	s, other := *one(t, from.services, "service"), one(t, from.services, "another service")
	if have := one(t, k.Services, "service here"); have != nil && rapid.Bool().Draw(t, "of those here") {
		s = *have
	}
	switch rapid.IntRange(0, 11).Draw(t, "change of service") {
	case 0:
		s.Ingress = other.Ingress
	case 1:
		s.ExternalIPs = append(slices.Clip(s.ExternalIPs), other.ExternalIPs...)
		for _, in := range other.Ingress {
			if in.IP.IsValid() {
				s.ExternalIPs = append(s.ExternalIPs, in.IP)
			}
		}
	case 2:
		s.Type = rapid.SampledFrom([]string{"ClusterIP", "LoadBalancer"}).Draw(t, "type")
	case 3:
		s.ExternalLocal = !s.ExternalLocal
	case 4:
		s.Class = rapid.SampledFrom([]string{"", "bgp", "other"}).Draw(t, "class")
	case 5:
		s.Ports = other.Ports
	case 6:
		s.Problems = []string{"spec.ports: \"x\" 0 is not a port"}
	case 7:
		s.PublishNotReady = !s.PublishNotReady
	case 8:
		s.Namespace = rapid.SampledFrom([]string{"default", "other", "a\x00", "a"}).Draw(t, "namespace")
	case 9:
		s.Name, s.Labels = other.Name, other.Labels
	}
	k.Services = put(k.Services, &s, same)
}

func changeSlice(t *rapid.T, k *observe.Kube, from stock) {
	same := func(a, b *observe.KubeSlice) bool { return a.Key() == b.Key() }
	if rapid.IntRange(0, 3).Draw(t, "slice goes") == 0 {
		k.Slices = drop(t, k.Slices)
		return
	}
	s := *one(t, from.slices, "slice")
	if have := one(t, k.Slices, "slice here"); have != nil && rapid.Bool().Draw(t, "of those here") {
		s = *have
	}
	s.Endpoints = slices.Clone(s.Endpoints)
	switch rapid.IntRange(0, 5).Draw(t, "change of slice") {
	case 0:
		s.Endpoints = drop(t, s.Endpoints)
	case 1:
		if i, ok := pick(t, s.Endpoints, "endpoint"); ok {
			s.Endpoints[i].Ready = !s.Endpoints[i].Ready
		}
	case 2:
		if i, ok := pick(t, s.Endpoints, "endpoint"); ok {
			s.Endpoints[i].Node = rapid.SampledFrom([]string{"worker-a", "worker-b", ""}).Draw(t, "endpoint on")
		}
	case 3:
		if service := one(t, k.Services, "of service"); service != nil {
			s.Namespace, s.Service = service.Namespace, service.Name
		}
	case 4:
		s.Problems, s.AddressType = []string{"endpoints: too many"}, "FQDN"
	}
	k.Slices = put(k.Slices, &s, same)
}

func changeEgressIP(t *rapid.T, k *observe.Kube, from stock) {
	same := func(a, b *observe.KubeEgressIP) bool { return a.Name == b.Name }
	if rapid.IntRange(0, 3).Draw(t, "egress IP goes") == 0 {
		k.EgressIPs = drop(t, k.EgressIPs)
		return
	}
	e := *one(t, from.egressIPs, "egress IP")
	e.Items = slices.Clone(e.Items)
	e.Name += rapid.SampledFrom([]string{"", "", "-0", "-1"}).Draw(t, "egress IP named")
	node := rapid.SampledFrom([]string{"worker-a", "worker-b"}).Draw(t, "egress IP on")
	switch rapid.IntRange(0, 4).Draw(t, "change of egress IP") {
	case 0:
		e.Problems = []string{"status.items: \"x\" is not an address"}
	case 1:
		if i, ok := pick(t, e.Items, "item"); ok {
			e.Items[i].Node = node
		}
	case 2: // an address that services have, or the node itself
		s := one(t, from.services, "address of service")
		for _, in := range s.Ingress {
			e.Items = append(e.Items, observe.KubeEgress{IP: in.IP, Node: node})
		}
	case 3:
		e.Items = append(e.Items, observe.KubeEgress{IP: netip.MustParseAddr("192.0.2.11"), Node: node})
	}
	e.Items = slices.DeleteFunc(e.Items, func(i observe.KubeEgress) bool { return !i.IP.IsValid() })
	k.EgressIPs = put(k.EgressIPs, &e, same)
}

func changeNode(t *rapid.T, k *observe.Kube) {
	states := []observe.NodeState{
		"", observe.NodeActive, observe.NodeActive, observe.NodeDraining, observe.NodeDraining, observe.NodeDrained,
	}
	k.NodeState = rapid.SampledFrom(states).Draw(t, "state")
	k.NoNode = rapid.IntRange(0, 7).Draw(t, "no node") == 0
	if rapid.IntRange(0, 7).Draw(t, "another node") == 0 {
		k.NodeName = rapid.SampledFrom([]string{"worker-a", "worker-b", ""}).Draw(t, "node name")
	}
	n := observe.KubeNode{Name: rapid.SampledFrom([]string{"worker-a", "worker-b"}).Draw(t, "which node")}
	if have, ok := k.Node(n.Name); ok {
		n = *have
	}
	switch rapid.IntRange(0, 4).Draw(t, "change of node") {
	case 0: // mostly it may serve: nothing is to be seen of others where all is withdrawn
		n.Excluded = !n.Excluded && rapid.IntRange(0, 2).Draw(t, "excluded") == 0
	case 1:
		n.NetworkUnavailable = !n.NetworkUnavailable && rapid.IntRange(0, 2).Draw(t, "unavailable") == 0
	case 2:
		n.Unschedulable = !n.Unschedulable
	case 3:
		n.GatewayMode = rapid.SampledFrom([]string{"shared", "local", ""}).Draw(t, "mode")
	case 4:
		k.Nodes = drop(t, k.Nodes)
		return
	}
	k.Nodes = put(k.Nodes, &n, func(a, b *observe.KubeNode) bool { return a.Name == b.Name })
}

func changeFlows(t *rapid.T, have *observe.Flows, from stock) *observe.Flows {
	f := observe.Flows{Bridges: map[string][]observe.BridgeFlow{"br-ex": nil}}
	if have != nil {
		f = *have
	}
	f.Bridges = maps.Clone(f.Bridges)
	list := slices.Clone(f.Bridges["br-ex"])
	switch rapid.IntRange(0, 8).Draw(t, "change of flows") {
	case 0:
		f.Stale = rapid.SampledFrom([]string{"", "ovs-vswitchd does not answer"}).Draw(t, "flows stale")
	case 1:
		delete(f.Bridges, "br-ex")
		return &f
	case 2:
		return nil
	case 3, 4:
		list = drop(t, list)
	case 5:
		if i, ok := pick(t, list, "flow"); ok {
			list[i].Actions = rapid.SampledFrom([]string{"drop", "output:2"}).Draw(t, "actions")
		}
	case 6:
		if i, ok := pick(t, list, "flow"); ok {
			list[i].InPort = rapid.SampledFrom([]string{"", "1", "2", "LOCAL"}).Draw(t, "in_port")
		}
	default:
		list = append(list, one(t, from.flows, "flow more"))
	}
	f.Bridges["br-ex"] = observe.SortBridgeFlows(list)
	return &f
}

// changeRows changes rows of the Southbound database that only a cluster has.
func (w world) changeRows(t *rapid.T, from stock) world {
	sb := *w.sb
	w.sb = &sb
	switch rapid.IntRange(0, 9).Draw(t, "rows of a cluster") {
	case 0, 1, 2, 3:
		lb := *one(t, from.balancers, "balancer")
		if have := one(t, sb.Balancers, "balancer here"); have != nil {
			lb.Datapaths, lb.Group, lb.LSGroup, lb.LRGroup = have.Datapaths, have.Group, have.LSGroup, have.LRGroup
		}
		lb.VIPs = maps.Clone(lb.VIPs)
		switch rapid.IntRange(0, 4).Draw(t, "change of vips") {
		case 0:
			lb.VIPs["nonsense"] = "10.244.1.9:80"
		case 1:
			maps.Copy(lb.VIPs, one(t, from.balancers, "vips more").VIPs)
		case 2:
			clearOne(t, lb.VIPs)
		case 3:
			lb.Name += "-2"
			lb.UUID = story.UUID("another " + lb.Name)
		}
		sb.Balancers = put(sb.Balancers, &lb, func(a, b *observe.LoadBalancer) bool { return a.UUID == b.UUID })
		slices.SortFunc(sb.Balancers, func(a, b *observe.LoadBalancer) int {
			return cmp.Or(strings.Compare(a.Name, b.Name), bytes.Compare(a.UUID[:], b.UUID[:]))
		})
	case 4:
		if i, ok := pick(t, sb.DPGroups, "group"); ok {
			g := *sb.DPGroups[i]
			g.Datapaths = drop(t, g.Datapaths)
			if d := one(t, sb.Datapaths, "datapath"); d != nil && rapid.Bool().Draw(t, "datapath more") {
				g.Datapaths = append(slices.Clip(g.Datapaths), d.UUID)
			}
			sb.DPGroups = slices.Clone(sb.DPGroups)
			sb.DPGroups[i] = &g
		}
	case 5:
		m := *one(t, from.monitors, "monitor")
		m.Status = rapid.SampledFrom([]string{"online", "offline", "error"}).Draw(t, "status")
		sb.Monitors = put(sb.Monitors, &m, func(a, b *observe.ServiceMonitor) bool { return a.UUID == b.UUID })
	case 8, 9: // the ports of the gateway router
		name := rapid.SampledFrom([]string{"rtoe-GR_worker-a", "etor-GR_worker-a"}).Draw(t, "gateway port")
		have, ok := sb.Port(name)
		if !ok {
			return w
		}
		p := *have
		p.Addresses = one(t, sb.Ports.Slice(), "addresses of").Addresses
		if d := one(t, sb.Datapaths, "moves to"); d != nil && rapid.Bool().Draw(t, "moves") {
			p.Datapath = d.UUID
		}
		story.ReplacePort(&sb, have, &p)
	case 6:
		sb.Templates = drop(t, sb.Templates)
	case 7:
		v := *one(t, from.templates, "template")
		sb.Templates = put(sb.Templates, &v, func(a, b *observe.TemplateVars) bool { return a.Chassis == b.Chassis })
	}
	return w
}

// TestEachObjectComesAndGoes: of each cluster each object and each row is taken away and put back, and
// nothing else happens: what a memory comes to is what comes of everything.
func TestEachObjectComesAndGoes(t *testing.T) {
	d := kube.New(kube.Config{Expose: expose.DefaultOptions(), Advertise: kube.Kinds()})
	steps, changed := 0, 0
	for _, w := range clusters(t) {
		for _, here := range slices.Sorted(maps.Keys(w.views)) {
			view := w.views[here]
			if view.Kube == nil {
				continue
			}
			var memory desired.Memory
			before := memory.Compute(view, nil, d)
			for what, without := range each(view) {
				for _, now := range []observe.Snapshot{without, view} {
					whole := desired.Compute(now, nil, d)
					if text := unlike(memory.Compute(now, nil, d), whole); text != "" {
						t.Fatalf("%s on %s, %s comes and goes: derived again (-), whole (+)\n%s", w.name, here, what, text)
					}
					if unlike(before, whole) != "" {
						changed++
					}
					steps++
				}
			}
		}
	}
	if t.Logf("%d steps, %d of which changed something", steps, changed); changed < steps/20 {
		t.Error("too few to mean anything")
	}
}

// each yields a view without each of its objects and rows.
func each(view observe.Snapshot) iter.Seq2[string, observe.Snapshot] {
	return func(yield func(string, observe.Snapshot) bool) {
		kube := func(what string, change func(*observe.Kube)) bool {
			k := *view.Kube
			change(&k)
			s := view
			s.Kube = &k
			return yield(what, s)
		}
		rows := func(what string, change func(*observe.Southbound)) bool {
			sb := *view.SB
			change(&sb)
			s := view
			s.SB = &sb
			return yield(what, s)
		}
		flows := func(bridge string) func(of string, list []observe.BridgeFlow) bool {
			return func(of string, list []observe.BridgeFlow) bool {
				f := *view.Flows
				f.Bridges = maps.Clone(f.Bridges)
				f.Bridges[bridge] = list
				s := view
				s.Flows = &f
				return yield("flow "+of, s)
			}
		}
		_ = less(view.Kube.Services, func(of string, l []*observe.KubeService) bool {
			return kube("service "+of, func(k *observe.Kube) { k.Services = l })
		}) && less(view.Kube.Slices, func(of string, l []*observe.KubeSlice) bool {
			return kube("slice "+of, func(k *observe.Kube) { k.Slices = l })
		}) && less(view.Kube.EgressIPs, func(of string, l []*observe.KubeEgressIP) bool {
			return kube("egress IP "+of, func(k *observe.Kube) { k.EgressIPs = l })
		}) && less(view.SB.Balancers, func(of string, l []*observe.LoadBalancer) bool {
			return rows("balancer "+of, func(sb *observe.Southbound) { sb.Balancers = l })
		}) && less(view.SB.DPGroups, func(of string, l []*observe.DatapathGroup) bool {
			return rows("group "+of, func(sb *observe.Southbound) { sb.DPGroups = l })
		}) && less(view.SB.Ports.Slice(), func(of string, l []*observe.PortBinding) bool {
			return rows("port "+of, func(sb *observe.Southbound) { sb.Ports = rowlist.Of(l...) })
		}) && less(view.SB.Datapaths, func(of string, l []*observe.Datapath) bool {
			return rows("datapath "+of, func(sb *observe.Southbound) { sb.Datapaths = l })
		}) && less(view.SB.Templates, func(of string, l []*observe.TemplateVars) bool {
			return rows("template "+of, func(sb *observe.Southbound) { sb.Templates = l })
		}) && less(view.SB.Monitors, func(of string, l []*observe.ServiceMonitor) bool {
			return rows("monitor "+of, func(sb *observe.Southbound) { sb.Monitors = l })
		}) && (view.Flows == nil || less(view.Flows.Bridges["br-ex"], flows("br-ex")))
	}
}

// less yields a list without each of its elements; false if that was ended.
func less[T any](list []T, yield func(of string, without []T) bool) bool {
	for i, x := range list {
		if !yield(fmt.Sprintf("%d, %+v,", i, x), slices.Delete(slices.Clone(list), i, i+1)) {
			return false
		}
	}
	return true
}
