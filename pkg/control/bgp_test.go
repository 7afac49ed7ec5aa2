package control_test

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// The tables of BGP arrive as they were given, and questions with all that bounds them.
func TestBGPRoundTrip(t *testing.T) {
	at, med := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), uint32(0)
	want := &canned{
		peers: control.BGPPeers{Version: 1, Held: []control.Quarantine{}, Peers: []control.BGPPeer{{
			Peer:   control.Peer{Address: "192.0.2.1", AS: 65000, State: "Active", Families: []control.PeerFamily{}},
			Fault:  &control.BGPFault{Code: "wrong-as", Text: "t", At: at, Cause: "c", Remedy: "r", Current: true},
			Local:  []control.BGPCapability{{Name: "family", Detail: "ipv4-unicast"}},
			Remote: []control.BGPCapability{}, Downtime: 1.5, OurRoutes: control.BGPKeeping{Kept: "no", Reason: "x"},
			Counts: []control.BGPCounts{{Family: object.IPv4Unicast, Sent: 7}},
		}}},
		sent: control.BGPAdvertised{Version: 1, Total: 1, Paths: []control.AdvertisedPath{{
			Family: object.IPv6Unicast, NLRI: "2001:db8::1/128", Path: json.RawMessage(`{"med":7}`),
			Sent:    []control.SentTo{{Peer: "p", NextHop: "h"}},
			Objects: []object.Source{{Table: "Port_Binding", Row: "vm"}},
		}}},
		received: control.BGPReceived{
			Version: 1, Total: 2, Reasons: []control.ReasonCount{}, Next: "n",
			Paths: []control.ReceivedPath{{
				Family: object.L2VPNEVPN, NLRI: "x", MED: &med, Origin: object.OriginEGP, Since: at, Communities: []string{},
				LargeCommunities: []string{}, Reason: "loop",
			}},
		},
	}
	c := control.NewClient(serve(t, want))
	q := control.RouteQuery{Peer: "fe80::1%eth0", Within: netip.MustParsePrefix("10.0.0.0/8"), Limit: 7, After: "a|b|c%|1"}
	got := &canned{}
	var err error
	if got.peers, err = c.BGPPeers(t.Context(), "fe80::1%eth0"); err != nil {
		t.Fatal(err)
	}
	if got.sent, err = c.Advertised(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	if _, err = c.Received(t.Context(), q, true); err != nil {
		t.Fatal(err)
	}
	if got.received, err = c.Received(t.Context(), q, false); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.peers, want.peers) || !reflect.DeepEqual(got.sent, want.sent) ||
		!reflect.DeepEqual(got.received, want.received) {
		t.Errorf("got %+v %+v %+v", got.peers, got.sent, got.received)
	}
	asked := []any{"peers fe80::1%eth0", "advertised", q, "received true", q, "received false", q}
	if !slices.Equal(want.asked, asked) {
		t.Errorf("asked %v, want %v", want.asked, asked)
	}
}

// What a client may write is checked.
func TestRouteQuery(t *testing.T) {
	for _, text := range []string{
		"peer=x", "limit=0", "limit=-1", "limit=5001", "limit=x", "within=x", "within=10.0.0.1/8",
	} {
		v, err := url.ParseQuery(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := control.ParseRouteQuery(v); err == nil {
			t.Errorf("%s was taken", text)
		}
	}
	q, err := control.ParseRouteQuery(url.Values{"within": {"10.0.0.7"}})
	if err != nil || q.Limit != control.DefaultRoutes || q.Within.String() != "10.0.0.7/32" {
		t.Errorf("got %+v, %v", q, err)
	}
}
