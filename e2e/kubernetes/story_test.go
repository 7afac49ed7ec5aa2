package kubernetes

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// TestStory: services come, are served, move, and go; nodes are cordoned and excluded; the
// API server dies; flows are missing; and many services come at once.
func TestStory(t *testing.T) {
	c := start(t)
	ctx := t.Context()
	a, b := c.Chassis[0], c.Chassis[1]
	pod := func(name string, on *lab.Chassis, addr string) netip.AddrPort {
		to := netip.AddrPortFrom(netip.MustParseAddr(addr), 8080)
		vm := harness.Must(c.Pod(harness.Context(t, patience), name, on, to.Addr()))(t)
		server := harness.Must(vm.Serve(to, name))(t)
		t.Cleanup(func() { server.Close() })
		return to
	}
	podA, podB := pod("aaaa", a, "10.244.1.9"), pod("bbbb", b, "10.244.2.9")
	web := &lab.KubeService{
		Namespace: "default", Name: "web", Cluster: netip.MustParseAddr("10.96.1.1"), Port: 80,
		External: []netip.Addr{netip.MustParseAddr("203.0.113.20")}, Local: true,
		Endpoints: map[*lab.Chassis][]netip.AddrPort{a: {podA}},
	}
	vip := web.External[0]

	t.Log("a service appears: the API first, then OVN, then the bridges")
	c.create(web)
	harness.Check(t, c.SetService(ctx, web))
	c.blocked(a, vip, "no-bridge-flow")
	c.at(vip)
	harness.Check(t, c.OpenBridge(ctx, a, web))
	harness.Check(t, c.OpenBridge(ctx, b, web))
	c.at(vip, a)
	c.answers(vip, "aaaa")
	c.says(a, []string{"kube"}, "default/web", vip.String(), "announced")
	c.says(a, []string{"explain", "default/web"}, vip.String(), "ADVERTISED")

	t.Log("its pod moves: externalTrafficPolicy Local follows")
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{b: {podB}}
	c.moved(web)
	c.at(vip, b)
	c.answers(vip, "bbbb")
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{a: {podA}, b: {podB}}
	c.moved(web)
	c.at(vip, a, b)

	t.Log("a flow is missing, and is back")
	harness.Check(t, c.CloseBridge(ctx, a, web))
	c.at(vip, b)
	harness.Check(t, c.OpenBridge(ctx, a, web))
	c.at(vip, a, b)

	t.Log("cordon drains, uncordon takes back")
	node := func(hv *lab.Chassis, patch o) { c.api.Do(http.MethodPatch, "/api/v1/nodes/"+hv.Hostname, patch) }
	node(b, o{"spec": o{"unschedulable": true}})
	c.at(vip, a)
	node(b, o{"spec": o{"unschedulable": false}})
	c.at(vip, a, b)

	t.Log("the label that excludes a node")
	const label = "node.kubernetes.io/exclude-from-external-load-balancers"
	node(b, o{"metadata": o{"labels": o{label: ""}}})
	c.at(vip, a)
	node(b, o{"metadata": o{"labels": o{label: nil}}})
	c.at(vip, a, b)

	t.Log("the API server dies: nothing is withdrawn, and what OVN says still counts")
	before := c.changes()
	c.api.StopAPI()
	c.problem(a, "kube-stale")
	web.Endpoints = map[*lab.Chassis][]netip.AddrPort{a: {podA}}
	c.answersStill(vip, before)
	harness.Check(t, c.SetService(ctx, web))
	c.at(vip, a)
	c.api.StartAPI()
	c.endpoints(http.MethodPatch, slicePath+"/web-1", web)
	c.healthyAPI(a)
	c.at(vip, a)

	t.Log("the service is deleted, and what OVN has of it is left behind")
	c.api.Do(http.MethodDelete, services+"/web", nil)
	c.at(vip)
	c.burst(a, b, podA)
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
			Cluster:   netip.AddrFrom4([4]byte{10, 96, byte(2 + i/250), byte(1 + i%250)}),
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

// answersStill demands that an address is served and that no node has changed anything.
func (c *cluster) answersStill(addr netip.Addr, before uint64) {
	c.t.Helper()
	if _, err := c.Host.AwaitFetch(harness.Context(c.t, patience), netip.AddrPortFrom(addr, 80)); err != nil {
		c.t.Fatal(err)
	}
	if now := c.changes(); now != before {
		c.t.Errorf("%d steps were taken while the API is away", now-before)
	}
}
