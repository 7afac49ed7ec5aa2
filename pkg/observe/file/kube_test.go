package file_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// What is read of a real cluster is what is written of it.
func TestKubernetesRoundTrip(t *testing.T) {
	paths, err := filepath.Glob("../../drivers/kube/testdata/fixtures/*-*.json")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d fixtures, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			snap, err := read(t, path).Snapshot("worker-a")
			if err != nil {
				t.Fatal(err)
			}
			if len(snap.Kube.BadRows) > 0 || len(snap.SB.Lacks) > 0 || len(snap.SB.Templates) == 0 ||
				len(snap.Kube.Services) == 0 && !strings.Contains(path, "egress") || len(snap.Flows.Bridges["breth0"]) == 0 {
				t.Fatalf("kube %+v, flows %+v, lacks %v", snap.Kube, snap.Flows, snap.SB.Lacks)
			}
			b, _ := snap.OVS.Bridge("breth0")
			if diff := cmp.Diff([]observe.UplinkPort{{Name: "eth0", OFPort: 1}}, b.Uplinks); diff != "" {
				t.Errorf("uplinks (-want +got):\n%s", diff)
			}
			text := write(t, snap)
			f, err := file.Decode(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			back, err := f.Snapshot("")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(snap, back, same, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-read +read again):\n%s", diff)
			}
			for _, dropped := range []string{"host-cidrs", "egressip-mark", "creationTimestamp", "Secret"} {
				if bytes.Contains(text, []byte(dropped)) {
					t.Errorf("the file has %s, which no rule reads", dropped)
				}
			}
			if again := write(t, back); !bytes.Equal(text, again) {
				t.Error("the file changes when it is read and written")
			}
		})
	}
}

// TestKubernetesGarbage reads objects that no API server has: each costs itself.
func TestKubernetesGarbage(t *testing.T) {
	f, err := file.Decode(strings.NewReader(`{"meta": {"sb_schema": "20.27.0"}, "sb": {}, "ovs": {"a": {}}, "kube": {
"Service": [1, null, {"metadata": {"name": "x", "namespace": "n"}, "spec": {"ports": "many"}},
 {"metadata": {"name": "y", "namespace": "n"}, "spec": {"clusterIPs": ["None", "fe80::1%eth0", "::ffff:1.2.3.4"],
  "ports": [{"port": 70000}, {"port": 53, "protocol": "UDP"}]},
  "status": {"loadBalancer": {"ingress": [{}, {"ip": "nonsense"}, {"hostname": "h"}]}}}],
"EndpointSlice": [{"metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "y"}}, "endpoints": [{}]},
 {"metadata": {"name": "headless",
  "labels": {"kubernetes.io/service-name": "y", "service.kubernetes.io/headless": ""}}},
 {"metadata": {"name": "mirrored", "labels": {"k8s.ovn.org/service-name": "y"}}}],
"EgressIP": null, "Secret": [{"data": {}}]},
"flows": {"a": {"br": ["", "garbage", "priority=1,tcp,nw_dst=1.2.3.4,tp_dst=80 actions=drop",
 "table=1, priority=1,tcp,nw_dst=1.2.3.4,tp_dst=80 actions=NORMAL",
 "tcp,in_port=1,nw_src=10.0.0.0/8,nw_dst=1.2.3.4,tp_dst=80 actions=output:2"]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	k := f.Kube
	var bad []string
	for _, r := range k.BadRows {
		bad = append(bad, r.Row)
	}
	if diff := cmp.Diff([]string{"number 1", "n/x"}, bad); diff != "" {
		t.Errorf("bad objects (-want +got):\n%s", diff)
	}
	y, ok := k.Service("n", "y")
	if !ok || len(y.Problems) != 4 || len(y.Ports) != 1 || len(y.Ingress) != 1 || len(y.ClusterIPs) != 0 {
		t.Errorf("service %+v", y)
	}
	if len(k.Slices) != 1 || !k.Slices[0].Endpoints[0].Ready || !k.Slices[0].Endpoints[0].Serving {
		t.Errorf("slices %+v", k.Slices)
	}
	if got := f.Flows["a"].Bridges["br"]; len(got) != 1 || !got[0].Drops() {
		t.Errorf("flows %+v", got)
	}
	if !f.Southbound.LacksColumn(observe.ColumnLRGroup) {
		t.Error("schema 20.27 has no router groups")
	}
}
