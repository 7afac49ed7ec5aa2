package kube

import (
	"encoding/json"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
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

// protobufSpec is what is asked for of a kind that the API sends as protobuf. one reads an object of it: reduced, with
// its resourceVersion.
func protobufSpec[T any](kind string, s spec[T], one func(object []byte) (*T, string, error)) spec[T] {
	s.accept = protobufType
	s.list = func(body []byte) (p page[T], err error) {
		list, err := unwrap(body, kind+"List")
		if err != nil {
			return p, err
		}
		return p, eachField(list, func(f field) error {
			switch f.number {
			case 1:
				return f.message(p.readMeta)
			case 2:
				if err := f.is(protowire.BytesType); err != nil {
					return err
				}
				item, _, err := one(f.octets)
				return p.add(item, err)
			}
			return nil
		})
	}
	s.one = func(object []byte) (*T, string, error) {
		raw, err := unwrap(object, kind)
		if err != nil {
			return nil, "", err
		}
		return one(raw)
	}
	return s
}

// readMeta reads a field of ListMeta.
func (p *page[T]) readMeta(f field) error {
	switch f.number {
	case 2:
		return f.text(&p.meta.ResourceVersion)
	case 3:
		return f.text(&p.meta.Continue)
	}
	return nil
}

var servicesSpec = protobufSpec("Service", spec[observe.KubeService]{
	name: "services", path: "/api/v1/services", key: (*observe.KubeService).Key,
}, func(object []byte) (*observe.KubeService, string, error) {
	var in serviceFields
	if err := eachField(object, in.read); err != nil {
		return nil, "", err
	}
	out, err := service(&in)
	return out, in.version, err
})

var slicesSpec = protobufSpec("EndpointSlice", spec[observe.KubeSlice]{
	name: "endpointslices", path: "/apis/discovery.k8s.io/v1/endpointslices",
	label: observe.KubeLabelService + ",!" + observe.KubeLabelHeadless, key: (*observe.KubeSlice).Key,
}, func(object []byte) (*observe.KubeSlice, string, error) {
	var in sliceFields
	if err := eachField(object, in.read); err != nil {
		return nil, "", err
	}
	out, err := slice(&in)
	return out, in.version, err
})

var nodeSpec = protobufSpec("Node", spec[observe.KubeNode]{
	name: "nodes", path: "/api/v1/nodes", key: func(n *observe.KubeNode) [2]string { return [2]string{n.Name} },
}, func(object []byte) (*observe.KubeNode, string, error) {
	var in nodeFields
	if err := eachField(object, in.read); err != nil {
		return nil, "", err
	}
	out, err := node(&in)
	return out, in.version, err
})

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

// Words of the API.
const (
	trafficLocal       = "Local"              // spec.externalTrafficPolicy, spec.internalTrafficPolicy
	noClusterIP        = "None"               // spec.clusterIPs of a headless service
	networkUnavailable = "NetworkUnavailable" // status.conditions.type of a node
	conditionTrue      = "True"               // status.conditions.status
)

func service(in *serviceFields) (*observe.KubeService, error) {
	if err := named(in.namespace, in.name); err != nil {
		return nil, err
	}
	out := &observe.KubeService{
		Namespace: in.namespace, Name: in.name, PublishNotReady: in.publishNotReady,
		ExternalLocal: in.externalTraffic == trafficLocal, InternalLocal: in.internalTraffic == trafficLocal,
	}
	problems := &out.Problems
	out.Type = observe.KubeText("spec.type", in.kind, problems)
	out.Labels = observe.KubeLabels(in.labels, problems)
	out.Class = observe.KubeText("spec.loadBalancerClass", in.class, problems)
	const most = observe.MostKubeAddresses
	for _, i := range observe.KubeBound("status.loadBalancer.ingress", in.ingress, most, problems) {
		if got, ok := observe.KubeIngressOf(i.ip, i.hostname, i.mode, problems); ok {
			out.Ingress = append(out.Ingress, got)
		}
	}
	for _, ip := range observe.KubeBound("spec.externalIPs", in.externalIPs, most, problems) {
		if a, ok := observe.KubeAddr("spec.externalIPs", ip, problems); ok {
			out.ExternalIPs = append(out.ExternalIPs, a)
		}
	}
	for _, ip := range observe.KubeBound("spec.clusterIPs", in.clusterIPs, most, problems) {
		if ip == "" || ip == noClusterIP {
			continue
		}
		if a, ok := observe.KubeAddr("spec.clusterIPs", ip, problems); ok {
			out.ClusterIPs = append(out.ClusterIPs, a)
		}
	}
	for _, p := range observe.KubeBound("spec.ports", in.ports, observe.MostKubePorts, problems) {
		if got, ok := observe.KubePortOf(p.protocol, int64(p.port), problems); ok {
			out.Ports = append(out.Ports, got)
		}
	}
	return out, nil
}

func slice(in *sliceFields) (*observe.KubeSlice, error) {
	if err := named(in.namespace, in.name); err != nil {
		return nil, err
	}
	out := &observe.KubeSlice{Namespace: in.namespace, Name: in.name}
	problems := &out.Problems
	out.Service = observe.KubeText("metadata.labels", in.labels[observe.KubeLabelService], problems)
	out.AddressType = observe.KubeText("addressType", in.addressType, problems)
	endpoints := observe.KubeBound("endpoints", in.endpoints, observe.MostKubeEndpoints, problems)
	if len(endpoints) > 0 {
		out.Endpoints = make([]observe.KubeEndpoint, 0, len(endpoints))
	}
	for _, e := range endpoints {
		name := observe.KubeText("nodeName", e.node, problems)
		out.Endpoints = append(out.Endpoints, observe.KubeEndpointOf(name, e.ready, e.serving, e.terminating))
	}
	return out, nil
}

func node(in *nodeFields) (*observe.KubeNode, error) {
	if err := named(in.name); err != nil {
		return nil, err
	}
	_, excluded := in.labels[observe.KubeLabelExclude]
	out := &observe.KubeNode{
		Name: in.name, Excluded: excluded, Unschedulable: in.unschedulable,
		GatewayMode: observe.KubeGatewayMode(in.annotations[observe.KubeAnnotationModes]),
	}
	for _, c := range in.conditions {
		if c.kind == networkUnavailable {
			out.NetworkUnavailable = c.status == conditionTrue
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
