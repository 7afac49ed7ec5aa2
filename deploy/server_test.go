package deploy_test

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/kubeapi"
)

// collections are the paths of the kinds of the manifests; NAMESPACE is that of the object.
var collections = map[string]string{
	"Namespace":          "/api/v1/namespaces",
	"ConfigMap":          "/api/v1/namespaces/NAMESPACE/configmaps",
	"ServiceAccount":     "/api/v1/namespaces/NAMESPACE/serviceaccounts",
	"DaemonSet":          "/apis/apps/v1/namespaces/NAMESPACE/daemonsets",
	"ClusterRole":        "/apis/rbac.authorization.k8s.io/v1/clusterroles",
	"ClusterRoleBinding": "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
	"RoleBinding":        "/apis/rbac.authorization.k8s.io/v1/namespaces/NAMESPACE/rolebindings",
}

// TestManifestsOnServer: a real API server takes the manifests, and the role in them allows
// what k8s_ovn_bgp_driver reads and nothing else.
func TestManifestsOnServer(t *testing.T) {
	api := kubeapi.Start(t, kubeapi.Options{})
	for _, file := range []string{"kubernetes/bgp-ovn.yaml", "openshift/bgp-ovn.yaml"} {
		text := string(harness.Must(os.ReadFile(file))(t))
		for part := range strings.SplitSeq(text, "\n---\n") {
			var m struct {
				Kind     string
				Metadata struct{ Name, Namespace string }
			}
			harness.Check(t, yaml.Unmarshal([]byte(part), &m))
			path := strings.ReplaceAll(collections[m.Kind], "NAMESPACE", m.Metadata.Namespace) + "/" + m.Metadata.Name
			apply := path + "?fieldManager=test&force=true&fieldValidation=Strict"
			api.Do(http.MethodPatch, apply+"&dryRun=All", []byte(part))
			api.Do(http.MethodPatch, apply, []byte(part))
		}
	}
	api.ServeEgressIPs()
	const reads, refused = http.StatusOK, http.StatusForbidden
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{http.MethodGet, "/api/v1/services", reads},
		{http.MethodGet, "/api/v1/nodes?fieldSelector=metadata.name%3Dworker-a", reads},
		{http.MethodGet, "/apis/discovery.k8s.io/v1/endpointslices", reads},
		{http.MethodGet, "/apis/k8s.ovn.org/v1/egressips", reads},
		{http.MethodPost, "/apis/k8s.ovn.org/v1/egressips", refused},
		{http.MethodGet, "/api/v1/pods", refused},
		{http.MethodGet, "/api/v1/secrets", refused},
		{http.MethodGet, "/api/v1/configmaps", refused},
		{http.MethodDelete, "/api/v1/namespaces/default/services/kubernetes", refused},
		{http.MethodPatch, "/api/v1/nodes/worker-a", refused},
	} {
		// Rules of a role that was just made take effect within a moment.
		harness.Eventually(t, time.Minute, func() string {
			code, body, err := api.Try(t.Context(), kubeapi.ReaderToken, c.method, c.path, nil)
			if err != nil || code != c.want {
				return c.method + " " + c.path + ": " + string(body)
			}
			return ""
		})
	}
}
