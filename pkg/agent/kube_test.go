package agent

import (
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// TestCordonIsADrain: a cordon is told as a drain is, by the same code, with what ends it;
// without one, or where it has no effect, there is no such problem.
func TestCordonIsADrain(t *testing.T) {
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for _, tt := range []struct {
		name string
		st   kube.Status
		want string
	}{
		{"none", kube.Status{Node: "worker-a"}, ""},
		{
			"draining",
			kube.Status{Node: "worker-a", Cordoned: now.Add(-time.Second), Drained: now.Add(29 * time.Second)},
			"its service addresses are a last resort, and are withdrawn from ",
		},
		{
			"drained",
			kube.Status{Node: "worker-a", Cordoned: now.Add(-time.Minute), Drained: now.Add(-30 * time.Second)},
			"its service addresses are withdrawn",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := statusReport{Status: control.Status{}}
			s.cordoned(tt.st, now)
			if tt.want == "" {
				if len(s.found) != 0 {
					t.Errorf("got %+v", s.found)
				}
				return
			}
			if len(s.found) != 1 || s.found[0].Code != "drained" || !strings.Contains(s.found[0].Text, tt.want) ||
				s.found[0].Try != "kubectl uncordon worker-a takes it back into service" || s.found[0].Since != tt.st.Cordoned {
				t.Errorf("got %+v", s.found)
			}
		})
	}
}

// TestKubeRemedy: what to do follows from what the server says.
func TestKubeRemedy(t *testing.T) {
	for fault, want := range map[string]string{
		"services: 403: not allowed: services is forbidden":       "ClusterRole of deploy/helm",
		"services: 401: Unauthorized":                             "renew the token",
		"nodes: tls: failed to verify certificate: x509: unknown": "the CA in kube.kubeconfig",
		"services: connection refused":                            "/readyz",
	} {
		if got := kubeRemedy(fault); !strings.Contains(got, want) {
			t.Errorf("%s: %s", fault, got)
		}
	}
}
