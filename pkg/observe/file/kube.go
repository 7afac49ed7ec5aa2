package file

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The kinds of the API that "kube" has, by which its members are called. Others are
// skipped: a bundle may have them.
const (
	kindNode     = "Node"
	kindService  = "Service"
	kindSlice    = "EndpointSlice"
	kindEgressIP = "EgressIP"
)

// kubeMeta is ObjectMeta as far as it is read.
type kubeMeta struct {
	Namespace   string            `json:"namespace,omitempty"`
	Name        string            `json:"name"`
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// kubeNode is a Node (core/v1) as far as it is read.
type kubeNode struct {
	Meta kubeMeta `json:"metadata"`
	Spec struct {
		Unschedulable bool `json:"unschedulable,omitempty"`
	} `json:"spec"`
	Status struct {
		Conditions []kubeCondition `json:"conditions,omitempty"`
	} `json:"status"`
}

type kubeCondition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
}

// kubeService is a Service (core/v1) as far as it is read.
type kubeService struct {
	Meta kubeMeta `json:"metadata"`
	Spec struct {
		Type            string     `json:"type,omitempty"`
		Class           string     `json:"loadBalancerClass,omitempty"`
		ClusterIPs      []string   `json:"clusterIPs,omitempty"`
		ExternalIPs     []string   `json:"externalIPs,omitempty"`
		External        string     `json:"externalTrafficPolicy,omitempty"`
		Internal        string     `json:"internalTrafficPolicy,omitempty"`
		PublishNotReady bool       `json:"publishNotReadyAddresses,omitempty"`
		Ports           []kubePort `json:"ports,omitempty"`
	} `json:"spec"`
	Status struct {
		LoadBalancer struct {
			Ingress []kubeIngress `json:"ingress,omitempty"`
		} `json:"loadBalancer"`
	} `json:"status"`
}

type kubePort struct {
	Protocol string `json:"protocol,omitempty"`
	Port     int64  `json:"port"`
}

type kubeIngress struct {
	IP       string `json:"ip,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	Mode     string `json:"ipMode,omitempty"`
}

// kubeSlice is an EndpointSlice (discovery/v1) as far as it is read.
type kubeSlice struct {
	Meta        kubeMeta       `json:"metadata"`
	AddressType string         `json:"addressType"`
	Endpoints   []kubeEndpoint `json:"endpoints"`
}

type kubeEndpoint struct {
	Conditions struct {
		Ready       *bool `json:"ready,omitempty"`
		Serving     *bool `json:"serving,omitempty"`
		Terminating *bool `json:"terminating,omitempty"`
	} `json:"conditions"`
	Node string `json:"nodeName,omitempty"`
}

// kubeEgressIP is an EgressIP (k8s.ovn.org/v1) as far as it is read.
type kubeEgressIP struct {
	Meta   kubeMeta `json:"metadata"`
	Status struct {
		Items []kubeEgress `json:"items,omitempty"`
	} `json:"status"`
}

type kubeEgress struct {
	IP   string `json:"egressIP"`
	Node string `json:"node"`
}

// readKube reads the members of "kube": lists of objects by kind, and what only files
// written here have. Null is a node without a Kubernetes API.
func (r *reader) readKube() {
	if r.d.IsNull() {
		r.d.Skip()
		return
	}
	k := &observe.Kube{Revision: 1}
	r.readMembers("kube", func(member string) {
		switch member {
		case kindNode:
			readKind(r, k, member, &k.Nodes, nodeOf)
		case kindService:
			readKind(r, k, member, &k.Services, serviceOf)
		case kindSlice:
			readKind(r, k, member, &k.Slices, sliceOf)
		case kindEgressIP:
			readKind(r, k, member, &k.EgressIPs, egressIPOf)
		case "state":
			var state kubeState
			r.unmarshal("kube state", &state)
			state.into(k)
		default:
			r.d.Skip()
		}
	})
	k.Sort()
	r.out.Kube = k
}

// kubeState is what of observe.Kube is no object of the API.
type kubeState struct {
	Revision    uint64            `json:"revision,omitempty"`
	NodeName    string            `json:"node_name,omitempty"`
	NodeState   observe.NodeState `json:"node_state,omitempty"`
	Stale       string            `json:"stale,omitempty"`
	NoEgressIPs bool              `json:"no_egress_ips,omitempty"`
	NoNode      bool              `json:"no_node,omitempty"`
	BadRows     []badRow          `json:"bad_rows,omitempty"`
}

func (s kubeState) into(k *observe.Kube) {
	k.Revision, k.NodeName, k.Stale = max(s.Revision, 1), s.NodeName, s.Stale
	k.NoEgressIPs, k.NoNode = s.NoEgressIPs, s.NoNode
	switch s.NodeState {
	case observe.NodeActive, observe.NodeDraining, observe.NodeDrained:
		k.NodeState = s.NodeState
	}
	for _, b := range s.BadRows {
		k.BadRows = append(k.BadRows, &observe.RowError{Table: b.Table, Row: b.Row, Err: errors.New(b.Err)})
	}
}

// readKind reads a list of objects of one kind. One that cannot be read is reported and
// costs no other; of returns nil for one that no rule reads.
func readKind[J, T any](r *reader, k *observe.Kube, kind string, into *[]*T, of func(*J) *T) {
	if r.d.IsNull() {
		r.d.Skip()
		return
	}
	n := 0
	for r.d.Open('['); r.d.More(); {
		text := r.d.Raw()
		if r.d.Err() != nil {
			return
		}
		n++
		var object J
		if err := json.Unmarshal(text, &object); err != nil {
			k.BadRows = append(k.BadRows, &observe.RowError{Table: kind, Row: kubeName(text, n), Err: err})
			continue
		}
		if o := of(&object); o != nil {
			*into = append(*into, o)
		}
	}
	r.d.Must("kube " + kind)
}

// kubeName is what people call an object that cannot be read as a whole.
func kubeName(text []byte, n int) string {
	var named struct {
		Meta struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
	}
	_ = json.Unmarshal(text, &named) // what can be read of it
	switch m := named.Meta; {
	case m.Name == "" || len(m.Name)+len(m.Namespace) > 512:
		return fmt.Sprintf("number %d", n)
	case m.Namespace == "":
		return m.Name
	default:
		return m.Namespace + "/" + m.Name
	}
}

func nodeOf(j *kubeNode) *observe.KubeNode {
	n := &observe.KubeNode{
		Name: j.Meta.Name, Unschedulable: j.Spec.Unschedulable,
		GatewayMode: observe.KubeGatewayMode(j.Meta.Annotations[observe.KubeAnnotationModes]),
	}
	_, n.Excluded = j.Meta.Labels[observe.KubeLabelExclude]
	for _, c := range j.Status.Conditions {
		if c.Type == "NetworkUnavailable" {
			n.NetworkUnavailable = c.Status == "True"
		}
	}
	return n
}

func serviceOf(j *kubeService) *observe.KubeService {
	s := &observe.KubeService{
		Namespace: j.Meta.Namespace, Name: j.Meta.Name, PublishNotReady: j.Spec.PublishNotReady,
		Type: j.Spec.Type, ExternalLocal: j.Spec.External == "Local", InternalLocal: j.Spec.Internal == "Local",
	}
	bad := &s.Problems
	s.Class = observe.KubeText("spec.loadBalancerClass", j.Spec.Class, bad)
	s.Labels = observe.KubeLabels(j.Meta.Labels, bad)
	s.ClusterIPs = kubeAddrs("spec.clusterIPs", j.Spec.ClusterIPs, bad)
	s.ExternalIPs = kubeAddrs("spec.externalIPs", j.Spec.ExternalIPs, bad)
	for _, p := range observe.KubeBound("spec.ports", j.Spec.Ports, observe.MostKubePorts, bad) {
		if port, ok := observe.KubePortOf(p.Protocol, p.Port, bad); ok {
			s.Ports = append(s.Ports, port)
		}
	}
	const ingress = "status.loadBalancer.ingress"
	for _, i := range observe.KubeBound(ingress, j.Status.LoadBalancer.Ingress, observe.MostKubeAddresses, bad) {
		if in, ok := observe.KubeIngressOf(i.IP, i.Hostname, i.Mode, bad); ok {
			s.Ingress = append(s.Ingress, in)
		}
	}
	return s
}

// kubeAddrs reads addresses. The word None is what a headless Service has.
func kubeAddrs(what string, list []string, bad *[]string) []netip.Addr {
	var out []netip.Addr
	for _, text := range observe.KubeBound(what, list, observe.MostKubeAddresses, bad) {
		if text == "" || text == "None" {
			continue
		}
		if a, ok := observe.KubeAddr(what, text, bad); ok {
			out = append(out, a)
		}
	}
	return out
}

// sliceOf leaves out slices that belong to no Service with an address of its own.
func sliceOf(j *kubeSlice) *observe.KubeSlice {
	service, ok := j.Meta.Labels[observe.KubeLabelService]
	if _, headless := j.Meta.Labels[observe.KubeLabelHeadless]; headless || !ok {
		return nil
	}
	s := &observe.KubeSlice{
		Namespace: j.Meta.Namespace, Name: j.Meta.Name, Service: service, AddressType: j.AddressType,
	}
	for _, e := range observe.KubeBound("endpoints", j.Endpoints, observe.MostKubeEndpoints, &s.Problems) {
		c := e.Conditions
		s.Endpoints = append(s.Endpoints, observe.KubeEndpointOf(e.Node, c.Ready, c.Serving, c.Terminating))
	}
	return s
}

func egressIPOf(j *kubeEgressIP) *observe.KubeEgressIP {
	e := &observe.KubeEgressIP{Name: j.Meta.Name}
	for _, i := range observe.KubeBound("status.items", j.Status.Items, observe.MostKubeAddresses, &e.Problems) {
		if a, ok := observe.KubeAddr("status.items.egressIP", i.IP, &e.Problems); ok {
			e.Items = append(e.Items, observe.KubeEgress{IP: a, Node: i.Node})
		}
	}
	return e
}

// readFlows reads {"<bridge>": ["<line>", ...]} of one chassis. Lines that tell nothing
// about a destination are skipped.
func (r *reader) readFlows(key string) {
	if r.d.IsNull() {
		r.d.Skip()
		return
	}
	f := &observe.Flows{Revision: 1, Bridges: map[string][]observe.BridgeFlow{}}
	where := "flows " + key
	r.readMembers(where, func(bridge string) {
		if bridge == flowsStale {
			f.Stale = r.d.String()
			return
		}
		list := []observe.BridgeFlow{}
		for r.d.Open('['); r.d.More(); {
			if flow, ok := observe.ParseBridgeFlow(r.d.String()); ok {
				list = append(list, flow)
			}
			r.d.Must(where + " " + bridge)
		}
		r.d.Must(where + " " + bridge)
		f.Bridges[bridge] = observe.SortBridgeFlows(list)
	})
	r.out.Flows[key] = f
}

// flowsStale is the member of "flows" that says why the flows may be old; no bridge of
// Linux has a name with a blank.
const flowsStale = "not current"

// flows writes what readFlows reads.
func (w *writer) flows(chassis string, f *observe.Flows) {
	lines := map[string]any{}
	if f.Stale != "" {
		lines[flowsStale] = f.Stale
	}
	for _, bridge := range slices.Sorted(maps.Keys(f.Bridges)) {
		list := make([]string, 0, len(f.Bridges[bridge]))
		for _, flow := range f.Bridges[bridge] {
			list = append(list, flow.String())
		}
		lines[bridge] = list
	}
	w.member("flows", chassis, lines)
}
