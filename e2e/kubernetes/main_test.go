// Package kubernetes tells the promises of k8s_ovn_bgp_driver as one story on a lab: a real
// Kubernetes API server with its etcd, real OVN of a release with load balancers of routers
// in the Southbound database, and FRR as the top of rack. What the controllers of a cluster
// and OVN-Kubernetes would write is written by the test.
package kubernetes

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/kubeapi"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// ovn25 is where scripts/install-ovn25 puts it.
const ovn25 = "/var/cache/bgp-ovn-test/ovn-25.03"

// patience bounds every wait.
const patience = 90 * time.Second

type o = kubeapi.Object

// cluster is a lab with an API server and bgp-ovn on each node.
type cluster struct {
	*lab.Lab
	*lab.OVNKube
	t      *testing.T
	api    *kubeapi.Server
	agents []*product.Agent
	// conditions are those of the endpoints on a node, if they are not ready.
	conditions map[*lab.Chassis]o
}

// drains are how long the nodes drain: the first one until it is told otherwise, so that what is
// seen meanwhile does not depend on how fast it is looked at.
var drains = []string{"1h", "8s"}

func start(t *testing.T) *cluster {
	t.Helper()
	if _, err := os.Stat(ovn25 + "/complete"); err != nil {
		t.Fatalf("%v: run scripts/install-deps test", err)
	}
	ctx := harness.Context(t, 3*time.Minute)
	c := &cluster{t: t}
	bin := harness.Must(harness.Binary(ctx))(t)
	var err error
	c.Lab, err = lab.Start(ctx, lab.Options{
		Log: os.Stderr, KeepDir: os.Getenv("LAB_KEEP") != "", OVN: ovn25,
		Chassis: []lab.ChassisSpec{{Gateway: true}, {Gateway: true}},
	})
	harness.Check(t, err)
	t.Cleanup(func() { harness.Check(t, c.Lab.Close()) })
	c.OVNKube = harness.Must(c.Lab.OVNKube(ctx))(t)
	c.fixChecksums(ctx)
	c.api = kubeapi.Start(t, kubeapi.Options{
		Listen: c.Central.Addr.String(), Ports: [3]int{6443, 2379, 2380},
		Start: func(cmd *exec.Cmd) error { return c.Central.StartIn(cmd) },
		Dial: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			err = c.Central.Do(func() error {
				conn, err = new(net.Dialer).DialContext(ctx, network, address)
				return err
			})
			return conn, err
		},
	})
	c.api.AllowReader()
	c.api.ServeEgressIPs()
	config := c.api.Kubeconfig("kubeconfig", "", "", nil)
	for i, hv := range c.Chassis {
		c.api.Create("/api/v1/nodes", o{"metadata": o{"name": hv.Hostname, "annotations": o{
			"k8s.ovn.org/l3-gateway-config": `{"default":{"mode":"shared"}}`,
		}}})
		a := harness.Must(product.New(hv, bin, "drivers: [k8s_ovn_bgp_driver]",
			fmt.Sprintf("kube: {kubeconfig: %q, drain_time: %s, advertise: [loadbalancer, egressip]}", config, drains[i])))(t)
		harness.Check(t, a.Start(ctx))
		c.agents = append(c.agents, a)
	}
	for _, hv := range c.Chassis {
		if err := c.Tor.AwaitPeer(ctx, hv.Addr4); err != nil {
			t.Fatalf("%v\n%s", err, c.agents[hv.Index-1].Tail(30))
		}
	}
	return c
}

// fixChecksums has the host behind the top of rack compute checksums itself: the userspace
// datapath takes packets from the cable as they are.
func (c *cluster) fixChecksums(ctx context.Context) {
	_, err := c.Host.Run(ctx, "ethtool", "-K", "eth0", "tx", "off")
	harness.Check(c.t, err)
	_, err = c.Tor.Run(ctx, "ethtool", "-K", "hv1", "tx", "off")
	harness.Check(c.t, err)
	_, err = c.Tor.Run(ctx, "ethtool", "-K", "hv2", "tx", "off")
	harness.Check(c.t, err)
}

const (
	services  = "/api/v1/namespaces/default/services"
	slicePath = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
)

// create makes a service in the API, with the address that an allocator would give it.
func (c *cluster) create(s *lab.KubeService) {
	c.t.Helper()
	policy := "Cluster"
	if s.Local {
		policy = "Local"
	}
	var ingress []any
	for _, a := range s.External {
		ingress = append(ingress, o{"ip": a.String(), "ipMode": "VIP"})
	}
	families, clusterIPs := []any{}, []any{}
	for _, a := range s.Cluster {
		clusterIPs = append(clusterIPs, a.String())
		families = append(families, family(a))
	}
	c.api.Create(services, o{
		"metadata": o{"name": s.Name},
		"spec": o{
			"type": "LoadBalancer", "clusterIP": clusterIPs[0], "clusterIPs": clusterIPs, "ipFamilies": families,
			"ipFamilyPolicy": "PreferDualStack", "externalTrafficPolicy": policy,
			"ports": []any{o{"port": s.Port, "targetPort": 8080}}, "allocateLoadBalancerNodePorts": false,
		},
		"status": o{"loadBalancer": o{"ingress": ingress}},
	})
	c.endpoints(http.MethodPost, s)
}

// family is that of an address, as the API calls it.
func family(a netip.Addr) string {
	if a.Is6() {
		return "IPv6"
	}
	return "IPv4"
}

// endpoints writes the EndpointSlices of a service, one for each family.
func (c *cluster) endpoints(method string, s *lab.KubeService) {
	c.t.Helper()
	for _, cluster := range s.Cluster {
		list := []any{}
		for _, hv := range c.Chassis {
			for _, e := range s.Endpoints[hv] {
				conditions, ok := c.conditions[hv]
				if !ok {
					conditions = o{"ready": true, "serving": true, "terminating": false}
				}
				if e.Addr().Is4() == cluster.Is4() {
					list = append(list, o{
						"addresses": []any{e.Addr().String()}, "nodeName": hv.Hostname, "conditions": conditions,
					})
				}
			}
		}
		name, path := s.Name+"-"+strings.ToLower(family(cluster)), slicePath
		if method == http.MethodPatch {
			path += "/" + name
		}
		c.api.Do(method, path, o{
			"metadata":    o{"name": name, "labels": o{"kubernetes.io/service-name": s.Name}},
			"addressType": family(cluster), "ports": []any{o{"port": 8080}}, "endpoints": list,
		})
	}
}

// moved writes where the endpoints of a service are now, in the API and in OVN.
func (c *cluster) moved(s *lab.KubeService) {
	c.t.Helper()
	c.endpoints(http.MethodPatch, s)
	harness.Check(c.t, c.SetService(harness.Context(c.t, patience), s))
}

// at waits until the top of rack sends an address to exactly these nodes.
func (c *cluster) at(addr netip.Addr, to ...*lab.Chassis) {
	c.t.Helper()
	prefix := netip.PrefixFrom(addr, addr.BitLen())
	if _, err := c.Tor.WaitRoute(harness.Context(c.t, patience), prefix, to...); err != nil {
		for _, a := range c.agents {
			res, _ := a.CLI(c.t.Context(), "explain", addr.String())
			c.t.Logf("%s: %s%s\n%s", a.Chassis.Name, res.Out, res.Err, a.Tail(15))
		}
		c.t.Fatal(err)
	}
}

// answers waits until a TCP connection from behind the top of rack is answered.
func (c *cluster) answers(addr netip.Addr, want string) {
	c.t.Helper()
	got, err := c.Host.AwaitFetch(harness.Context(c.t, patience), netip.AddrPortFrom(addr, 80))
	if err != nil || got != want {
		c.t.Fatalf("%s: %q %v, want %q", addr, got, err, want)
	}
}
