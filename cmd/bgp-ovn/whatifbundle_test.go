package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// bundleOf writes a support bundle of one chassis of a snapshot file, with a configuration.
func bundleOf(t *testing.T, snapshot, chassis, conf string) string {
	t.Helper()
	raw, err := os.ReadFile(snapshot)
	if err != nil {
		t.Fatal(err)
	}
	var f map[string]json.RawMessage
	var ovs map[string]json.RawMessage
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(f["ovs"], &ovs); err != nil {
		t.Fatal(err)
	}
	if f["ovs"], err = json.Marshal(map[string]json.RawMessage{chassis: ovs[chassis]}); err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), chassis+".tar.gz")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := bundle.NewWriter(out, "bgp-ovn test", time.Unix(0, 0))
	for name, data := range map[string]string{control.PartConfiguration: conf, control.PartSnapshot: string(raw)} {
		if err := w.Add(name, []byte(data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestWhatIfOfBundles: bundles of several nodes are the nodes of one question, each with the
// configuration that it had; who has no bundle is named.
func TestWhatIfOfBundles(t *testing.T) {
	const tenants = "expose_tenant_networks: true\nbgp: {peers: [{address: 192.0.2.1, as: 65000}]}\n"
	first, second := bundleOf(t, failover, "hv1", tenants), bundleOf(t, failover, "hv2", tenants)
	narrow := bundleOf(t, failover, "hv2", "bgp: {peers: [{address: 192.0.2.1, as: 65000}]}\n")
	for _, tt := range []struct {
		name string
		args []string
		exit int
		want string
	}{
		{
			"two nodes",
			[]string{"--bundle", first, "--bundle", second, "--chassis-gone", "hv1"},
			exitDiffers,
			"on 2 nodes: 5 move, 1 announced by nobody, 0 by several, 2 as before\n" +
				"not known is what is announced by: hv3.lab.example\n",
		},
		{
			"the second node does not expose tenant networks",
			[]string{"--bundle", first, "--bundle", narrow, "--chassis-gone", "hv1"},
			exitDiffers,
			"on 2 nodes: 3 move, 3 announced by nobody, 0 by several, 1 as before\n" +
				"not known is what is announced by: hv3.lab.example\n",
		},
		{"one node twice", []string{"--bundle", first, "--bundle", first, "--chassis-gone", "hv1"}, exitError, ""},
		{"no snapshot", []string{"--bundle", os.Args[0], "--chassis-gone", "hv1"}, exitError, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, exit := run(t, nil, append([]string{"what-if"}, tt.args...)...)
			if exit != tt.exit || !strings.HasSuffix(out, tt.want) || exit == exitError && errs == "" {
				t.Errorf("exit %d, want %d\n%s%swant at the end\n%s", exit, tt.exit, out, errs, tt.want)
			}
		})
	}
}
