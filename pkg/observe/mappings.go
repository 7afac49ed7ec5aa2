package observe

import (
	"fmt"
	"strings"
)

// ParseBridgeMappings reads external_ids:ovn-bridge-mappings of table
// Open_vSwitch, a list "physnet:bridge,..." (ovn-controller(8)). Blanks around
// items do not matter. The second result names what is malformed; such items
// are left out and counted all the same, so that the others keep their position.
func ParseBridgeMappings(s string) ([]BridgeMapping, []string) {
	var out []BridgeMapping
	var problems []string
	if strings.TrimSpace(s) == "" {
		return nil, nil
	}
	// A comma after the last item is common and harmless.
	for i, item := range strings.Split(strings.TrimSuffix(strings.TrimSpace(s), ","), ",") {
		item = strings.TrimSpace(item)
		network, bridge, ok := strings.Cut(item, ":")
		network, bridge = strings.TrimSpace(network), strings.TrimSpace(bridge)
		if !ok || network == "" || bridge == "" || strings.ContainsAny(bridge, ": \t") {
			problems = append(problems, fmt.Sprintf("ovn-bridge-mappings: item %d, %q, is not physnet:bridge", i+1, item))
			continue
		}
		if was, ok := mappingOf(out, network); ok {
			problems = append(problems,
				fmt.Sprintf("ovn-bridge-mappings: duplicate network %s: item %d is left out, item %d maps it to %s",
					network, i+1, was.Position, was.Bridge))
			continue
		}
		out = append(out, BridgeMapping{Position: i + 1, Network: network, Bridge: bridge})
	}
	return out, problems
}

func mappingOf(mappings []BridgeMapping, network string) (BridgeMapping, bool) {
	for _, m := range mappings {
		if m.Network == network {
			return m, true
		}
	}
	return BridgeMapping{}, false
}
