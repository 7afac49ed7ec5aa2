package speaker

import (
	"log/slog"
	"net/netip"
	"testing"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// What a peer is to have comes back from the speaker, in its one form; a peer without it, and
// one that GoBGP's own BFD watches, has none.
func TestBFDMark(t *testing.T) {
	for _, want := range []object.BFD{
		{}, {On: true}, {On: true, Interval: 50}, {On: true, Multiplier: 10, Multihop: true}, {On: true, Interval: 60000},
	} {
		p := &api.Peer{Conf: &api.PeerConf{Description: Description(netip.Addr{}, 0)}, Bfd: BFDMark(want)}
		if p.Bfd.GetEnabled() {
			t.Errorf("%+v: GoBGP would run its own", want)
		}
		if got := WantedBFD(p); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	defaults := &api.BfdPeerConfig{Port: 3784, DetectionMultiplier: 3, DesiredMinimumTxInterval: 1_000_000}
	for _, p := range []*api.Peer{
		{Conf: &api.PeerConf{Description: Description(netip.Addr{}, 0)}, Bfd: defaults},
		{Conf: &api.PeerConf{Description: "another's"}, Bfd: BFDMark(object.BFD{On: true})},
	} {
		if got := WantedBFD(p); got.On {
			t.Errorf("%v has %+v", p, got)
		}
	}
}

// The text by which BFD ends a session is told apart from an operator's, on either end.
func TestBFDFault(t *testing.T) {
	for reason, want := range map[string]Fault{
		"BFD Down: detection time expired": FaultBFD, "maintenance": FaultAdminShutdown,
	} {
		code, text := faultOf("received notification", fields{
			"Code": slog.IntValue(6), "Subcode": slog.IntValue(4), "Communicated-Reason": slog.StringValue(reason),
		})
		if code != want {
			t.Errorf("%q: %s, %s, want %s", reason, code, text, want)
		}
	}
	if got := notificationFault(6, 10); got != FaultBFD {
		t.Errorf("RFC 9384: %s", got)
	}
}
