package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// printed is what f writes.
func printed(t *testing.T, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := f(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func compare(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

var aPlan = control.Plan{
	Version: 1, Summary: "1 to create, 0 to update, 0 to delete",
	Ops:   []control.Step{{Verb: "create", Line: "+ route   192.0.2.7/32"}},
	Notes: []control.Note{{Line: "! path    192.0.2.8/32  held: a row"}},
}

func TestPlan(t *testing.T) {
	compare(t, printed(t, func(w io.Writer) error { return view.Plan(w, view.Text, aPlan) }),
		"+ route   192.0.2.7/32\n! path    192.0.2.8/32  held: a row\n1 to create, 0 to update, 0 to delete\n")
}

func TestAudit(t *testing.T) {
	for _, tt := range []struct {
		name string
		a    control.Audit
		want string
	}{
		{"no drift", control.Audit{Drift: control.Plan{Summary: "0 to create"}}, "0 to create\nno drift\n"},
		{
			"drift",
			control.Audit{Drift: control.Plan{Ops: aPlan.Ops, Summary: "1 to create"}},
			"+ route   192.0.2.7/32\n1 to create\n1 difference remains\n",
		},
		{
			"repaired",
			control.Audit{
				Drift: control.Plan{Ops: aPlan.Ops, Summary: "1 to create"}, Repaired: true,
				Failed: []control.FailedStep{{Line: "no device"}},
			},
			"+ route   192.0.2.7/32\n1 to create\nfailed: no device\nrepaired 0 of 1 differences\n1 difference remains\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			compare(t, printed(t, func(w io.Writer) error { return view.Audit(w, view.Text, tt.a) }), tt.want)
		})
	}
}

func TestReload(t *testing.T) {
	compare(t, printed(t, func(w io.Writer) error { return view.Reload(w, view.Text, control.Reload{}) }),
		"nothing changed\n")
	r := control.Reload{Changed: []string{"bgp.peers", "fuse.hold"}, Plan: &control.Plan{Summary: "nothing"}}
	compare(t, printed(t, func(w io.Writer) error { return view.Reload(w, view.Text, r) }),
		"changed: bgp.peers, fuse.hold\nnothing\n")
}

func TestDesired(t *testing.T) {
	var d control.Desired
	err := json.Unmarshal([]byte(`{"version":1,"chassis":"hv1",
		"objects":[{"kind":"path","line":"path 192.0.2.7/32",
			"why":[{"table":"Port_Binding","row":"vm","driver":"d","rule":"R1"},{}]},
			{"line":"peer x","why":[]}],
		"skipped":[{"kind":"route","key":"192.0.2.9/32","code":"not-wired","text":"no br-ex"},
			{"table":"Port_Binding","row":"vm-b","code":"unreadable","text":"bad mac"}]}`), &d)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, printed(t, func(w io.Writer) error { return view.Desired(w, view.Text, d) }),
		`path 192.0.2.7/32  # Port_Binding vm (d R1)
peer x
! route 192.0.2.9/32  not-wired: no br-ex
! Port_Binding vm-b: unreadable: bad mac
`)
}

func TestEVPN(t *testing.T) {
	e := control.EVPN{VNIs: []control.VNI{
		{
			VNI: 1001, VXLAN: "vxlan-1001", Bridge: "br-1001", VRF: "vrf-1001", Table: 1001, VTEP: "192.0.2.11",
			RouterMAC: "02:00:00:00:00:01",
			RDs:       []string{"192.0.2.11:1001"}, Targets: []string{"64999:1001"},
			Announced: []control.EVPNRoute{{Line: "a"}, {Line: "b"}},
			Missing:   []control.Missing{{Line: "link x: to create"}, {Line: "y"}},
		},
		{
			VNI: 2002, VXLAN: "vxlan-2002", Bridge: "br-2002", VTEP: "192.0.2.11",
			Stations: []control.Station{{Line: "02:00:00:00:00:02 here"}},
		},
	}}
	compare(t, printed(t, func(w io.Writer) error { return view.EVPN(w, view.Text, e, false) }),
		`VNI   VRF          RD               ANNOUNCED  REMOTE  VTEPS  STATE
1001  vrf-1001     192.0.2.11:1001  2          0       0      2 MISSING, first: link x: to create
2002  (stretched)  -                0          0       0      ok
`)
	compare(t, printed(t, func(w io.Writer) error { return view.EVPN(w, view.Text, e, true) }),
		`VNI 1001  VRF vrf-1001, table 1001, router MAC 02:00:00:00:00:01
  devices      vxlan-1001 in br-1001, VTEP 192.0.2.11
  rd           192.0.2.11:1001
  rt export    64999:1001
  announced    a
  announced    b
  MISSING      link x: to create
  MISSING      y
VNI 2002  stretched network
  devices      vxlan-2002 in br-2002, VTEP 192.0.2.11
  station      02:00:00:00:00:02 here
`)
	compare(t, printed(t, func(w io.Writer) error { return view.EVPN(w, view.Text, control.EVPN{}, false) }),
		"no VNI is wanted on this node\n")
}

func TestStatus(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	s := control.Status{
		Program: "bgp-ovn 1.0", Chassis: "hv1", State: problem.Down, At: at.Add(250 * time.Second),
		Problems: []control.Problem{{
			Code: "uplink-down", Text: "device fabric0 is down", Try: "ip link set fabric0 up", Since: at, Count: 1,
			Explains: []control.Problem{
				{Code: "peer-down", Text: "peer 192.0.2.1 is Active: hold timer expired", Count: 2, Of: 2},
				{
					Code: "uplink-down", Count: 312, Of: 400,
					Text: "203.0.113.7 is announced and not reachable here: device fabric0 is down",
				},
			},
		}, {Code: "frozen", Text: "x", Since: at.Add(-24 * time.Hour), Count: 1}},
		LastHour: []problem.Past{
			{Code: "peer-down", Text: "peer 192.0.2.4 is Active", From: at.Add(-time.Hour), To: at.Add(-time.Minute), Times: 1},
			{Code: "contested", Text: "somebody", From: at.Add(-time.Minute), To: at, Times: 7},
		},
		Sources: []control.Source{{Name: "OVN_Southbound", OK: true, Text: "tcp:192.0.2.9:6642"}},
		Peers: []control.Peer{{
			Address: "192.0.2.1", AS: 65000, State: "Active", Families: []control.PeerFamily{{
				Family: object.IPv4Unicast,
				Sent:   3,
			}},
		}},
		Counts:    []control.Count{{Kind: object.KindRoute, Wanted: 2, Have: 1}},
		LastRound: &control.RoundTime{At: at, Seconds: 0.001, Summary: "nothing"},
		Rounds:    9, EmptyRounds: 8, Audits: 1, Steps: 4, FailedSteps: 1, StateWrites: 2,
		NotAsWanted: []control.Note{{Line: "! one"}}, Filtered: []control.Note{{Line: "! two"}},
		ShadowedBy: []control.Rule{{Line: "10: from all lookup 7"}},
		Skipped:    []observe.Skip{{Table: "Port_Binding", Row: "vm", Code: "unreadable", Text: "bad mac"}},
	}
	compare(t, printed(t, func(w io.Writer) error { return view.Status(w, view.Text, s) }),
		`bgp-ovn 1.0 on chassis hv1: DOWN, 2 problems
  ! uplink-down: device fabric0 is down
    since 05:06:07, 4m10s
    try: ip link set fabric0 up
    - therefore peer-down: peer 192.0.2.1 is Active: hold timer expired; and 1 more like it (2 of 2)
    - therefore uplink-down: 203.0.113.7 is announced and not reachable here: device fabric0 is
      down; and 311 more like it (312 of 400)
  ! frozen: x
    since 2026-03-03 05:06:07, 24h4m
gone within the last hour
  04:06:07-05:05:07  peer-down: peer 192.0.2.4 is Active
  05:05:07-05:06:07  contested: somebody (7 times)
sources
  OVN_Southbound                           tcp:192.0.2.9:6642
peers
  192.0.2.1                AS 65000      Active       since the start  ipv4-unicast sent 3
objects             wanted    present
  route                  2          1
last round 2026-03-04 05:06:07, took 1ms: nothing
rounds 9, of which 8 changed nothing; audits 1; steps 4, failed 1; state writes 2
filtered by policy: 1 (bgp.export)
shadowed by rule: 10: from all lookup 7
skipped: Port_Binding vm: unreadable: bad mac
! one
! two
`)
	narrow(t, printed(t, func(w io.Writer) error { return view.Status(w, view.Text, s) }))
	s = control.Status{Program: "bgp-ovn 1.0", Chassis: "hv1", Healthy: true}
	if got := printed(t, func(w io.Writer) error { return view.Status(w, view.Text, s) }); !strings.HasPrefix(got,
		"bgp-ovn 1.0 on chassis hv1: healthy\n") {
		t.Errorf("got %s", got)
	}
}

// JSON is indented and ends with a line end; the text is not in it.
func TestJSON(t *testing.T) {
	got := printed(t, func(w io.Writer) error {
		return view.Reload(w, view.JSON,
			control.Reload{Version: 1, Changed: []string{}})
	})
	compare(t, got, "{\n  \"version\": 1,\n  \"changed\": []\n}\n")
	if err := view.Print(io.Discard, view.JSON, func() {}, ""); err == nil {
		t.Error("a function was encoded")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteError(t *testing.T) {
	for _, form := range []view.Form{view.Text, view.JSON} {
		if err := view.Plan(full{}, form, aPlan); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("%s: %v", form, err)
		}
	}
}

func TestParseForm(t *testing.T) {
	for _, form := range []view.Form{view.Text, view.JSON} {
		if got, err := view.ParseForm(string(form)); err != nil || got != form {
			t.Errorf("%s: %q, %v", form, got, err)
		}
	}
	if _, err := view.ParseForm("xml"); err == nil || err.Error() != `--output "xml": use text, json or yaml` {
		t.Errorf("xml: %v", err)
	}
}
