package kube_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// made serves n services with an EndpointSlice each, as an API server sends them. Its pages
// are encoded beforehand, so that who reads them is measured and not who sends.
type made struct {
	pages map[string][][]byte // by resource
	node  []byte
	// changes are events of the watch of services; the watches of other kinds are silent.
	changes chan []byte
}

// pageSize is that of the pages, whatever is asked for.
const pageSize = 500

func (m *made) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	resource := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	w.Header().Set("Content-Type", protobuf)
	switch pages := m.pages[resource]; {
	case q.Get("watch") != "":
		flush(w)
		for resource == "services" {
			select {
			case raw := <-m.changes:
				w.Write(raw)
				flush(w)
			case <-r.Context().Done():
				return
			}
		}
		<-r.Context().Done()
	case resource == "nodes":
		w.Write(m.node)
	case pages == nil:
		http.NotFound(w, r)
	default:
		i, _ := strconv.Atoi(q.Get("continue"))
		if i < len(pages) {
			w.Write(pages[i])
		}
	}
}

// makeServer encodes n services and their slices.
func makeServer(b *testing.B, n int) *made {
	b.Helper()
	m := &made{pages: map[string][][]byte{}, changes: make(chan []byte)}
	m.node = packed("NodeList", &corev1.NodeList{
		ListMeta: metav1.ListMeta{ResourceVersion: "100"},
		Items:    []corev1.Node{{ObjectMeta: metav1.ObjectMeta{Name: "worker-a"}}},
	})
	for from := 0; from < n; from += pageSize {
		meta := metav1.ListMeta{ResourceVersion: "100"}
		if from+pageSize < n {
			meta.Continue = strconv.Itoa(from/pageSize + 1)
		}
		services := corev1.ServiceList{ListMeta: meta}
		slices := discoveryv1.EndpointSliceList{ListMeta: meta}
		for i := from; i < min(n, from+pageSize); i++ {
			services.Items = append(services.Items, madeService(i))
			slices.Items = append(slices.Items, madeSlice(i))
		}
		m.pages["services"] = append(m.pages["services"], packed("ServiceList", &services))
		m.pages["endpointslices"] = append(m.pages["endpointslices"],
			packedAs("discovery.k8s.io/v1", "EndpointSliceList", &slices))
	}
	return m
}

// madeMeta has what objects of a real cluster have beside what rules read.
func madeMeta(name string, i int) metav1.ObjectMeta {
	at := metav1.NewTime(time.Unix(1_700_000_000+int64(i), 0))
	return metav1.ObjectMeta{
		Namespace: fmt.Sprintf("team-%03d", i%200), Name: name, UID: "6f9c1e0a-2d1f-4a6b-9d5e-0c7f3a5b9e11",
		ResourceVersion: strconv.Itoa(1000 + i), CreationTimestamp: at,
		Labels: map[string]string{
			"app.kubernetes.io/name": name, "app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "release",
		},
		Annotations: map[string]string{
			"kubectl.kubernetes.io/last-applied-configuration": strings.Repeat(`{"apiVersion":"v1","kind":"Service"}`, 16),
		},
		ManagedFields: []metav1.ManagedFieldsEntry{{
			Manager: "helm", Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1", Time: &at, FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(strings.Repeat(`{"f:spec":{"f:ports":{".":{}}}}`, 16))},
		}},
	}
}

// madeAddr is the i-th address of a network.
func madeAddr(net byte, i int) string {
	return netip.AddrFrom4([4]byte{net, byte(i >> 16), byte(i >> 8), byte(i)}).String()
}

func madeService(i int) corev1.Service {
	return corev1.Service{
		ObjectMeta: madeMeta(fmt.Sprintf("service-%05d", i), i),
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeLoadBalancer, ClusterIP: madeAddr(10, i), ClusterIPs: []string{madeAddr(10, i)},
			Ports: []corev1.ServicePort{{
				Name: "https", Protocol: corev1.ProtocolTCP, Port: 443, TargetPort: intstr.FromInt32(8443),
			}, {Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromInt32(8080)}},
			Selector: map[string]string{"app.kubernetes.io/instance": "release"},
		},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{
			Ingress: []corev1.LoadBalancerIngress{{IP: madeAddr(198, i)}},
		}},
	}
}

func madeSlice(i int) discoveryv1.EndpointSlice {
	s := discoveryv1.EndpointSlice{
		ObjectMeta: madeMeta(fmt.Sprintf("service-%05d-abcde", i), i), AddressType: discoveryv1.AddressTypeIPv4,
	}
	s.Labels["kubernetes.io/service-name"] = fmt.Sprintf("service-%05d", i)
	for k := range 4 {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{madeAddr(11, 4*i+k)}, NodeName: ptr(fmt.Sprintf("worker-%04d", (i+k)%3000)),
			Conditions: discoveryv1.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)},
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: s.Namespace, Name: fmt.Sprintf("pod-%d-%d", i, k)},
		})
	}
	return s
}
