package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// bundleOf is a bundle that has these answers.
func bundleOf(t *testing.T, parts map[string]any) *Recorded {
	t.Helper()
	var b bytes.Buffer
	w := bundle.NewWriter(&b, "p", time.Time{})
	for name, v := range parts {
		raw, err := json.Marshal(v)
		if err == nil {
			err = w.Add(name, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := bundle.Decode(&b, recordedParts()...)
	if err != nil {
		t.Fatal(err)
	}
	return &Recorded{got, slog.New(slog.DiscardHandler)}
}

// tables is a bundle with 7 paths to one of two neighbours or both, and 6 of these.
func tables(t *testing.T) *Recorded {
	t.Helper()
	sent := control.BGPAdvertised{Version: control.Version, NotSent: 2, Paths: []control.AdvertisedPath{}}
	got := control.BGPReceived{Version: control.Version, Reasons: []control.ReasonCount{{Reason: "loop", Count: 9}}}
	for i := range 7 {
		p := control.AdvertisedPath{
			Family: object.IPv4Unicast, NLRI: fmt.Sprintf("192.0.2.%d/32", i), Path: json.RawMessage("{}"),
			Sent: []control.SentTo{{Peer: "198.51.100.1"}}, Objects: []object.Source{},
		}
		if i%2 == 0 {
			p.Sent = append(p.Sent, control.SentTo{Peer: "198.51.100.2"})
		}
		sent.Paths = append(sent.Paths, p)
	}
	for i, reason := range []string{"", "", "loop", "ours", "loop", ""} {
		r := control.ReceivedPath{
			Peer: "198.51.100.1", Family: object.IPv6Unicast, NLRI: fmt.Sprintf("2001:db8:%d::/48", i), Reason: reason,
		}
		if i == 5 {
			r.Peer, r.Family, r.NLRI = "198.51.100.2", object.L2VPNEVPN, "type-5 10.0.0.0/24 rd 1:1"
		}
		got.Paths = append(got.Paths, r)
	}
	return bundleOf(t, map[string]any{
		control.PartAdvertised: sent, control.PartReceived: got, control.PartRejected: got,
		control.PartPeers: control.BGPPeers{
			Version: control.Version, Held: []control.Quarantine{},
			Peers: []control.BGPPeer{{Peer: control.Peer{Address: "198.51.100.1"}}},
		},
	})
}

// TestRecordedTables: the tables of a bundle are asked as those of a controller are, in
// pages, of one neighbour and within a prefix.
func TestRecordedTables(t *testing.T) {
	r := tables(t)
	ctx := t.Context()
	q := control.RouteQuery{Limit: 3}
	var all []string
	for {
		a, err := r.Advertised(ctx, q)
		if err != nil || a.Total != 7 || a.NotSent != 2 || len(a.Paths) > 3 {
			t.Fatalf("%+v, %v", a, err)
		}
		for _, p := range a.Paths {
			all = append(all, strings.TrimSuffix(strings.TrimPrefix(p.NLRI, "192.0.2."), "/32"))
		}
		if q.After = a.Next; q.After == "" {
			break
		}
	}
	if !slices.Equal(all, []string{"0", "1", "2", "3", "4", "5", "6"}) {
		t.Errorf("pages have %v", all)
	}
	within := netip.MustParsePrefix("192.0.2.0/30")
	a, err := r.Advertised(ctx, control.RouteQuery{Limit: 9, Peer: "198.51.100.2", Within: within})
	if err != nil || a.Total != 2 || len(a.Paths) != 2 || a.NotSent != 5 || len(a.Paths[1].Sent) != 1 {
		t.Errorf("to one neighbour: %+v, %v", a, err)
	}
	v, err := r.Received(ctx, control.RouteQuery{Limit: 9}, false)
	if err != nil || v.Total != 6 || len(v.Paths) != 6 || v.Reasons[0].Count != 9 {
		t.Errorf("all that was received: %+v, %v", v, err)
	}
	v, err = r.Received(ctx, control.RouteQuery{Limit: 9, Peer: "198.51.100.1"}, true)
	if err != nil || v.Total != 5 || v.Reasons[0] != (control.ReasonCount{Reason: "loop", Count: 2}) {
		t.Errorf("of one neighbour: %+v, %v", v, err)
	}
	v, err = r.Received(ctx, control.RouteQuery{Limit: 9, Within: netip.MustParsePrefix("2001:db8:3::/48")}, false)
	if err != nil || v.Total != 1 || v.Paths[0].Reason != "ours" {
		t.Errorf("within a prefix: %+v, %v", v, err)
	}
	if _, err := r.Advertised(ctx, control.RouteQuery{Limit: 9, After: "x"}); err == nil {
		t.Error("a page after nothing")
	}
	if p, err := r.BGPPeers(ctx, "198.51.100.1"); err != nil || len(p.Peers) != 1 {
		t.Errorf("peer: %+v, %v", p, err)
	}
	if _, err := r.BGPPeers(ctx, "198.51.100.9"); err == nil {
		t.Error("a peer that the bundle does not have")
	}
}

// TestRecordedFindings: what was found out about packets and the node when the bundle was
// made is told, and what was not is refused.
func TestRecordedFindings(t *testing.T) {
	ctx := context.Background()
	verdict := reach.Verdict{
		Address: here, From: []string{"eth0"}, Stages: []reach.Stage{{Name: "rule", State: reach.Broken}},
	}
	r := bundleOf(t, map[string]any{
		control.PartExplanations: []control.Explanation{{Explanation: reconcile.Explanation{Address: here, Reach: &verdict}}},
		control.PartPlan:         control.Plan{Ops: []control.Step{{Verb: "create", Kind: "route", Key: "k"}}},
		partDoctor:               doctor.ReportOf([]doctor.Finding{{Level: doctor.LevelWarn, Check: "mtu"}}),
	})
	if got, err := r.Trace(ctx, control.TraceQuestion{To: here}); err != nil || !got.Announced || got.Reachable ||
		len(got.From) != 1 || len(got.Stages) != 1 {
		t.Errorf("trace: %+v, %v", got, err)
	}
	for _, q := range []control.TraceQuestion{{To: there}, {To: here, From: "eth1"}, {To: here, Src: there}} {
		if got, err := r.Trace(ctx, q); err == nil || !strings.Contains(err.Error(), "without --bundle") {
			t.Errorf("trace %+v: %+v, %v", q, got, err)
		}
	}
	if a, err := r.Audit(ctx, false); err != nil || a.Result != control.AuditDiffers || a.Remaining != 1 {
		t.Errorf("audit: %+v, %v", a, err)
	}
	if _, err := r.Audit(ctx, true); err == nil {
		t.Error("a bundle was repaired")
	}
	if d, err := r.Doctor(); err != nil || d.Healthy() || len(d.Findings) != 1 {
		t.Errorf("doctor: %+v, %v", d, err)
	}
}
