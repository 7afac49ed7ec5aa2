package story

import (
	"slices"
	"testing"
)

// Ports on a physical network that no mapping names are found, and bridges that are not
// there, each only where it is so.
func TestWiring(t *testing.T) {
	const vm = `port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis cmp-1 up`
	for _, tt := range []struct {
		name, text, chassis      string
		networks, ports, bridges []string
	}{
		{"as it should be", vm, "cmp-1", nil, nil, nil},
		{"a typo", vm + "\nmapping pubic:br-ex", "cmp-1", []string{"public"}, []string{"vmP"}, nil},
		{"elsewhere", vm + "\nmapping pubic:br-ex", "cmp-2", nil, nil, nil},
		{"no mapping at all", vm + "\nmapping", "cmp-1", []string{"public"}, []string{"vmP"}, nil},
		{"a gateway", vm + "\nmapping pubic:br-ex", "gw-1", []string{"public"}, []string{"cr-lrp-gw1"}, nil},
		{"no such bridge", vm + "\nmapping public:br-x", "cmp-1", nil, nil, []string{"br-x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Parse("include base\n" + tt.text)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Snapshot(tt.chassis)
			if err != nil {
				t.Fatal(err)
			}
			var networks, ports, bridges []string
			for _, n := range snap.UnmappedNetworks() {
				networks, ports = append(networks, n.Network), append(ports, n.Ports...)
			}
			for _, m := range snap.MissingBridges() {
				bridges = append(bridges, m.Bridge)
			}
			if !slices.Equal(networks, tt.networks) || !slices.Equal(ports, tt.ports) || !slices.Equal(bridges, tt.bridges) {
				t.Errorf("got networks %v of ports %v and bridges %v", networks, ports, bridges)
			}
		})
	}
}
