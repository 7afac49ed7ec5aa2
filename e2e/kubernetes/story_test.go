package kubernetes

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// TestStory: services of two families come, are served, move, and go; flows are missing;
// nodes are cordoned and excluded; egress IPs move; the API server dies, and comes back with
// another past; and many services come at once.
func TestStory(t *testing.T) {
	c := start(t)
	podA, podB := c.pod("aaaa", c.Chassis[0], 9), c.pod("bbbb", c.Chassis[1], 9)
	web := &lab.KubeService{
		Namespace: "default", Name: "web", Cluster: addrs("10.96.1.1", "fd00:10:96::4051"), Port: 80,
		External: addrs("203.0.113.20", "2001:db8:53::20"), Local: true,
		Endpoints: map[*lab.Chassis][]netip.AddrPort{c.Chassis[0]: podA.addrs},
	}
	c.comes(web)
	c.looksRecorded(c.Chassis[0])
	c.follows(web, podA, podB)
	c.families(web, podA, podB)
	c.terminates(web)
	c.nodes(web)
	c.egress(podB)
	c.dies(web, podA, podB)
	c.restored(web)

	t.Log("the service is deleted, and what OVN has of it is left behind")
	c.api.Do(http.MethodDelete, services+"/web", nil)
	c.allAt(web)
	c.burst(c.Chassis[0], c.Chassis[1], podA.addrs[0])
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

// pod is one that answers TCP connections with its name, on an address of each family.
type pod struct {
	*lab.VM
	name  string
	addrs []netip.AddrPort
}

func (c *cluster) pod(name string, on *lab.Chassis, number int) pod {
	c.t.Helper()
	p := pod{name: name}
	list := addrs(fmt.Sprintf("10.244.%d.%d", on.Index, number), fmt.Sprintf("fd00:10:244:%x::%x", on.Index, number))
	p.VM = harness.Must(c.Pod(harness.Context(c.t, patience), name, on, list...))(c.t)
	for _, a := range list {
		to := netip.AddrPortFrom(a, 8080)
		server := harness.Must(p.Serve(to, name))(c.t)
		c.t.Cleanup(func() { server.Close() })
		p.addrs = append(p.addrs, to)
	}
	return p
}

// allAt waits until every external address of a service goes to exactly these nodes.
func (c *cluster) allAt(s *lab.KubeService, to ...*lab.Chassis) {
	c.t.Helper()
	for _, v := range s.External {
		c.at(v, to...)
	}
}

// served waits until every external address is answered by a pod.
func (c *cluster) served(s *lab.KubeService, want string) {
	c.t.Helper()
	for _, v := range s.External {
		c.answers(v, want)
	}
}

// comes is a service that appears, the API first, then OVN, then the bridges.
func (c *cluster) comes(web *lab.KubeService) {
	c.t.Log("a service appears: the API first, then OVN, then the bridges")
	ctx, a, b := c.t.Context(), c.Chassis[0], c.Chassis[1]
	c.create(web)
	for _, v := range web.External {
		c.blocked(a, v, "not-in-southbound")
	}
	harness.Check(c.t, c.SetService(ctx, web))
	for _, v := range web.External {
		c.blocked(a, v, "no-bridge-flow")
	}
	c.allAt(web)
	harness.Check(c.t, c.OpenBridge(ctx, a, web))
	harness.Check(c.t, c.OpenBridge(ctx, b, web))
	c.allAt(web, a)
	c.served(web, "aaaa")
	for _, v := range web.External {
		c.says(a, []string{"kube"}, "default/web", v.String(), "announced")
		c.says(a, []string{"explain", "default/web"}, v.String(), "ADVERTISED")
	}
}

// follows is externalTrafficPolicy Local, and flows that are missing and are back.
func (c *cluster) follows(web *lab.KubeService, podA, podB pod) {
	c.t.Log("its pod moves: externalTrafficPolicy Local follows")
	ctx, a, b := c.t.Context(), c.Chassis[0], c.Chassis[1]
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{b: podB.addrs}
	c.moved(web)
	c.allAt(web, b)
	c.served(web, "bbbb")
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{a: podA.addrs, b: podB.addrs}
	c.moved(web)
	c.allAt(web, a, b)

	c.t.Log("a flow is missing, and is back")
	harness.Check(c.t, c.CloseBridge(ctx, a, web))
	c.allAt(web, b)
	harness.Check(c.t, c.OpenBridge(ctx, a, web))
	c.allAt(web, a, b)
}

// families is one family of a service that loses its endpoints.
func (c *cluster) families(web *lab.KubeService, podA, podB pod) {
	c.t.Log("one family of a service has no endpoints any more: the other stays")
	a, b := c.Chassis[0], c.Chassis[1]
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{a: podA.addrs[:1], b: podB.addrs[:1]}
	c.moved(web)
	c.at(web.External[1])
	c.at(web.External[0], a, b)
	c.blocked(a, web.External[1], "no-endpoints")
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{a: podA.addrs, b: podB.addrs}
	c.moved(web)
	c.allAt(web, a, b)
}

// terminates is a pod of externalTrafficPolicy Local that is going to end: while it serves, its
// node announces, and OVN keeps it; when it serves no more, the API alone suffices to withdraw.
func (c *cluster) terminates(web *lab.KubeService) {
	c.t.Log("a pod terminates: announced while it serves")
	a, b := c.Chassis[0], c.Chassis[1]
	conditions := func(of o, nodes ...*lab.Chassis) {
		c.conditions = map[*lab.Chassis]o{a: of}
		c.endpoints(http.MethodPatch, web)
		c.allAt(web, nodes...)
	}
	told := c.listen()
	conditions(o{"ready": false, "serving": true, "terminating": true}, a, b)
	c.says(a, []string{"explain", "default/web"}, "on this node 1, 0 ready", "ADVERTISED")
	conditions(o{"ready": false, "serving": false, "terminating": true}, b)
	c.blocked(a, web.External[0], "no-local-endpoints")
	for addr, n := range told() {
		if n[1] != 0 {
			c.t.Errorf("%s was lost %d times at the top of rack", addr, n[1])
		}
	}
	c.conditions = nil
	c.endpoints(http.MethodPatch, web)
	c.allAt(web, a, b)
}

// nodes is what the Node says: cordon and label.
func (c *cluster) nodes(web *lab.KubeService) {
	c.t.Log("cordon drains, uncordon takes back")
	a, b := c.Chassis[0], c.Chassis[1]
	node := func(hv *lab.Chassis, patch o) { c.api.Do(http.MethodPatch, "/api/v1/nodes/"+hv.Hostname, patch) }
	c.communities(web, a, "")
	node(a, o{"spec": o{"unschedulable": true}})
	c.communities(web, a, "graceful-shutdown")
	c.communities(web, b, "")
	c.drained(a, "lowered")
	c.allAt(web, b) // the top of rack prefers any other path (RFC 8326)
	node(a, o{"spec": o{"unschedulable": false}})
	c.communities(web, a, "")
	c.allAt(web, a, b)
	c.drained(a)
	node(b, o{"spec": o{"unschedulable": true}})
	c.drained(b, "lowered", "waiting", "safe-to-stop")
	c.allAt(web, a)
	c.drained(b, "safe-to-stop")
	node(b, o{"spec": o{"unschedulable": false}})
	c.allAt(web, a, b)
	c.drained(b)

	c.t.Log("the label that excludes a node")
	const label = "node.kubernetes.io/exclude-from-external-load-balancers"
	node(b, o{"metadata": o{"labels": o{label: ""}}})
	c.allAt(web, a)
	node(b, o{"metadata": o{"labels": o{label: nil}}})
	c.allAt(web, a, b)
}

// egress is an egress IP that moves: the API says so first, OVN follows. Of IPv6 the API
// decides alone.
func (c *cluster) egress(from pod) {
	c.t.Log("an egress IP is assigned, and moves")
	a, b := c.Chassis[0], c.Chassis[1]
	ctx, four, six := c.t.Context(), netip.MustParseAddr("203.0.113.50"), netip.MustParseAddr("2001:db8:53::50")
	source, outside := from.addrs[0].Addr(), netip.AddrPortFrom(c.Host.Addrs[0].Addr(), 9999)
	server := harness.Must(c.Host.ServeCaller(outside))(c.t)
	c.t.Cleanup(func() { server.Close() })
	leaves := func() {
		c.t.Helper()
		harness.Eventually(c.t, patience, func() string {
			if got, err := from.Fetch(outside); err != nil || got != four.String() {
				return fmt.Sprintf("the pod is seen outside as %q, want %s: %v", got, four, err)
			}
			return ""
		})
	}
	c.api.EgressIP("four", four.String(), a.Hostname)
	c.api.EgressIP("six", six.String(), a.Hostname)
	c.blocked(a, four, "not-in-southbound")
	c.at(six, a)
	harness.Check(c.t, c.SetEgressIP(ctx, four, source, a))
	c.at(four, a)
	leaves()

	c.api.MoveEgressIP("four", four.String(), b.Hostname)
	c.api.MoveEgressIP("six", six.String(), b.Hostname)
	c.at(six, b)
	c.at(four) // OVN still has it on the one, and not yet on the other
	c.blocked(a, four, "egress-other-node")
	c.blocked(b, four, "not-in-southbound")
	harness.Check(c.t, c.SetEgressIP(ctx, four, source, b))
	c.at(four, b)
	leaves()
}

// dies is an API server that is killed for a minute, while another one of the cluster
// deletes a service, and a database that has forgotten so when it is back (410).
func (c *cluster) dies(web *lab.KubeService, podA, podB pod) {
	c.t.Log("the API server dies for a minute: nothing is withdrawn, and what OVN says still counts")
	ctx, a, b := c.t.Context(), c.Chassis[0], c.Chassis[1]
	late := &lab.KubeService{
		Namespace: "default", Name: "late", Cluster: addrs("10.96.1.2"), Port: 80, External: addrs("203.0.113.21"),
		Endpoints: map[*lab.Chassis][]netip.AddrPort{a: podA.addrs[:1]},
	}
	c.create(late)
	harness.Check(c.t, c.SetService(ctx, late))
	harness.Check(c.t, c.OpenBridge(ctx, b, late))
	c.allAt(late, b)
	c.served(late, "aaaa") // by a node that has no endpoint: externalTrafficPolicy Cluster
	harness.Check(c.t, c.OpenBridge(ctx, a, late))
	c.allAt(late, a, b)
	harness.Check(c.t, c.CloseBridge(ctx, b, late))
	c.allAt(late, a)
	before, lists := c.changes(), c.lists()
	c.api.StopAPI()
	killed := time.Now()
	c.problem(a, "kube-stale")
	c.problem(b, "kube-stale")
	// Not faster: the userspace conntrack of Open vSwitch 3.1 ends by an assertion
	// (conn_update_state) where thousands of connections come and go.
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for time.Since(killed) < time.Minute {
		<-tick.C
		c.answersStill(web, before)
		c.answersStill(late, before)
	}
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{a: podA.addrs}
	harness.Check(c.t, c.SetService(ctx, web))
	c.allAt(web, a)
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{a: podA.addrs, b: podB.addrs}
	harness.Check(c.t, c.SetService(ctx, web))
	c.allAt(web, a, b)

	c.t.Log("it is back, and does not know any more what was before: 410")
	told := c.listen()
	c.api.Forget("/registry/services/specs/default/late")
	c.api.StartAPI()
	c.allAt(late)
	c.healthyAPI(a)
	c.healthyAPI(b)
	c.justThese(told(), late)
	if now := c.lists(); now <= lists {
		c.t.Errorf("%d whole lists were read before and %d after: there was no 410", lists, now)
	}
}

// restored is a database of the API that is restored from a backup: an older revision.
func (c *cluster) restored(web *lab.KubeService) {
	c.t.Log("the API is at another revision: etcd was restored from a backup")
	ctx, a, b := c.t.Context(), c.Chassis[0], c.Chassis[1]
	c.api.StopAPI()
	c.api.StopEtcd()
	backup := c.api.Backup()
	c.api.StartEtcd()
	c.api.StartAPI()
	after := &lab.KubeService{
		Namespace: "default", Name: "after", Cluster: addrs("10.96.1.3"), Port: 80, External: addrs("203.0.113.22"),
		Endpoints: map[*lab.Chassis][]netip.AddrPort{a: web.Endpoints[a][:1]},
	}
	c.create(after)
	harness.Check(c.t, c.SetService(ctx, after))
	harness.Check(c.t, c.OpenBridge(ctx, a, after))
	c.allAt(after, a)
	c.api.StopAPI()
	c.api.StopEtcd()
	told := c.listen()
	c.api.Restore(backup)
	c.api.StartEtcd()
	c.api.StartAPI()
	c.allAt(after)
	c.healthyAPI(a)
	c.healthyAPI(b)
	c.justThese(told(), after)
	c.allAt(web, a, b)
}

// justThese demands that the top of rack has lost the addresses of a service, each once, and
// has heard of no other change.
func (c *cluster) justThese(counts map[netip.Addr][2]int, gone *lab.KubeService) {
	c.t.Helper()
	want := map[netip.Addr][2]int{}
	for _, v := range gone.External {
		want[v] = [2]int{0, 1}
	}
	if !maps.Equal(counts, want) {
		c.t.Errorf("the top of rack has learnt and lost %v, want %v", counts, want)
	}
}

// lists is how often the nodes have read a kind as a whole.
func (c *cluster) lists() (n uint64) {
	c.t.Helper()
	for _, a := range c.agents {
		for _, src := range harness.Must(a.Status(c.t.Context()))(c.t).Sources {
			if src.Name == "Kubernetes" {
				n += src.Copies
			}
		}
	}
	return n
}

// burst creates many services at once, and deletes them. Each is announced once and
// withdrawn once.
func (c *cluster) burst(a, b *lab.Chassis, to netip.AddrPort) {
	c.t.Helper()
	const n = 500
	ctx := harness.Context(c.t, patience)
	var all []*lab.KubeService
	for i := range n {
		all = append(all, &lab.KubeService{
			Namespace: "default", Name: fmt.Sprintf("burst-%d", i), Port: 80,
			Cluster:   []netip.Addr{netip.AddrFrom4([4]byte{10, 96, byte(2 + i/250), byte(1 + i%250)})},
			External:  []netip.Addr{netip.AddrFrom4([4]byte{203, 0, byte(114 + i/250), byte(1 + i%250)})},
			Endpoints: map[*lab.Chassis][]netip.AddrPort{a: {to}},
		})
	}
	harness.Check(c.t, c.SetService(ctx, all...))
	harness.Check(c.t, c.OpenBridge(ctx, a, all...))
	told := c.listen()
	for _, s := range all {
		c.create(s)
	}
	for _, s := range all {
		c.at(s.External[0], a)
	}
	c.answers(all[n-1].External[0], "aaaa")
	for _, s := range all {
		c.api.Do(http.MethodDelete, services+"/"+s.Name, nil)
	}
	for _, s := range all {
		c.at(s.External[0])
	}
	counts := told()
	for _, s := range all {
		if got := counts[s.External[0]]; got != [2]int{1, 1} {
			c.t.Errorf("%s: announced and withdrawn %d times, want once each", s.External[0], got)
		}
	}
}

// listen counts how often the top of rack learns and loses each address, until what it
// returns is called.
func (c *cluster) listen() func() map[netip.Addr][2]int {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	events := harness.Must(c.Tor.WatchRoutes(ctx))(c.t)
	counts, done := map[netip.Addr][2]int{}, make(chan struct{})
	go func() {
		defer close(done)
		for e := range events {
			n := counts[e.Prefix.Addr()]
			if e.Withdrawn {
				n[1]++
			} else {
				n[0]++
			}
			counts[e.Prefix.Addr()] = n
		}
	}()
	return func() map[netip.Addr][2]int {
		stop()
		<-done
		return counts
	}
}

// blocked waits until a node says why it does not announce an address.
func (c *cluster) blocked(hv *lab.Chassis, addr netip.Addr, code string) {
	c.t.Helper()
	harness.Eventually(c.t, patience, func() string {
		res, err := c.agents[hv.Index-1].CLI(c.t.Context(), "explain", addr.String())
		if err != nil || !strings.Contains(res.Out, code) {
			return fmt.Sprintf("not %s: %s%s %v", code, res.Out, res.Err, err)
		}
		return ""
	})
}

// says waits until a command of a node prints all of these.
func (c *cluster) says(hv *lab.Chassis, command []string, texts ...string) {
	c.t.Helper()
	harness.Eventually(c.t, patience, func() string {
		res, err := c.agents[hv.Index-1].CLI(c.t.Context(), command...)
		for _, text := range texts {
			if err != nil || !strings.Contains(res.Out, text) {
				return fmt.Sprintf("%v lacks %q: %s%s %v", command, text, res.Out, res.Err, err)
			}
		}
		return ""
	})
}

// problem waits until status has a problem.
func (c *cluster) problem(hv *lab.Chassis, code string) {
	c.t.Helper()
	harness.Eventually(c.t, patience, func() string {
		res, err := c.agents[hv.Index-1].CLI(c.t.Context(), "status")
		if err != nil || !strings.Contains(res.Out, code) {
			return fmt.Sprintf("no problem %s: %s%s %v", code, res.Out, res.Err, err)
		}
		return ""
	})
}

// healthyAPI waits until the API is followed again.
func (c *cluster) healthyAPI(hv *lab.Chassis) {
	c.t.Helper()
	harness.Eventually(c.t, patience, func() string {
		st, err := c.agents[hv.Index-1].Status(c.t.Context())
		if err != nil {
			return err.Error()
		}
		for _, src := range st.Sources {
			if src.Name == "Kubernetes" && src.OK {
				return ""
			}
		}
		return fmt.Sprintf("%+v", st.Sources)
	})
}

// changes is how many steps all nodes have taken.
func (c *cluster) changes() (n uint64) {
	c.t.Helper()
	for _, a := range c.agents {
		n += harness.Must(a.Status(c.t.Context()))(c.t).Steps
	}
	return n
}

// answersStill demands that a service is served and that no node has changed anything.
func (c *cluster) answersStill(s *lab.KubeService, before uint64) {
	c.t.Helper()
	for _, v := range s.External {
		if _, err := c.Host.AwaitFetch(harness.Context(c.t, patience), netip.AddrPortFrom(v, s.Port)); err != nil {
			c.t.Fatal(err)
		}
	}
	if now := c.changes(); now != before {
		c.t.Fatalf("%d steps were taken while the API is away", now-before)
	}
}
