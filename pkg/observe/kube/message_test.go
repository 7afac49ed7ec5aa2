package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// FuzzMessages: whatever the types of k8s.io/api write is read to the same as they have, and nothing panics.
func FuzzMessages(f *testing.F) {
	for _, m := range whole(f) {
		f.Add(m)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var theirs corev1.Service
		var ours serviceFields
		same(t, data, &theirs, ours.read, &ours, func() any {
			want := &serviceFields{
				metaFields: metaOf(&theirs.ObjectMeta), kind: string(theirs.Spec.Type), class: value(theirs.Spec.LoadBalancerClass),
				externalTraffic: string(theirs.Spec.ExternalTrafficPolicy),
				internalTraffic: string(value(theirs.Spec.InternalTrafficPolicy)),
				publishNotReady: theirs.Spec.PublishNotReadyAddresses,
				clusterIPs:      theirs.Spec.ClusterIPs, externalIPs: theirs.Spec.ExternalIPs,
			}
			for _, p := range theirs.Spec.Ports {
				want.ports = append(want.ports, portFields{string(p.Protocol), p.Port})
			}
			for _, i := range theirs.Status.LoadBalancer.Ingress {
				want.ingress = append(want.ingress, ingressFields{i.IP, i.Hostname, string(value(i.IPMode))})
			}
			return want
		})
		var theirSlice discoveryv1.EndpointSlice
		var ourSlice sliceFields
		same(t, data, &theirSlice, ourSlice.read, &ourSlice, func() any {
			want := &sliceFields{metaFields: metaOf(&theirSlice.ObjectMeta), addressType: string(theirSlice.AddressType)}
			for _, e := range theirSlice.Endpoints {
				c := e.Conditions
				want.endpoints = append(want.endpoints, endpointFields{value(e.NodeName), c.Ready, c.Serving, c.Terminating})
			}
			return want
		})
		var theirNode corev1.Node
		var ourNode nodeFields
		same(t, data, &theirNode, ourNode.read, &ourNode, func() any {
			want := &nodeFields{metaFields: metaOf(&theirNode.ObjectMeta), unschedulable: theirNode.Spec.Unschedulable}
			for _, c := range theirNode.Status.Conditions {
				want.conditions = append(want.conditions, conditionFields{string(c.Type), string(c.Status)})
			}
			return want
		})
	})
}

// same compares what is read of a message with what the type of the API has of it, which writes it.
func same(t *testing.T, data []byte, theirs interface {
	Unmarshal([]byte) error
	Marshal() ([]byte, error)
}, read func(field) error, ours any, want func() any,
) {
	t.Helper()
	_ = eachField(data, func(f field) error { return f.message(func(field) error { return nil }) })
	if theirs.Unmarshal(data) != nil {
		return
	}
	data, err := theirs.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := eachField(data, read); err != nil {
		t.Fatalf("%x is written by k8s.io/api, but %v", data, err)
	}
	fields := cmp.AllowUnexported(serviceFields{}, metaFields{}, portFields{}, ingressFields{}, sliceFields{},
		endpointFields{}, nodeFields{}, conditionFields{})
	if diff := cmp.Diff(want(), ours, cmpopts.EquateEmpty(), fields); diff != "" {
		t.Fatalf("%x: k8s.io/api (-), ours (+)\n%s", data, diff)
	}
}

func metaOf(m *metav1.ObjectMeta) metaFields {
	return metaFields{m.Namespace, m.Name, m.ResourceVersion, m.Labels, m.Annotations}
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// whole are objects that have all fields that are read, and some that are not.
func whole(t testing.TB) (out [][]byte) {
	meta := metav1.ObjectMeta{
		Namespace: "shop", Name: "web", ResourceVersion: "101", UID: "u", Generation: 3, Finalizers: []string{"f"},
		Labels: map[string]string{"a": "b", "c": ""}, Annotations: map[string]string{"k8s.ovn.org/x": "y"},
		ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "m", FieldsV1: &metav1.FieldsV1{Raw: []byte("{}")}}},
	}
	local := corev1.ServiceInternalTrafficPolicyLocal
	class, mode, worker := "example.org/lb", corev1.LoadBalancerIPModeProxy, "worker-a"
	for _, m := range []interface{ Marshal() ([]byte, error) }{
		&corev1.Service{
			ObjectMeta: meta,
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeLoadBalancer, ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1", "fd00::1"},
				Ports: []corev1.ServicePort{
					{Name: "https", Protocol: corev1.ProtocolTCP, Port: 443, TargetPort: intstr.FromString("web")},
					{Protocol: corev1.ProtocolUDP, Port: -1, NodePort: 30000},
				},
				ExternalIPs: []string{"198.51.100.7"}, LoadBalancerClass: &class, PublishNotReadyAddresses: true,
				ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal, InternalTrafficPolicy: &local,
				Selector: map[string]string{"app": "web"}, LoadBalancerSourceRanges: []string{"0.0.0.0/0"},
			},
			Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{
				{IP: "203.0.113.9", IPMode: &mode, Ports: []corev1.PortStatus{{Port: 443}}}, {Hostname: "lb.example.org"},
			}}},
		},
		&discoveryv1.EndpointSlice{
			ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv6,
			Endpoints: []discoveryv1.Endpoint{
				{
					Addresses: []string{"fd00::5"}, NodeName: &worker,
					Conditions: discoveryv1.EndpointConditions{
						Ready: pointer(false), Serving: pointer(true), Terminating: pointer(true),
					},
				},
				{Addresses: []string{"fd00::6"}},
			},
			Ports: []discoveryv1.EndpointPort{{Port: pointer(int32(8443))}},
		},
		&corev1.Node{
			ObjectMeta: meta, Spec: corev1.NodeSpec{Unschedulable: true, PodCIDR: "10.1.0.0/24", ProviderID: "x"},
			Status: corev1.NodeStatus{
				Phase: corev1.NodeRunning, Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}},
				Conditions: []corev1.NodeCondition{
					{Type: corev1.NodeNetworkUnavailable, Status: corev1.ConditionTrue, Reason: "r", LastHeartbeatTime: metav1.Now()},
					{Type: corev1.NodeReady, Status: corev1.ConditionFalse},
				},
			},
		},
	} {
		data, err := m.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, data)
	}
	return out
}

func pointer[T any](v T) *T { return &v }
