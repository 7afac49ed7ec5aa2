package speaker

import (
	"slices"
	"strings"
	"testing"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// An event is about the families of its paths; one without paths is a session's, which
// concerns all.
func TestHeardIn(t *testing.T) {
	path := func(f object.Family) *apiutil.Path { return &apiutil.Path{Family: WireFamily(f)} }
	for name, tc := range map[string]struct {
		paths []*apiutil.Path
		want  Heard
	}{
		"a session": {nil, Heard{Unicast: true, EVPN: true}},
		"IPv4":      {[]*apiutil.Path{path(object.IPv4Unicast)}, Heard{Unicast: true}},
		"EVPN":      {[]*apiutil.Path{path(object.L2VPNEVPN)}, Heard{EVPN: true}},
		"both":      {[]*apiutil.Path{path(object.L2VPNEVPN), path(object.IPv6Unicast)}, Heard{Unicast: true, EVPN: true}},
	} {
		if got := heardIn(tc.paths); got != tc.want {
			t.Errorf("%s: got %+v, want %+v", name, got, tc.want)
		}
	}
}

// steps collects what an owner is notified of.
type steps []string

func (s *steps) Session(address string, state State) { *s = append(*s, address+" "+string(state)) }
func (*steps) Renew(func() (bool, error)) error      { return nil }
func (*steps) Wake()                                 {}

// Only a step of a session is passed on, not the initial listing's end nor a table's event.
func TestNotify(t *testing.T) {
	peer := func(kind api.WatchEventResponse_PeerEvent_Type) *api.WatchEventResponse {
		return &api.WatchEventResponse{Event: &api.WatchEventResponse_Peer{Peer: &api.WatchEventResponse_PeerEvent{
			Type: kind,
			Peer: &api.Peer{State: &api.PeerState{
				NeighborAddress: "192.0.2.2", SessionState: api.PeerState_SESSION_STATE_ESTABLISHED,
			}},
		}}}
	}
	var got steps
	notify(&got, peer(api.WatchEventResponse_PeerEvent_TYPE_STATE))
	notify(&got, peer(api.WatchEventResponse_PeerEvent_TYPE_END_OF_INIT))
	notify(&got, &api.WatchEventResponse{})
	if !slices.Equal(got, steps{"192.0.2.2 Established"}) {
		t.Errorf("got %v", got)
	}
}

// A socket is an absolute path after unix:, in either spelling of a URL.
func TestSocketPath(t *testing.T) {
	for socket, want := range map[string]string{
		"unix:/run/bgp-ovn/speaker.sock":   "/run/bgp-ovn/speaker.sock",
		"unix:///run/bgp-ovn/speaker.sock": "/run/bgp-ovn/speaker.sock",
	} {
		if got, err := socketPath(socket); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", socket, got, err, want)
		}
	}
	for _, socket := range []string{"", "/run/s", "unix:s", "tcp:127.0.0.1:50051"} {
		if got, err := socketPath(socket); err == nil || !strings.Contains(err.Error(), "unix:/absolute/path") {
			t.Errorf("%q: got %q, %v, want the form that it has to have", socket, got, err)
		}
	}
}
