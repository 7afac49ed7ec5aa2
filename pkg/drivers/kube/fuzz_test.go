package kube_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// FuzzGarbage derives and explains a cluster of which the objects of the API, a key of a load
// balancer with its backends, an entry of nat_addresses and a flow are any text: nothing
// panics, and the same comes out of it twice.
func FuzzGarbage(f *testing.F) {
	const flow = "cookie=0x1, priority=110,tcp,in_port=1,nw_dst=198.51.100.21,tp_dst=443 actions=output:2"
	for _, name := range []string{"etp-local", "egress-ip", "dual-stack"} {
		raw, err := os.ReadFile("testdata/fixtures/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		var parts struct{ Kube json.RawMessage }
		if err := json.Unmarshal(raw, &parts); err != nil {
			f.Fatal(err)
		}
		f.Add(string(parts.Kube), "198.51.100.21:443", "10.244.1.9:8443", "02:42:ac:12:00:02 192.0.2.50", flow)
	}
	f.Add(`{"Service":[{"metadata":{"namespace":"a","name":"b"},"spec":{"ports":[{"port":-1}]}}]}`, "[^x]:1", "^x",
		`x is_chassis_resident("")`, "arp actions=")
	f.Fuzz(func(t *testing.T, objects, key, backends, nat, line string) {
		have, err := file.Decode(strings.NewReader(`{"sb":{},"ovs":{"a":{}},"kube":` + objects + `}`))
		if err != nil || have.Kube == nil {
			return
		}
		text := "include kube\nbalancer garbage lr GR_worker-a"
		if !strings.ContainsAny(nat, "'\n") {
			text += "\nset etor-GR_worker-a nat '" + nat + "'"
		}
		world, err := story.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		snap := view(t, world, workerA)
		k := *have.Kube
		k.NodeName = "worker-a"
		snap.Kube = &k
		snap.SB.Balancers[0].VIPs = map[string]string{key: backends}
		if flow, ok := observe.ParseBridgeFlow(line); ok {
			snap.Flows.Bridges["br-ex"] = []observe.BridgeFlow{flow}
		}
		deriveGarbage(t, snap)
	})
}

func deriveGarbage(t *testing.T, snap observe.Snapshot) {
	cfg := kube.Config{Expose: expose.DefaultOptions(), Advertise: kube.Kinds(), Policies: []kube.Policy{{Aggregate4: 8}}}
	d := kube.New(cfg)
	one, again := desired.Compute(snap, nil, d), desired.Compute(snap, nil, d)
	if len(one.Panics) > 0 {
		t.Fatalf("panic: %+v", one.Panics)
	}
	if !reflect.DeepEqual(one.Want.Sorted(), again.Want.Sorted()) || !reflect.DeepEqual(one.Skipped, again.Skipped) {
		t.Errorf("twice not the same: %v and %v", one.Want.Sorted(), again.Want.Sorted())
	}
	d.Explain(snap, netip.MustParseAddr("198.51.100.21"))
	for _, s := range snap.Kube.Services {
		for addr := range d.ExplainService(snap, s.Namespace, s.Name) {
			if addr.IsValid() {
				d.Explain(snap, addr)
			}
		}
	}
	for _, e := range snap.Kube.EgressIPs {
		for _, item := range e.Items {
			d.Explain(snap, item.IP)
		}
	}
}
