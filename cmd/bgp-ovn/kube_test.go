package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
)

// cluster are snapshots of a real OVN-Kubernetes.
const cluster = "../../pkg/drivers/kube/testdata/fixtures/"

// inCluster runs a command on one of them.
func inCluster(t *testing.T, file string, args ...string) (string, int) {
	t.Helper()
	args = append(args, "--snapshot", cluster+file, "--driver", kube.Name, "--chassis", "worker-a")
	out, errs, exit := run(t, nil, args...)
	return out + errs, exit
}

// TestKube: services, addresses, nodes and verdicts, and the explanation of a service, are
// as the golden files have them, and in JSON as their schemas.
func TestKube(t *testing.T) {
	for _, tt := range []struct {
		name, file, schema string
		exit               int
		args               []string
	}{
		{"dual-stack", "dual-stack.json", "kube", exitSame, []string{"kube"}},
		{"etp-cluster", "etp-cluster.json", "kube", exitSame, []string{"kube"}},
		{"etp-cluster-all", "etp-cluster.json", "kube", exitSame, []string{"kube", "--all"}},
		{"etp-local", "etp-local.json", "kube", exitSame, []string{"kube", "default"}},
		{"one-service", "etp-cluster.json", "kube", exitSame, []string{"kube", "default/web"}},
		{"no-such-namespace", "etp-cluster.json", "kube", exitSame, []string{"kube", "other"}},
		{"egress-ip", "egress-ip.json", "kube", exitSame, []string{"kube", "--kube-advertise", "egressip"}},
		{"explain-dual", "dual-stack.json", "explain-service", exitSame, []string{"explain", "default/dual"}},
		{"explain-by-name", "etp-local.json", "explain-service", exitDiffers, []string{"explain", "loc2"}},
		{"explain-pending", "etp-cluster.json", "explain-service", exitDiffers, []string{"explain", "default/pending"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, exit := inCluster(t, tt.file, tt.args...)
			if exit != tt.exit {
				t.Errorf("exit status %d, want %d:\n%s", exit, tt.exit, out)
			}
			golden.WholeFile(t, filepath.Join("testdata", "kube", tt.name+".txt"), out)
			out, _ = inCluster(t, tt.file, append(tt.args, "-o", "json")...)
			if err := apischema.Validate(schemas, tt.schema, []byte(out)); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestKubeRefuses: what is asked of a node outside a cluster, and of a service that there
// is not, says what to do.
func TestKubeRefuses(t *testing.T) {
	out, errs, exit := run(t, nil, "kube", "--snapshot", fixtures+"fip-distributed.json", "--chassis", "hv1")
	if want := kube.Name + " is not among drivers"; exit != exitError || !strings.Contains(errs, want) {
		t.Errorf("exit %d: %s%s", exit, out, errs)
	}
	if out, exit := inCluster(t, "etp-cluster.json", "explain", "default/nobody"); exit != exitError ||
		!strings.Contains(out, `"default/nobody": nothing has this name`) || !strings.Contains(out, "5 services") {
		t.Errorf("exit %d: %s", exit, out)
	}
}
