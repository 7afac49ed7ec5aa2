package speaker

import (
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd/engine"
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
	code, text := faultOf("received notification", fields{"Code": slog.Int64Value(6), "Subcode": slog.Int64Value(10)})
	if want := "received notification code 6(cease) subcode 10(BFD down)"; code != FaultBFD || text != want {
		t.Errorf("RFC 9384: %s, %q, want %q", code, text, want)
	}
}

// What GoBGP has no fields for comes back from the description of a peer's state, whichever
// release wrote it, and no text there does harm.
func TestBFDNotes(t *testing.T) {
	at := time.Unix(0, 1_800_000_000_123_456_789)
	st := engine.Status{
		Err: errors.New("port 3784 is in use"), Counts: map[bfd.Cause]uint64{bfd.CauseNeighbour: 1},
		Events: []engine.Event{{At: at, Change: bfd.Change{
			From: bfd.Up, To: bfd.Down, Diag: bfd.NeighborDown, RemoteDiag: bfd.Expired, ByAdmin: true,
		}}},
	}
	var got BFD
	got.decode(encodeBFD(st))
	if got.Trouble != st.Err.Error() || !slices.Equal(got.Events, st.Events) || !maps.Equal(got.Counts, st.Counts) {
		t.Errorf("got %+v, want %+v", got, st)
	}
	if text := encodeBFD(engine.Status{}); text != "" {
		t.Errorf("nothing to tell is %q", text)
	}
	for text, want := range map[string]string{
		"": "", "BFD: trouble": "trouble", "BFD {": "", "BFD {]": "", "another's": "", `BFD {"events":[{"to":999}]}`: "",
	} {
		var got BFD
		if got.decode(text); got.Trouble != want || len(got.Events) > 0 {
			t.Errorf("%q: %+v", text, got)
		}
	}
}
