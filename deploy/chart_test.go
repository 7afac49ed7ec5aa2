package deploy_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/internal/golden"
)

// render lints a chart, renders it and checks what comes out against the types of the
// Kubernetes API (tools/helm).
func render(t *testing.T, chart string, values ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"run", "."}, append([]string{chart}, values...)...)...)
	cmd.Dir = "../tools/helm"
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String() + errs.String(), err
}

// The chart is in order, what it renders is what the Kubernetes API knows, the configuration
// in it is one that we take, and the manifests beside it are the same. A field that the API
// does not know is found.
func TestChart(t *testing.T) {
	chart := harness.Must(filepath.Abs("helm/bgp-ovn"))(t)
	out, err := render(t, chart)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	golden.WholeFile(t, "kubernetes/bgp-ovn.yaml", "# The chart of deploy/helm with its default values: "+
		"go test ./deploy -run TestChart -update\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: bgp-ovn\n"+out)
	openshift := harness.Must(filepath.Abs("openshift/values.yaml"))(t)
	services, err := render(t, chart, openshift)
	if err != nil {
		t.Fatalf("%v\n%s", err, services)
	}
	golden.WholeFile(t, "openshift/bgp-ovn.yaml", "# The chart of deploy/helm with values.yaml beside this: "+
		"go test ./deploy -run TestChart -update\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: bgp-ovn\n  labels:\n"+
		"    pod-security.kubernetes.io/enforce: privileged\n"+services)
	bare := filepath.Join(t.TempDir(), "values.yaml")
	harness.Check(t, os.WriteFile(bare, []byte("controller: {privileged: false}\nmetrics: {port: 0}\n"), 0o600))
	if out, err := render(t, chart, bare); err != nil || strings.Contains(out, "privileged: true") ||
		strings.Contains(out, "hostPort") {
		t.Errorf("without privileges and metrics: %v\n%s", err, out)
	}
	config := filepath.Join(t.TempDir(), "config.yaml")
	harness.Check(t, os.WriteFile(config, []byte(configOf(t, out)), 0o600))
	bin := harness.Must(harness.Binary(t.Context()))(t)
	if said, err := exec.Command(bin, "config", "check", "--config", config).CombinedOutput(); err != nil {
		t.Errorf("the configuration in the chart: %v\n%s", err, said)
	}
	wrong := t.TempDir()
	harness.Check(t, os.CopyFS(wrong, os.DirFS(chart)))
	path := filepath.Join(wrong, "templates", "daemonset.yaml")
	text := string(harness.Must(os.ReadFile(path))(t))
	harness.Check(t, os.WriteFile(path, []byte(strings.Replace(text, "hostNetwork:", "hostNetwrk:", 1)), 0o600))
	if out, err := render(t, wrong); err == nil || !strings.Contains(out, "hostNetwrk") {
		t.Errorf("a field that does not exist is not found: %v\n%s", err, out)
	}
}

// configOf is the configuration file in the manifests.
func configOf(t *testing.T, manifests string) string {
	t.Helper()
	for part := range strings.SplitSeq(manifests, "\n---\n") {
		var m struct {
			Kind string
			Data map[string]string
		}
		harness.Check(t, yaml.Unmarshal([]byte(part), &m))
		if m.Kind == "ConfigMap" {
			return m.Data["config.yaml"]
		}
	}
	t.Fatal("there is no ConfigMap")
	return ""
}

// The quadlets give a container what the chart gives it: the same capabilities, directories
// and commands.
func TestQuadlets(t *testing.T) {
	text, err := os.ReadFile("kubernetes/bgp-ovn.yaml")
	harness.Check(t, err)
	for name, command := range map[string]string{"bgp-ovn-speaker.container": "speaker", "bgp-ovn.container": "run"} {
		unit := string(harness.Must(os.ReadFile(filepath.Join("podman", name)))(t))
		if !strings.Contains(unit, "\nExec="+command+"\n") || !strings.Contains(unit, "\nNetwork=host\n") {
			t.Errorf("%s does not run %s in the node's network", name, command)
		}
		_, pod, _ := strings.Cut(string(text), "args:\n        - "+command)
		if pod == "" {
			_, pod, _ = strings.Cut(string(text), "args: ["+command+"]")
		}
		pod, _, _ = strings.Cut(pod, "- name: controller")
		pod, _, _ = strings.Cut(pod, "\n      volumes:")
		mounts := regexp.MustCompile(`mountPath: (/[\w/-]+)`).FindAllStringSubmatch(pod, -1)
		if len(mounts) < 2 {
			t.Fatalf("%s: no mounts in the manifest", name)
		}
		for _, m := range mounts {
			if m[1] != "/tmp" && !regexp.MustCompile(`(?m)^Volume=\S+:`+m[1]+`(:ro)?$`).MatchString(unit) {
				t.Errorf("%s does not mount %s", name, m[1])
			}
		}
	}
	// The controller in the chart is privileged unless it is told not to be.
	chart := string(harness.Must(os.ReadFile("helm/bgp-ovn/templates/daemonset.yaml"))(t))
	for _, name := range []string{"bgp-ovn-speaker.container", "bgp-ovn.container"} {
		unit := string(harness.Must(os.ReadFile(filepath.Join("podman", name)))(t))
		has := strings.Fields(regexp.MustCompile(`(?m)^AddCapability=(.*)$`).FindStringSubmatch(unit)[1])
		if want := "add: [" + strings.ReplaceAll(strings.Join(has, ", "), "CAP_", "") + "]"; !slices.Contains(
			regexp.MustCompile(`add: \[[A-Z_, ]*\]`).FindAllString(chart, -1), want) {
			t.Errorf("%s has %s, which no container of the chart has", name, want)
		}
	}
}

// The site is built, and its generator finds no link that leads nowhere.
func TestSite(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("../scripts/site", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, page := range []string{"index.html", "first-node.html", "runbooks/BgpOvnDown.html"} {
		if _, err := os.Stat(filepath.Join(dir, page)); err != nil {
			t.Error(err)
		}
	}
}
