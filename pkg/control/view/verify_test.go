package view_test

import (
	"io"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/verify"
)

// A route of EVPN is printed whole under its line, with its VNI: the same address of two
// tenants is two routes.
func TestVerify(t *testing.T) {
	at := time.Date(2026, 3, 4, 14, 0, 0, 0, time.UTC)
	sent := []control.SentTo{{Peer: "192.0.2.4", NextHop: "192.0.2.5"}}
	v := control.Verify{
		At: at, Total: 3,
		Points: []control.LookingPoint{
			{
				Address: "192.0.2.250", AS: 65100, Established: true, Complete: true, Since: at.Add(-time.Hour), Received: 9,
				Kept: 2,
			},
		},
		Counts: []control.StateCount{
			{State: verify.Missing, Count: 1}, {State: verify.Changed, Count: 1}, {State: verify.Found, Count: 1},
		},
		Paths: []control.VerifiedPath{
			{
				Family: object.IPv4Unicast, NLRI: "203.0.113.7/32", State: verify.Found, Sent: sent,
				Results: []verify.Result{{Point: "192.0.2.250", State: verify.Found, NextHop: "192.0.2.9", ASPath: "65000 64999"}},
				Objects: []object.Source{{Table: "Port_Binding", Row: "web-1"}},
			},
			{
				Family: object.L2VPNEVPN, NLRI: "type-2 02:00:00:00:00:07 10.0.0.7 rd 192.0.2.5:70", VNI: 70, Sent: sent,
				State: verify.Missing, Objects: []object.Source{{Table: "Port_Binding", Row: "db-1"}},
				Results: []verify.Result{{Point: "192.0.2.250", State: verify.Missing, Text: "192.0.2.250 does not have it"}},
			},
			{
				Family: object.L2VPNEVPN, NLRI: "type-5 10.0.0.7/32 rd 192.0.2.5:71", VNI: 71, Sent: sent, State: verify.Changed,
				Results: []verify.Result{{
					Point: "192.0.2.250", State: verify.Changed, NextHop: "192.0.2.5", ASPath: "64999",
					Text: "vni is 72, was sent as 71",
				}},
				Objects: []object.Source{{Table: "Port_Binding", Row: "db-2"}},
			},
		},
	}
	v.Total++
	v.Paths = append(v.Paths, control.VerifiedPath{
		Family: object.IPv4Unicast, NLRI: "198.51.100.9/32", State: verify.Extra,
		Since: time.Date(2026, 3, 4, 14, 0, 0, 0, time.Local),
		Results: []verify.Result{{
			Point: "192.0.2.250", State: verify.Extra, NextHop: "192.0.2.5", ASPath: "64999",
			Text: "192.0.2.250 holds it from this node, which does not send it: next hop 192.0.2.5",
		}},
	})
	got := printed(t, func(w io.Writer) error { return view.Verify(w, view.Text, v) })
	narrow(t, got)
	compare(t, got, `LOOKING POINT  AS     STATE        FOR   ADD-PATH  RECEIVED  KEPT
192.0.2.250    65100  established  1h0m  no        9         2

PREFIX OR ROUTE                   STATE    LOOKING POINT  NEXT HOP   AS PATH      OBJECT
203.0.113.7/32                    found    192.0.2.250    192.0.2.9  65000 64999  Port_Binding web-1
type-2 02:00:00..rd 192.0.2.5:70  missing  192.0.2.250    -          -            Port_Binding db-1
    EVPN route type-2 02:00:00:00:00:07 10.0.0.7 rd 192.0.2.5:70, VNI 70
    why: 192.0.2.250 does not have it
    sent to: 192.0.2.4 with next hop 192.0.2.5
type-5 10.0.0.7..rd 192.0.2.5:71  changed  192.0.2.250    192.0.2.5  64999        Port_Binding db-2
    EVPN route type-5 10.0.0.7/32 rd 192.0.2.5:71, VNI 71
    why: vni is 72, was sent as 71
198.51.100.9/32                   extra    192.0.2.250    192.0.2.5  64999        -
    why: 192.0.2.250 holds it from this node, which does not send it: next hop 192.0.2.5
    held since 2026-03-04 14:00:00

1 missing, 1 changed, 1 found
`)
}
