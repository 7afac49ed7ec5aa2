package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// The attributes are those that are compared.
func TestVerifyAttributes(t *testing.T) {
	var want []string
	for _, a := range verify.Attributes() {
		want = append(want, string(a))
	}
	if got := verifyAttributes(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A router that is a peer is looked at from another address of this node.
func TestLookingPointThatIsAPeer(t *testing.T) {
	s, problems := Read("c.yaml", []byte(`bgp: {peers: [{address: 192.0.2.6, as: 65000}], `+
		`verify: {points: [{address: 192.0.2.6, as: 65000, local_address: 192.0.2.7}]}}`))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	p, hold := s.BGP.Verify.Points[0], s.BGP.Verify.Hold
	if p.Port != 179 || p.LocalAS != 0 || p.LocalAddress.String() != "192.0.2.7" || hold != defaultVerifyHold {
		t.Errorf("got %+v", s.BGP.Verify)
	}
}

// What cannot be a looking point, or would disturb a neighbour's session, is refused.
func TestBadLookingPoints(t *testing.T) {
	for text, want := range map[string]string{
		"{points: [{as: 65100}]}":          "set the router's IP address",
		"{points: [{address: 192.0.2.6}]}": "set the router's autonomous system number",
		"{hold: 1}":                        "out of range",
		"{router_id: '::1'}":               "is no BGP identifier",
		"{points: [{address: 192.0.2.7, as: 1, ignore: [aigp]}]}":                              "unknown attribute",
		"{points: [{address: 192.0.2.7, as: 1}, {address: 192.0.2.7, as: 1}]}":                 "duplicate looking point",
		"{points: [{address: 192.0.2.7, as: 1, local_address: '2001:db8::1'}]}":                "no session from",
		"{points: [{address: 192.0.2.6, as: 1}]}":                                              "is a peer",
		"{points: [{address: 192.0.2.6, as: 1, local_address: 192.0.2.8}]}":                    "would end the one",
		"{points: [{address: 192.0.2.7, as: 1, password: a, password_file: /does/not/exist}]}": "cannot be read",
	} {
		_, problems := Read("c.yaml", []byte("bgp: {peers: [{address: 192.0.2.6, as: 1, local_address: 192.0.2.8}], verify: "+
			text+"}"))
		if err := problems.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
