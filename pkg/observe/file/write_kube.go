package file

import (
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// kube writes objects of the API as far as rules read them, one a line.
func (w *writer) kube(k *observe.Kube) {
	state := kubeState{
		Revision: k.Revision, NodeName: k.NodeName, NodeState: k.NodeState, Stale: k.Stale,
		NoEgressIPs: k.NoEgressIPs, NoNode: k.NoNode,
	}
	for _, r := range k.BadRows {
		state.BadRows = append(state.BadRows, badRow{r.Table, r.Row, r.Err.Error()})
	}
	w.text(",\n\"kube\": {\n \"state\": ")
	w.json(state)
	writeKind(w, kindNode, k.Nodes, nodeJSON)
	writeKind(w, kindService, k.Services, serviceJSON)
	writeKind(w, kindSlice, k.Slices, sliceJSON)
	writeKind(w, kindEgressIP, k.EgressIPs, egressIPJSON)
	w.text("\n}")
}

func writeKind[T any](w *writer, kind string, list []*T, of func(*T) any) {
	w.text(",\n \"" + kind + "\": [")
	for i, o := range list {
		if i > 0 {
			w.text(",")
		}
		w.text("\n  ")
		w.json(of(o))
	}
	w.text("\n ]")
}

func nodeJSON(n *observe.KubeNode) any {
	j := kubeNode{Meta: kubeMeta{Name: n.Name}}
	j.Spec.Unschedulable = n.Unschedulable
	if n.Excluded {
		j.Meta.Labels = map[string]string{observe.KubeLabelExclude: ""}
	}
	if n.GatewayMode != "" {
		j.Meta.Annotations = map[string]string{
			observe.KubeAnnotationModes: `{"default":{"mode":"` + n.GatewayMode + `"}}`,
		}
	}
	if n.NetworkUnavailable {
		j.Status.Conditions = []kubeCondition{{"NetworkUnavailable", "True"}}
	}
	return j
}

func serviceJSON(s *observe.KubeService) any {
	j := kubeService{Meta: kubeMeta{Namespace: s.Namespace, Name: s.Name, Labels: s.Labels}}
	j.Spec.Type, j.Spec.Class, j.Spec.PublishNotReady = s.Type, s.Class, s.PublishNotReady
	j.Spec.ClusterIPs, j.Spec.ExternalIPs = addrTexts(s.ClusterIPs), addrTexts(s.ExternalIPs)
	if s.ExternalLocal {
		j.Spec.External = "Local"
	}
	if s.InternalLocal {
		j.Spec.Internal = "Local"
	}
	for _, p := range s.Ports {
		j.Spec.Ports = append(j.Spec.Ports, kubePort{strings.ToUpper(p.Protocol), int64(p.Port)})
	}
	for _, i := range s.Ingress {
		in := kubeIngress{Hostname: i.Hostname, Mode: i.Mode}
		if i.IP.IsValid() {
			in.IP = i.IP.String()
		}
		j.Status.LoadBalancer.Ingress = append(j.Status.LoadBalancer.Ingress, in)
	}
	return j
}

func addrTexts(list []netip.Addr) []string {
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return out
}

func sliceJSON(s *observe.KubeSlice) any {
	j := kubeSlice{
		Meta: kubeMeta{
			Namespace: s.Namespace, Name: s.Name, Labels: map[string]string{observe.KubeLabelService: s.Service},
		},
		AddressType: s.AddressType, Endpoints: []kubeEndpoint{},
	}
	for _, e := range s.Endpoints {
		out := kubeEndpoint{Node: e.Node}
		out.Conditions.Ready, out.Conditions.Serving = &e.Ready, &e.Serving
		out.Conditions.Terminating = &e.Terminating
		j.Endpoints = append(j.Endpoints, out)
	}
	return j
}

func egressIPJSON(e *observe.KubeEgressIP) any {
	j := kubeEgressIP{Meta: kubeMeta{Name: e.Name}}
	for _, i := range e.Items {
		j.Status.Items = append(j.Status.Items, kubeEgress{i.IP.String(), i.Node})
	}
	return j
}
