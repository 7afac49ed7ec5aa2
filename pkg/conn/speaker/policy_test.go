package speaker

import (
	"context"
	"errors"
	"slices"
	"testing"

	api "github.com/osrg/gobgp/v4/api"
)

// policies is a speaker that keeps what is set up in it, and may refuse a step.
type policies struct {
	policy     *api.Policy
	assignment *api.PolicyAssignment
	refuse     string
}

var errRefused = errors.New("refused")

func (p *policies) StartBgp(context.Context, *api.StartBgpRequest) error { return nil }

func (p *policies) AddPolicy(_ context.Context, req *api.AddPolicyRequest) error {
	if p.refuse == "policy" {
		return errRefused
	}
	p.policy = req.GetPolicy()
	return nil
}

func (p *policies) AddPolicyAssignment(_ context.Context, req *api.AddPolicyAssignmentRequest) error {
	if p.refuse == "assignment" {
		return errRefused
	}
	p.assignment = req.GetAssignment()
	return nil
}

// The policy accepts what originates here and rejects everything else, in all of the
// table; before that it rejects IPv6 with an IPv4 next hop.
func TestExportPolicy(t *testing.T) {
	var p policies
	if err := exportPolicy(context.Background(), &p); err != nil {
		t.Fatal(err)
	}
	a := p.assignment
	if a.GetName() != globalTable || a.GetDirection() != api.PolicyDirection_POLICY_DIRECTION_EXPORT ||
		a.GetDefaultAction() != api.RouteAction_ROUTE_ACTION_REJECT || a.GetPolicies()[0].GetName() != p.policy.GetName() {
		t.Errorf("got the assignment %v", a)
	}
	var actions []api.RouteAction
	for _, s := range p.policy.GetStatements() {
		actions = append(actions, s.GetActions().GetRouteAction())
	}
	want := []api.RouteAction{api.RouteAction_ROUTE_ACTION_REJECT, api.RouteAction_ROUTE_ACTION_ACCEPT}
	if !slices.Equal(actions, want) {
		t.Fatalf("got the actions %v", actions)
	}
	mapped, local := p.policy.GetStatements()[0].GetConditions(), p.policy.GetStatements()[1].GetConditions()
	if local.GetRouteType() != api.Conditions_ROUTE_TYPE_LOCAL || len(local.GetAfiSafiIn()) != 0 {
		t.Errorf("accepted is %v, want what is local", local)
	}
	if len(mapped.GetAfiSafiIn()) != 1 || mapped.GetAfiSafiIn()[0].GetAfi() != api.Family_AFI_IP6 ||
		len(mapped.GetNextHopInList()) != 1 || mapped.GetNextHopInList()[0] != "0.0.0.0/0" {
		t.Errorf("rejected first is %v, want IPv6 with an IPv4 next hop", mapped)
	}
}

// A speaker without the policy would pass learned paths on: each failure is reported.
func TestExportPolicyFails(t *testing.T) {
	for _, step := range []string{"policy", "assignment"} {
		if err := exportPolicy(context.Background(), &policies{refuse: step}); !errors.Is(err, errRefused) {
			t.Errorf("%s: got %v, want %v", step, err, errRefused)
		}
	}
}
