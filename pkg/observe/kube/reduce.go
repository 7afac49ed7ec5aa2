package kube

import (
	"encoding/json"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// page is one answer to a list: its objects, reduced, and where the next one begins.
type page[T any] struct {
	items []*T
	meta  metav1.ListMeta
}

// add takes a reduced object into the page.
func (p *page[T]) add(item *T, err error) error {
	if err == nil {
		p.items = append(p.items, item)
	}
	return err
}

// spec is what is asked for of one kind, and how it is read.
type spec[T any] struct {
	name   string // services
	path   string // of the list of all namespaces
	accept string // application/...
	label  string // selector
	field  func() (string, error)
	// optional says that the API may not serve the kind at all.
	optional bool
	key      func(*T) [2]string
	// list reads an answer, one the object of an event: reduced, with its
	// resourceVersion.
	list func(body []byte) (page[T], error)
	one  func(object []byte) (*T, string, error)
}

var servicesSpec = spec[observe.KubeService]{
	name: "services", path: "/api/v1/services", accept: protobufType, key: (*observe.KubeService).Key,
	list: func(body []byte) (p page[observe.KubeService], err error) {
		var list corev1.ServiceList
		if err := unpack(body, &list, "ServiceList"); err != nil {
			return p, err
		}
		p.meta = list.ListMeta
		for i := range list.Items {
			if err := p.add(service(&list.Items[i])); err != nil {
				return p, err
			}
		}
		return p, nil
	},
	one: func(object []byte) (*observe.KubeService, string, error) {
		var o corev1.Service
		if err := unpack(object, &o, "Service"); err != nil {
			return nil, "", err
		}
		out, err := service(&o)
		return out, o.ResourceVersion, err
	},
}

var slicesSpec = spec[observe.KubeSlice]{
	name: "endpointslices", path: "/apis/discovery.k8s.io/v1/endpointslices", accept: protobufType,
	label: observe.KubeLabelService + ",!" + observe.KubeLabelHeadless, key: (*observe.KubeSlice).Key,
	list: func(body []byte) (p page[observe.KubeSlice], err error) {
		var list discoveryv1.EndpointSliceList
		if err := unpack(body, &list, "EndpointSliceList"); err != nil {
			return p, err
		}
		p.meta = list.ListMeta
		for i := range list.Items {
			if err := p.add(slice(&list.Items[i])); err != nil {
				return p, err
			}
		}
		return p, nil
	},
	one: func(object []byte) (*observe.KubeSlice, string, error) {
		var o discoveryv1.EndpointSlice
		if err := unpack(object, &o, "EndpointSlice"); err != nil {
			return nil, "", err
		}
		out, err := slice(&o)
		return out, o.ResourceVersion, err
	},
}

var nodeSpec = spec[observe.KubeNode]{
	name: "nodes", path: "/api/v1/nodes", accept: protobufType,
	key: func(n *observe.KubeNode) [2]string { return [2]string{n.Name} },
	list: func(body []byte) (p page[observe.KubeNode], err error) {
		var list corev1.NodeList
		if err := unpack(body, &list, "NodeList"); err != nil {
			return p, err
		}
		p.meta = list.ListMeta
		for i := range list.Items {
			if err := p.add(node(&list.Items[i])); err != nil {
				return p, err
			}
		}
		return p, nil
	},
	one: func(object []byte) (*observe.KubeNode, string, error) {
		var o corev1.Node
		if err := unpack(object, &o, "Node"); err != nil {
			return nil, "", err
		}
		out, err := node(&o)
		return out, o.ResourceVersion, err
	},
}

var egressIPsSpec = spec[observe.KubeEgressIP]{
	name: "egressips", path: "/apis/k8s.ovn.org/v1/egressips", accept: jsonType, optional: true,
	key: func(e *observe.KubeEgressIP) [2]string { return [2]string{e.Name} },
	list: func(body []byte) (p page[observe.KubeEgressIP], err error) {
		var list struct {
			Metadata metav1.ListMeta `json:"metadata"`
			Items    []egressIPFields
		}
		if err := json.Unmarshal(body, &list); err != nil {
			return p, err
		}
		p.meta = list.Metadata
		for i := range list.Items {
			if err := p.add(egressIP(&list.Items[i])); err != nil {
				return p, err
			}
		}
		return p, nil
	},
	one: func(object []byte) (*observe.KubeEgressIP, string, error) {
		var o egressIPFields
		if err := json.Unmarshal(object, &o); err != nil {
			return nil, "", err
		}
		out, err := egressIP(&o)
		return out, o.Metadata.ResourceVersion, err
	},
}

// egressIPFields are the fields of an EgressIP (k8s.ovn.org/v1) that are read.
type egressIPFields struct {
	Metadata struct {
		Name            string `json:"name"`
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Status struct {
		Items []struct {
			EgressIP string `json:"egressIP"`
			Node     string `json:"node"`
		} `json:"items"`
	} `json:"status"`
}

// errNameless is what is wrong with an object that cannot be told from others.
var errNameless = errors.New("an object has no name")

// named reports what is wrong with the name of an object.
func named(names ...string) error {
	for _, n := range names {
		if n == "" || len(n) > longestName {
			return errNameless
		}
	}
	return nil
}

// longestName is what the API allows for a name.
const longestName = 253

func service(in *corev1.Service) (*observe.KubeService, error) {
	if err := named(in.Namespace, in.Name); err != nil {
		return nil, err
	}
	out := &observe.KubeService{
		Namespace: in.Namespace, Name: in.Name,
		ExternalLocal: in.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal,
		InternalLocal: in.Spec.InternalTrafficPolicy != nil &&
			*in.Spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal,
		PublishNotReady: in.Spec.PublishNotReadyAddresses,
	}
	problems := &out.Problems
	out.Type = observe.KubeText("spec.type", string(in.Spec.Type), problems)
	out.Labels = observe.KubeLabels(in.Labels, problems)
	if in.Spec.LoadBalancerClass != nil {
		out.Class = observe.KubeText("spec.loadBalancerClass", *in.Spec.LoadBalancerClass, problems)
	}
	const most = observe.MostKubeAddresses
	ingress := in.Status.LoadBalancer.Ingress
	for _, i := range observe.KubeBound("status.loadBalancer.ingress", ingress, most, problems) {
		mode := ""
		if i.IPMode != nil {
			mode = string(*i.IPMode)
		}
		if got, ok := observe.KubeIngressOf(i.IP, i.Hostname, mode, problems); ok {
			out.Ingress = append(out.Ingress, got)
		}
	}
	for _, ip := range observe.KubeBound("spec.externalIPs", in.Spec.ExternalIPs, most, problems) {
		if a, ok := observe.KubeAddr("spec.externalIPs", ip, problems); ok {
			out.ExternalIPs = append(out.ExternalIPs, a)
		}
	}
	for _, ip := range observe.KubeBound("spec.clusterIPs", in.Spec.ClusterIPs, most, problems) {
		if ip == "" || ip == corev1.ClusterIPNone {
			continue
		}
		if a, ok := observe.KubeAddr("spec.clusterIPs", ip, problems); ok {
			out.ClusterIPs = append(out.ClusterIPs, a)
		}
	}
	for _, p := range observe.KubeBound("spec.ports", in.Spec.Ports, observe.MostKubePorts, problems) {
		if got, ok := observe.KubePortOf(string(p.Protocol), int64(p.Port), problems); ok {
			out.Ports = append(out.Ports, got)
		}
	}
	return out, nil
}

func slice(in *discoveryv1.EndpointSlice) (*observe.KubeSlice, error) {
	if err := named(in.Namespace, in.Name); err != nil {
		return nil, err
	}
	out := &observe.KubeSlice{Namespace: in.Namespace, Name: in.Name}
	problems := &out.Problems
	out.Service = observe.KubeText("metadata.labels", in.Labels[observe.KubeLabelService], problems)
	out.AddressType = observe.KubeText("addressType", string(in.AddressType), problems)
	endpoints := observe.KubeBound("endpoints", in.Endpoints, observe.MostKubeEndpoints, problems)
	if len(endpoints) > 0 {
		out.Endpoints = make([]observe.KubeEndpoint, 0, len(endpoints))
	}
	for _, e := range endpoints {
		name := ""
		if e.NodeName != nil {
			name = observe.KubeText("nodeName", *e.NodeName, problems)
		}
		c := e.Conditions
		out.Endpoints = append(out.Endpoints, observe.KubeEndpointOf(name, c.Ready, c.Serving, c.Terminating))
	}
	return out, nil
}

func node(in *corev1.Node) (*observe.KubeNode, error) {
	if err := named(in.Name); err != nil {
		return nil, err
	}
	_, excluded := in.Labels[observe.KubeLabelExclude]
	out := &observe.KubeNode{
		Name: in.Name, Excluded: excluded, Unschedulable: in.Spec.Unschedulable,
		GatewayMode: observe.KubeGatewayMode(in.Annotations[observe.KubeAnnotationModes]),
	}
	for _, c := range in.Status.Conditions {
		if c.Type == corev1.NodeNetworkUnavailable {
			out.NetworkUnavailable = c.Status == corev1.ConditionTrue
		}
	}
	return out, nil
}

func egressIP(in *egressIPFields) (*observe.KubeEgressIP, error) {
	if err := named(in.Metadata.Name); err != nil {
		return nil, err
	}
	out := &observe.KubeEgressIP{Name: in.Metadata.Name}
	problems := &out.Problems
	for _, i := range observe.KubeBound("status.items", in.Status.Items, observe.MostKubeAddresses, problems) {
		if a, ok := observe.KubeAddr("status.items", i.EgressIP, problems); ok {
			out.Items = append(out.Items, observe.KubeEgress{IP: a, Node: observe.KubeText("status.items", i.Node, problems)})
		}
	}
	return out, nil
}

// recovered calls read and makes an error of a panic: what it reads comes from outside.
func recovered(read func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot be read: %v", p)
		}
	}()
	return read()
}
