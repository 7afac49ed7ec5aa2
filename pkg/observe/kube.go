package observe

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Kube is what the Kubernetes API says, reduced to what rules read. Lists are sorted
// by namespace and name; objects are shared between revisions and never changed.
type Kube struct {
	// Revision grows with every change; it is ours, not the API's.
	Revision uint64
	Services []*KubeService
	Slices   []*KubeSlice
	// Nodes are those that were asked for: the source has none but its own, a file may
	// have others.
	Nodes     []*KubeNode
	EgressIPs []*KubeEgressIP
	// NodeName is the Node that the source follows as its own; empty in files, where
	// it follows from the configuration.
	NodeName string
	// NodeState is how far the drain of a cordoned node is. The zero value is not known:
	// a node that is unschedulable is then drained, as one that was cordoned before.
	NodeState NodeState
	// Stale says why this may be out of date and since when, as a phrase; empty while the
	// API answers. Nothing is withdrawn because of it.
	Stale string
	// NoEgressIPs says that the API does not serve egress IPs (the CRD is missing).
	NoEgressIPs bool
	// BadRows are objects that could not be read at all.
	BadRows []*RowError
	// NoNode says that the source has listed Nodes and the API had none of NodeName yet:
	// nothing new is announced, and what is there stays.
	NoNode bool
}

// NodeState is how far the own Node is taken out of service.
type NodeState string

// The states, in their order.
const (
	NodeActive   NodeState = "active"
	NodeDraining NodeState = "draining"
	NodeDrained  NodeState = "drained"
)

// KubeService is a Service (core/v1).
type KubeService struct {
	Namespace, Name string
	// Type is spec.type: ClusterIP, NodePort, LoadBalancer or ExternalName.
	Type   string
	Labels map[string]string
	// Class is spec.loadBalancerClass; absent is empty.
	Class string
	// Ingress is status.loadBalancer.ingress.
	Ingress []KubeIngress
	// ExternalIPs and ClusterIPs are those of spec, without None.
	ExternalIPs, ClusterIPs []netip.Addr
	// ExternalLocal and InternalLocal say that the policy for external and internal
	// traffic is Local.
	ExternalLocal, InternalLocal bool
	// PublishNotReady is spec.publishNotReadyAddresses.
	PublishNotReady bool
	Ports           []KubePort
	// Problems are the fields that could not be read, a phrase each.
	Problems []string
}

// KubeIngress is one entry of status.loadBalancer.ingress.
type KubeIngress struct {
	// IP is invalid where there is a host name only.
	IP       netip.Addr
	Hostname string
	// Mode is ipMode: VIP, Proxy, or empty.
	Mode string
}

// KubePort is a port of a Service.
type KubePort struct {
	// Protocol is tcp, udp or sctp, as Southbound rows write it.
	Protocol string
	Port     uint16
}

// KubeSlice is an EndpointSlice (discovery/v1) of a Service that has an address of its own.
type KubeSlice struct {
	Namespace, Name string
	// Service is the name of the Service, in the same namespace.
	Service string
	// AddressType is IPv4, IPv6 or FQDN.
	AddressType string
	Endpoints   []KubeEndpoint
	// Problems are the fields that could not be read, a phrase each.
	Problems []string
}

// KubeEndpoint is one endpoint with its conditions, absent ones filled in: ready is
// true, serving is as ready, terminating is false.
type KubeEndpoint struct {
	// Node is nodeName; empty if it is not known.
	Node                        string
	Ready, Serving, Terminating bool
}

// KubeEndpoints counts endpoints of one family.
type KubeEndpoints struct{ All, Ready, Serving int }

// Served reports whether they serve. Serving ones that terminate count only while none is
// ready.
func (e KubeEndpoints) Served(publishNotReady bool) bool {
	return e.Ready > 0 || e.Serving > 0 || publishNotReady && e.All > 0
}

func (e *KubeEndpoints) count(x KubeEndpoint) {
	e.All++
	if x.Ready {
		e.Ready++
	}
	if x.Serving && x.Terminating {
		e.Serving++
	}
}

// Has reports whether the endpoints of a slice are of the family of an address.
func (s *KubeSlice) Has(a netip.Addr) bool {
	if a.Is4() {
		return s.AddressType == "IPv4"
	}
	return s.AddressType == "IPv6"
}

// Count adds the endpoints of a slice that are of the family of an address: to all, and
// those of a node to local.
func (s *KubeSlice) Count(a netip.Addr, node string, all, local *KubeEndpoints) {
	if !s.Has(a) {
		return
	}
	for _, e := range s.Endpoints {
		all.count(e)
		if e.Node == node && node != "" {
			local.count(e)
		}
	}
}

// KubeNode is a Node (core/v1).
type KubeNode struct {
	Name string
	// Excluded says that it has the label
	// node.kubernetes.io/exclude-from-external-load-balancers, whatever its value.
	Excluded bool
	// NetworkUnavailable says that the condition of that name is True.
	NetworkUnavailable bool
	// Unschedulable is spec.unschedulable: the node is cordoned.
	Unschedulable bool
	// GatewayMode is that of the default network in the annotation
	// k8s.ovn.org/l3-gateway-config: shared or local; empty if it is not known.
	GatewayMode string
}

// KubeEgressIP is an EgressIP (k8s.ovn.org/v1).
type KubeEgressIP struct {
	Name string
	// Items are those of status.items that could be read.
	Items []KubeEgress
	// Problems are the fields that could not be read, a phrase each.
	Problems []string
}

// KubeEgress is an egress IP that is assigned to a Node.
type KubeEgress struct {
	IP   netip.Addr
	Node string
}

// The labels and annotations that are read.
const (
	KubeLabelExclude    = "node.kubernetes.io/exclude-from-external-load-balancers"
	KubeLabelService    = "kubernetes.io/service-name"
	KubeLabelHeadless   = "service.kubernetes.io/headless"
	KubeAnnotationModes = "k8s.ovn.org/l3-gateway-config"
)

// Bounds on what is kept of one object. The API server has bounds of its own, which are
// lower or about the same; they hold for files, and for a server that does not.
const (
	MostKubeAddresses = 256   // of one kind of a Service, and items of an EgressIP
	MostKubePorts     = 1024  // of a Service
	MostKubeLabels    = 256   // of a Service
	MostKubeEndpoints = 10000 // of an EndpointSlice
	MostKubeProblems  = 8
	longestKubeText   = 1024 // of a name, a label or a class
)

// KubeText is a text of the API, or nothing and a problem if it is longer than any that
// has a meaning.
func KubeText(what, text string, problems *[]string) string {
	if len(text) <= longestKubeText {
		return text
	}
	KubeProblem(problems, "%s has %d octets", what, len(text))
	return ""
}

// KubeAddr reads an address of the API. IPv4 in IPv6 and zones have no place there.
func KubeAddr(what, text string, problems *[]string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" || a.Is4In6() || a.IsUnspecified() {
		KubeProblem(problems, "%s: %.64q is not an address", what, text)
		return netip.Addr{}, false
	}
	return a, true
}

// KubeLabels are the labels of an object that may be matched, and a problem where there
// are more or longer ones than the API allows.
func KubeLabels(labels map[string]string, problems *[]string) map[string]string {
	if len(labels) > MostKubeLabels {
		KubeProblem(problems, "metadata.labels: %d entries, none is used", len(labels))
		return nil
	}
	var out map[string]string
	for k, v := range labels {
		if len(k)+len(v) > longestKubeText {
			continue
		}
		if out == nil {
			out = make(map[string]string, len(labels))
		}
		out[k] = v
	}
	return out
}

// KubePortOf reads a port of a Service.
func KubePortOf(protocol string, port int64, problems *[]string) (KubePort, bool) {
	p := KubePort{Protocol: strings.ToLower(cmp.Or(protocol, "TCP")), Port: uint16(port)}
	if port < 1 || port > 65535 || p.Protocol != "tcp" && p.Protocol != "udp" && p.Protocol != "sctp" {
		KubeProblem(problems, "spec.ports: %.16q %d is not a port", protocol, port)
		return KubePort{}, false
	}
	return p, true
}

// KubeIngressOf reads an entry of status.loadBalancer.ingress.
func KubeIngressOf(ip, hostname, mode string, problems *[]string) (KubeIngress, bool) {
	const what = "status.loadBalancer.ingress"
	in := KubeIngress{Hostname: KubeText(what, hostname, problems), Mode: KubeText(what, mode, problems)}
	if ip == "" {
		return in, in.Hostname != ""
	}
	var ok bool
	in.IP, ok = KubeAddr(what, ip, problems)
	return in, ok
}

// KubeEndpointOf is an endpoint with absent conditions filled in.
func KubeEndpointOf(node string, ready, serving, terminating *bool) KubeEndpoint {
	e := KubeEndpoint{Node: node, Ready: ready == nil || *ready, Terminating: terminating != nil && *terminating}
	e.Serving = e.Ready
	if serving != nil {
		e.Serving = *serving
	}
	return e
}

// KubeBound cuts a list at a bound and reports it.
func KubeBound[T any](what string, list []T, most int, problems *[]string) []T {
	if len(list) <= most {
		return list
	}
	KubeProblem(problems, "%s: %d entries, the first %d are used", what, len(list), most)
	return list[:most]
}

// KubeProblem notes a field that could not be read, up to a bound.
func KubeProblem(problems *[]string, format string, args ...any) {
	if len(*problems) < MostKubeProblems {
		*problems = append(*problems, fmt.Sprintf(format, args...))
	}
}

// KubeGatewayMode reads the mode of the default network in the annotation
// k8s.ovn.org/l3-gateway-config; empty if it says none that is known.
func KubeGatewayMode(annotation string) string {
	var modes struct {
		Default struct {
			Mode string `json:"mode"`
		} `json:"default"`
	}
	if json.Unmarshal([]byte(annotation), &modes) != nil {
		return ""
	}
	if m := modes.Default.Mode; m == "shared" || m == "local" {
		return m
	}
	return ""
}

// Sort brings the lists into their order. Duplicates of a key, which no API has, go: the
// first one stays.
func (k *Kube) Sort() {
	k.Services = sortKube(k.Services, (*KubeService).Key)
	k.Slices = sortKube(k.Slices, (*KubeSlice).Key)
	k.Nodes = sortKube(k.Nodes, func(n *KubeNode) [2]string { return [2]string{n.Name} })
	k.EgressIPs = sortKube(k.EgressIPs, func(e *KubeEgressIP) [2]string { return [2]string{e.Name} })
}

func sortKube[T any](list []*T, key func(*T) [2]string) []*T {
	compare := func(a, b *T) int {
		x, y := key(a), key(b)
		return slices.Compare(x[:], y[:])
	}
	sorting.Stable(list, compare)
	return slices.CompactFunc(list, func(a, b *T) bool { return compare(a, b) == 0 })
}

// Key is namespace and name.
func (s *KubeService) Key() [2]string { return [2]string{s.Namespace, s.Name} }

// Text is namespace/name.
func (s *KubeService) Text() string { return s.Namespace + "/" + s.Name }

// Key is namespace and name.
func (s *KubeSlice) Key() [2]string { return [2]string{s.Namespace, s.Name} }

// Node returns the Node of that name.
func (k *Kube) Node(name string) (*KubeNode, bool) {
	i, ok := slices.BinarySearchFunc(k.Nodes, name, func(n *KubeNode, want string) int {
		return strings.Compare(n.Name, want)
	})
	if !ok {
		return nil, false
	}
	return k.Nodes[i], true
}

// Service returns the Service of that namespace and name.
func (k *Kube) Service(namespace, name string) (*KubeService, bool) {
	want := [2]string{namespace, name}
	i, ok := slices.BinarySearchFunc(k.Services, want, func(s *KubeService, want [2]string) int {
		have := s.Key()
		return slices.Compare(have[:], want[:])
	})
	if !ok {
		return nil, false
	}
	return k.Services[i], true
}
