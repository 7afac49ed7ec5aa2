package kube_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/kubeapi"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// wire carries connections to a server until it is cut, and refuses them while it is.
type wire struct {
	to string
	l  net.Listener

	mu    sync.Mutex
	down  bool
	conns map[net.Conn]bool

	// received counts octets from the server.
	received atomic.Int64
}

func newWire(t *testing.T, to string) *wire {
	w := &wire{to: to, conns: map[net.Conn]bool{}}
	var err error
	w.l, err = net.Listen("tcp", "127.0.0.1:0")
	harness.Check(t, err)
	t.Cleanup(func() { w.l.Close(); w.cut(true) })
	go func() {
		for {
			c, err := w.l.Accept()
			if err != nil {
				return
			}
			go w.carry(c)
		}
	}()
	return w
}

func (w *wire) carry(c net.Conn) {
	s, err := net.Dial("tcp", w.to)
	w.mu.Lock()
	if err != nil || w.down {
		w.mu.Unlock()
		c.Close()
		if err == nil {
			s.Close()
		}
		return
	}
	w.conns[c], w.conns[s] = true, true
	w.mu.Unlock()
	pipe := func(a, b net.Conn) {
		if a == c {
			io.Copy(counted{a, &w.received}, b)
		} else {
			io.Copy(a, b)
		}
		a.Close()
		b.Close()
	}
	go pipe(c, s)
	pipe(s, c)
}

// counted counts what is written.
type counted struct {
	io.Writer
	n *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.n.Add(int64(len(b)))
	return c.Writer.Write(b)
}

// cut ends all connections, and with down refuses new ones.
func (w *wire) cut(down bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = down
	for c := range w.conns {
		c.Close()
	}
	clear(w.conns)
}

const (
	services  = "/api/v1/namespaces/default/services"
	slicePath = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
)

type o = kubeapi.Object

// loadBalancer creates a service with an address, and a slice with one endpoint.
func loadBalancer(api *kubeapi.Server, name, address string) {
	api.Create(services, o{
		"metadata": o{"name": name, "labels": o{"app": name}, "annotations": o{"not": "kept"}},
		"spec": o{
			"type": "LoadBalancer", "ports": []any{o{"port": 80}}, "externalTrafficPolicy": "Local",
			"loadBalancerClass": "example.com/lb",
		},
		"status": o{"loadBalancer": o{"ingress": []any{o{"ip": address, "ipMode": "VIP"}}}},
	})
	api.Create(slicePath, o{
		"metadata":    o{"name": name + "-1", "labels": o{"kubernetes.io/service-name": name}},
		"addressType": "IPv4", "ports": []any{o{"port": 8080}},
		"endpoints": []any{o{"addresses": []any{"10.244.1.9"}, "nodeName": "worker-a", "conditions": o{"ready": true}}},
	})
}

// names are those of the services that are known.
func names(k *observe.Kube) string {
	var out []string
	for _, s := range k.Services {
		out = append(out, s.Name)
	}
	return strings.Join(out, " ")
}

// has waits for services, and for the slice of each but "kubernetes", which comes on another
// watch.
func has(want string) func(*observe.Kube) string {
	return func(k *observe.Kube) string {
		endpoints := []string{"kubernetes"}
		for _, s := range k.Slices {
			if s.Service != "kubernetes" {
				endpoints = append(endpoints, s.Service)
			}
		}
		slices.Sort(endpoints)
		got, served := names(k), strings.Join(endpoints, " ")
		if got != want || served != want || k.Stale != "" {
			return fmt.Sprintf("services %q, slices of %q, stale %q; wanted %q", got, served, k.Stale, want)
		}
		return ""
	}
}

// The source beside a real API server: what is refused, cut, restarted, compacted and
// restored from a backup. In the end, and in between, it has what a fresh list has, and
// service "kubernetes" is never gone.
func TestRealServer(t *testing.T) {
	api := kubeapi.Start(t, kubeapi.Options{})
	w := newWire(t, api.Address())
	config := api.Kubeconfig("kubeconfig", w.l.Addr().String(), "", nil)
	cfg := func(c *kube.Config) { c.Kubeconfig, c.EgressIPs, c.DrainOnCordon = config, true, true }
	s := opened(t, cfg)
	harness.Eventually(t, patience, func() string {
		_, err := s.Read(t.Context())
		if err == nil || !strings.Contains(err.Error(), "services: 403") {
			return fmt.Sprint("not refused: ", err)
		}
		return ""
	})
	tried(t, config, "worker-a", "services: 403: not allowed: ")
	api.AllowReader()
	tried(t, config, "worker-a", "no node worker-a\n")
	api.Create("/api/v1/nodes", o{"metadata": o{"name": "worker-a"}})
	tried(t, config, "worker-a", "services: ok\nendpointslices: ok\nnodes: ok\negressips: unserved\n")
	loadBalancer(api, "web", "198.51.100.20")
	await(t, s, has("kubernetes web"))
	await(t, s, func(k *observe.Kube) string {
		if !k.NoEgressIPs || k.NodeState != observe.NodeActive {
			return fmt.Sprintf("no egress IPs %v, the node is %s", k.NoEgressIPs, k.NodeState)
		}
		return ""
	})
	never := watchFor(t, s)
	same := func(step, want string) {
		t.Helper()
		got := asJSON(t, await(t, s, has(want)))
		listed := asJSON(t, await(t, opened(t, cfg), has(want)))
		if got != listed {
			t.Errorf("%s: the source has\n%s\nand a fresh list\n%s", step, got, listed)
		}
	}
	same("listed", "kubernetes web")

	lists := s.Status().Kinds[0].Lists
	w.cut(true)
	await(t, s, stale("services"))
	loadBalancer(api, "late", "198.51.100.21")
	w.cut(false)
	same("cut in the middle of a watch", "kubernetes late web")
	if now := s.Status().Kinds[0].Lists; now != lists {
		t.Errorf("%d lists after a cut, %d before: the watch was not resumed", now, lists)
	}

	api.StopAPI()
	await(t, s, stale("services"))
	api.StartAPI()
	same("API server restarted", "kubernetes late web")

	w.cut(true)
	await(t, s, stale("services"))
	api.Do(http.MethodDelete, services+"/late", nil)
	api.Do(http.MethodDelete, slicePath+"/late-1", nil)
	api.Compact(api.Revision())
	api.StopAPI()
	api.StartAPI() // it remembers nothing of what was before
	w.cut(false)
	same("410", "kubernetes web")

	forget(t, api, s)
	same("restored from a backup", "kubernetes web")

	for _, f := range []struct {
		name, reason string
		wrong        []byte
	}{{".ca", "certificate", api.OtherAuthority()}, {".token", "401", []byte("nobody's")}} {
		putBack := replace(t, config+f.name, f.wrong)
		w.cut(false)
		await(t, s, stale(f.reason))
		tried(t, config, "worker-a", "services: ", f.reason)
		putBack()
		same("renewed "+f.name, "kubernetes web")
	}
	cordon(t, api, s)
	egress(t, api, s)
	never()
	scale(t, api, w, cfg)
}

// tried demands that one try of everything tells all of these.
func tried(t *testing.T, config, node string, texts ...string) {
	t.Helper()
	got := said(kube.Try(t.Context(), kube.Config{
		Kubeconfig: config, NodeName: func() string { return node }, EgressIPs: true,
	}))
	for _, text := range texts {
		if !strings.Contains(got, text) {
			t.Errorf("one try tells\n%swithout %q", got, text)
		}
	}
}

// forget has the cluster restored from a backup that does not know the last service.
func forget(t *testing.T, api *kubeapi.Server, s *kube.Source) {
	t.Helper()
	api.StopAPI()
	api.StopEtcd()
	backup := api.Backup()
	api.StartEtcd()
	api.StartAPI()
	loadBalancer(api, "forgotten", "198.51.100.22")
	await(t, s, has("forgotten kubernetes web"))
	api.StopAPI()
	api.StopEtcd()
	api.Restore(backup)
	api.StartEtcd()
	api.StartAPI()
}

// replace writes another content into a file; what it returns writes the former one again.
func replace(t *testing.T, path string, content []byte) func() {
	t.Helper()
	former, err := os.ReadFile(path)
	harness.Check(t, err)
	harness.Check(t, os.WriteFile(path, content, 0o600))
	return func() { harness.Check(t, os.WriteFile(path, former, 0o600)) }
}

// watchFor looks at everything that is published; what it returns ends that, and reports
// whether a service was missing that was always there.
func watchFor(t *testing.T, s *kube.Source) func() {
	stop, done := make(chan struct{}), make(chan int)
	go func() {
		gone := 0
		for {
			if k, err := s.Read(t.Context()); err != nil || !strings.Contains(names(k), "kubernetes") {
				gone++
			}
			select {
			case <-stop:
				done <- gone
				return
			case <-s.Changed():
			case <-time.After(time.Second):
			}
		}
	}()
	return func() {
		close(stop)
		if gone := <-done; gone > 0 {
			t.Errorf("service kubernetes was missing %d times", gone)
		}
	}
}

// cordon cordons the node and takes that back.
func cordon(t *testing.T, api *kubeapi.Server, s *kube.Source) {
	for _, c := range []struct {
		cordoned bool
		want     observe.NodeState
	}{{true, observe.NodeDrained}, {false, observe.NodeActive}} { // no time to drain
		api.Do(http.MethodPatch, "/api/v1/nodes/worker-a", o{"spec": o{"unschedulable": c.cordoned}})
		await(t, s, func(k *observe.Kube) string {
			if k.NodeState != c.want {
				return string("the node is " + k.NodeState)
			}
			return ""
		})
	}
}

// egress makes the API serve EgressIPs, and one of them.
func egress(t *testing.T, api *kubeapi.Server, s *kube.Source) {
	api.ServeEgressIPs()
	await(t, s, func(k *observe.Kube) string {
		if k.NoEgressIPs {
			return "egress IPs are not served"
		}
		return ""
	})
	api.Do(http.MethodPost, "/apis/k8s.ovn.org/v1/egressips", o{
		"apiVersion": "k8s.ovn.org/v1", "kind": "EgressIP", "metadata": o{"name": "e"},
		"status": o{"items": []any{o{"egressIP": "192.0.2.50", "node": "worker-a"}, o{"egressIP": "nonsense"}}},
	})
	await(t, s, func(k *observe.Kube) string {
		if len(k.EgressIPs) != 1 || len(k.EgressIPs[0].Items) != 1 || len(k.EgressIPs[0].Problems) != 1 {
			return fmt.Sprintf("%+v", k.EgressIPs)
		}
		return ""
	})
}
