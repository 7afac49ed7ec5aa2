package agent

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// TestStatusWiring: a physical network with ports here and no mapping, and a mapping to a
// bridge that does not exist, are problems with what to do.
func TestStatusWiring(t *testing.T) {
	const vm = "include base\nport vmP on dp-pub mac \"fa:16:3e:15:9e:f0 172.24.4.92\" chassis cmp-1 up\n"
	for mapping, want := range map[string]problem.Finding{
		"public:br-ex": {},
		"pubic:br-ex": {
			Code: "unmapped-network",
			Text: "physical network public has 1 ports on this node and no bridge mapping: they are neither reached nor " +
				"announced; the first: vmP",
			Try:    "ovs-vsctl get Open_vSwitch . external_ids:ovn-bridge-mappings; it should have public:BRIDGE",
			Object: problem.Object{Kind: "network", Name: "public"},
		},
		"public:br-x": {
			Code:   "bridge-missing",
			Text:   "external_ids:ovn-bridge-mappings has public:br-x, and Open vSwitch has no bridge br-x",
			Try:    "ovs-vsctl list-br; ovs-vsctl add-br br-x, or correct the mapping",
			Object: problem.Object{Kind: "bridge", Name: "br-x"},
		},
	} {
		s, err := story.Parse(vm + "mapping " + mapping)
		if err != nil {
			t.Fatal(err)
		}
		snap, err := s.Snapshot("cmp-1")
		if err != nil {
			t.Fatal(err)
		}
		var r statusReport
		r.wiring(snap)
		if want.Code == "" {
			if len(r.found) > 0 {
				t.Errorf("%s: got %+v", mapping, r.found)
			}
			continue
		}
		if len(r.found) != 1 || r.found[0] != want {
			t.Errorf("%s: got %+v, want %+v", mapping, r.found, want)
		}
	}
}

// TestStatusScope: status says what of the Southbound database is read, and that it is more
// than was asked for.
func TestStatusScope(t *testing.T) {
	for _, tt := range []struct {
		name    string
		local   bool
		sb      *observe.Southbound
		scope   string
		problem bool
	}{
		{"not read yet", true, nil, "", false},
		{"all, as configured", false, &observe.Southbound{}, "all", false},
		{"a part", true, &observe.Southbound{Asked: &observe.Asked{}}, "local", false},
		{"all, though local is configured", true, &observe.Southbound{}, "all", true},
	} {
		s := statusReport{Status: control.Status{Sources: []control.Source{{Name: "x"}, {Name: "OVN_Southbound"}}}}
		s.scope(tt.local, tt.sb)
		if got := s.Sources[1].Scope; got != tt.scope || s.Sources[0].Scope != "" || s.has("southbound-all") != tt.problem {
			t.Errorf("%s: scope %q, problems %+v", tt.name, got, s.found)
		}
	}
}

// TestStatusHung: each daemon that hangs is a problem of its own, with what it means.
func TestStatusHung(t *testing.T) {
	var r statusReport
	r.hung(daemonSwitch, time.Time{}, "/run/ovs")
	if len(r.found) > 0 {
		t.Errorf("one that answers: got %+v", r.found)
	}
	r.hung(daemonSwitch, time.Now(), "/run/ovs")
	r.hung(daemonController, time.Now(), "/run/ovn")
	if len(r.found) != 2 || r.found[0].Code != "vswitchd-hung" || r.found[1].Code != "ovn-controller-hung" ||
		!strings.Contains(r.found[0].Text, "no flow changes") || !strings.Contains(r.found[1].Try, "ovn-controller") {
		t.Errorf("got %+v", r.found)
	}
}

// TestRemedyOf: what cannot be read says where to look, of each backend.
func TestRemedyOf(t *testing.T) {
	speaker := &actual.ReadError{Backend: "bgp", Err: errors.New("gone")}
	flows := &actual.ReadError{Backend: "ovs", Err: errors.New("gone")}
	const atSpeaker, atSwitch = "is bgp-ovn speaker running", "is ovs-vswitchd running"
	for _, tt := range []struct {
		err              error
		speaker, vswitch bool
	}{
		{multierror.Append(nil, speaker), true, false},
		{multierror.Append(nil, flows), false, true},
		{multierror.Append(nil, flows, speaker), true, true},
		{errors.New("something else"), false, false},
	} {
		got := remedyOf(tt.err)
		if strings.Contains(got, atSpeaker) != tt.speaker || strings.Contains(got, atSwitch) != tt.vswitch {
			t.Errorf("%v: got %q", tt.err, got)
		}
	}
}

// TestStatusForgotten: a session that has been down for longer than restart_time has cost
// us the routes at the neighbour, which status says.
func TestStatusForgotten(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		p    bgp.PeerState
		want bool
	}{
		{bgp.PeerState{Flaps: 1, Since: now.Add(-time.Minute)}, false},
		{bgp.PeerState{Flaps: 1, Since: now.Add(-3 * time.Minute)}, true},
		{bgp.PeerState{Since: now.Add(-3 * time.Minute)}, false}, // it was never up
		{bgp.PeerState{Flaps: 1}, false},
	} {
		if got := forgotten(tt.p, 2*time.Minute, now); (got != "") != tt.want {
			t.Errorf("%+v: got %q", tt.p, got)
		}
	}
}
