package speaker

import (
	"context"
	"fmt"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	exportPolicyName = "bgp-ovn-export"
	// globalTable is GoBGP's name for the table that all but route server
	// clients share; policies can be set for nothing smaller.
	globalTable = "global"
)

// exportPolicy keeps learned paths from being announced. Without it GoBGP
// passes on what one neighbour announces to the next, and a node with two top
// of rack switches offers itself as transit between them.
//
// Nor does it announce IPv6 with ourselves as next hop over an IPv4 session:
// GoBGP would put in the IPv4 address as ::ffff:192.0.2.1, which FRR takes for
// valid and nobody can forward to.
func exportPolicy(ctx context.Context, m manager) error {
	policy := &api.Policy{Name: exportPolicyName, Statements: []*api.Statement{{
		Name: "no-mapped-next-hop",
		Conditions: &api.Conditions{
			AfiSafiIn:     []*api.Family{FamilyToAPI(object.IPv6Unicast)},
			NextHopInList: []string{"0.0.0.0/0"},
		},
		Actions: &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_REJECT},
	}, {
		Name:       "local-only",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ROUTE_ACTION_ACCEPT},
	}}}
	if err := m.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
		return fmt.Errorf("add the export policy: %w", err)
	}
	err := m.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name:          globalTable,
		Direction:     api.PolicyDirection_POLICY_DIRECTION_EXPORT,
		Policies:      []*api.Policy{{Name: policy.Name}},
		DefaultAction: api.RouteAction_ROUTE_ACTION_REJECT,
	}})
	if err != nil {
		return fmt.Errorf("set the export policy: %w", err)
	}
	return nil
}
