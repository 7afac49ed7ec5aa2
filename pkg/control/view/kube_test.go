package view_test

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// TestKube: the head says how up to date the list is, and a line what is in the way.
func TestKube(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	address := func(text, verdict, code, why string, bits int) control.KubeAddress {
		a := netip.MustParseAddr(text)
		p := netip.PrefixFrom(a, bits).Masked()
		return control.KubeAddress{
			Address: &a, Path: &p, Kind: "loadbalancer", Nodes: []string{"worker-a", "worker-b"}, Verdict: verdict, Code: code,
			Text: why,
		}
	}
	k := control.Kube{
		Version: 1, Node: "worker-a", State: "draining",
		API: control.KubeAPI{Live: true, Synced: true, Server: "https://192.0.2.100:6443", Kinds: []control.KubeKind{
			{Name: "services", Objects: 4, Followed: true, Heard: &at},
			{Name: "endpointslices", Objects: 3, Error: "the server says 403 Forbidden", Since: &at, Heard: &at},
			{Name: "nodes"},
			{Name: "egressips", Unserved: true},
		}},
		Services: []control.KubeService{
			{Namespace: "default", Name: "web", Addresses: []control.KubeAddress{
				address("198.51.100.20", control.KubeLastResort, "", "", 32),
				address("198.51.100.77", control.KubeAnnounced, "", "", 24),
			}},
			{Namespace: "default", Name: "local", Local: true, Addresses: []control.KubeAddress{
				address("198.51.100.21", control.KubeBlocked, "no-bridge-flow",
					"no flow of table 0 of bridge br-ex lets packets to 198.51.100.21 in", 32),
				address("198.51.100.22", control.KubeNot, "no-local-endpoints", "none is on node worker-a", 32),
			}},
		},
	}
	var b strings.Builder
	show := func(k control.Kube) {
		t.Helper()
		if err := view.Kube(&b, view.Text, k); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n")
	}
	show(k)
	away := k
	away.API.Stale, away.Services = "the Kubernetes API does not tell of services since 2026-03-04T05:06:07Z: timeout", nil
	away.State, away.Code, away.Text = "active", "node-excluded", "the node has the label exclude"
	show(away)
	show(control.Kube{Version: 1, API: control.KubeAPI{Live: true, Kinds: []control.KubeKind{{Name: "services"}}}})
	golden.WholeFile(t, filepath.Join("testdata", "kube", "kube.txt"), b.String())
	if !k.Differs() || !away.Differs() {
		t.Error("a blocked address, or an API that is away, is not told by the exit status")
	}
}
