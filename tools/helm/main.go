// Command helm lints a chart, prints its manifests as "helm template" does, and checks these
// against the types of the Kubernetes API: a field that no type has is an error.
//
//	helm CHART [VALUES-FILE]
//
// It uses Helm's own packages. No cluster is asked.
package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

const (
	release   = "bgp-ovn"
	namespace = "bgp-ovn"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "helm:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 1 {
		return errors.New("usage: helm CHART [VALUES-FILE]")
	}
	values := chartutil.Values{}
	if len(args) > 1 {
		var err error
		if values, err = chartutil.ReadValuesFile(args[1]); err != nil {
			return err
		}
	}
	for _, m := range lint.All(args[0], values, namespace, true).Messages {
		if m.Severity >= support.WarningSev {
			return fmt.Errorf("lint: %w", m)
		}
	}
	manifests, err := render(args[0], values)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(manifests)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for part := range strings.SplitSeq(manifests[name], "\n---\n") {
			text := strings.TrimSpace(part)
			if text == "" { // it was for other values
				continue
			}
			if err := check([]byte(text)); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			fmt.Printf("---\n# Source: %s\n%s\n", path.Base(name), text)
		}
	}
	return nil
}

func render(dir string, values chartutil.Values) (map[string]string, error) {
	chart, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	return engine.Engine{Strict: true}.Render(chart, all)
}

// check decodes a manifest strictly into the type that it says it is.
func check(text []byte) error {
	var kind struct{ APIVersion, Kind string }
	if err := yaml.Unmarshal(text, &kind); err != nil {
		return err
	}
	types := map[string]any{
		"v1 ServiceAccount": new(corev1.ServiceAccount), "v1 ConfigMap": new(corev1.ConfigMap),
		"apps/v1 DaemonSet": new(appsv1.DaemonSet), rbacv1.GroupName + "/v1 ClusterRole": new(rbacv1.ClusterRole),
		rbacv1.GroupName + "/v1 ClusterRoleBinding": new(rbacv1.ClusterRoleBinding),
		rbacv1.GroupName + "/v1 RoleBinding":        new(rbacv1.RoleBinding),
	}
	into, ok := types[kind.APIVersion+" "+kind.Kind]
	if !ok {
		return fmt.Errorf("no type for %s %s", kind.APIVersion, kind.Kind)
	}
	return yaml.UnmarshalStrict(text, into)
}
