package kubeapi

import (
	"fmt"
	"net/http"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// ServeEgressIPs has the server know EgressIPs, by the resource definition of
// OVN-Kubernetes without its schema.
func (s *Server) ServeEgressIPs() {
	s.t.Helper()
	s.Create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", Object{
		"metadata": Object{"name": "egressips.k8s.ovn.org"},
		"spec": Object{
			"group": "k8s.ovn.org", "scope": "Cluster",
			"names": Object{"plural": "egressips", "singular": "egressip", "kind": "EgressIP"},
			"versions": []any{Object{"name": "v1", "served": true, "storage": true, "schema": Object{
				"openAPIV3Schema": Object{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
			}}},
		},
	})
}

// EgressIP makes an EgressIP that is assigned to a node, once the server serves them.
func (s *Server) EgressIP(name, addr, node string) {
	s.t.Helper()
	o := Object{
		"apiVersion": "k8s.ovn.org/v1", "kind": "EgressIP", "metadata": Object{"name": name},
		"spec":   Object{"egressIPs": []any{addr}},
		"status": Object{"items": []any{Object{"egressIP": addr, "node": node}}},
	}
	harness.Eventually(s.t, patience, func() string {
		code, answer, err := s.Try(s.t.Context(), AdminToken, http.MethodPost, egressIPs, o)
		if err != nil || code != http.StatusCreated {
			return fmt.Sprintf("EgressIP: %d %.200s %v", code, answer, err)
		}
		return ""
	})
}

const egressIPs = "/apis/k8s.ovn.org/v1/egressips"

// MoveEgressIP assigns an EgressIP to another node.
func (s *Server) MoveEgressIP(name, addr, node string) {
	s.t.Helper()
	s.Do(http.MethodPatch, egressIPs+"/"+name, Object{
		"status": Object{"items": []any{Object{"egressIP": addr, "node": node}}},
	})
}
