package kubeapi

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// AllowReader gives the Reader the role of the manifests that are shipped, and nothing else.
func (s *Server) AllowReader() {
	s.t.Helper()
	paths := map[string]string{
		"ClusterRole":        "/apis/rbac.authorization.k8s.io/v1/clusterroles/",
		"ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/",
	}
	dir := harness.Must(os.Getwd())(s.t)
	text := harness.Must(os.ReadFile(filepath.Join(harness.Top(dir), "deploy/openshift/bgp-ovn.yaml")))(s.t)
	applied := 0
	for part := range strings.SplitSeq(string(text), "\n---\n") {
		var m struct {
			Kind     string
			Metadata struct{ Name string }
		}
		harness.Check(s.t, yaml.Unmarshal([]byte(part), &m))
		if path, ok := paths[m.Kind]; ok {
			s.Do(http.MethodPatch, path+m.Metadata.Name+"?fieldManager=test&force=true", []byte(part))
			applied++
		}
	}
	if applied != len(paths) {
		s.t.Fatalf("%d objects of the manifests applied, want %d", applied, len(paths))
	}
}
