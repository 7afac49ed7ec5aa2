package bgp_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A neighbour that says that it is alive and takes nothing, while 2,000 paths come and go as fast as they can: its
// session begins anew before what waits for it fills the memory, and one that reads keeps its own.
func TestSlowNeighbour(t *testing.T) {
	for form, open := range map[string]func(testing.TB) *bgp.Backend{
		"embedded": func(t testing.TB) *bgp.Backend { return start(t, nil) },
		"speaker":  func(t testing.TB) *bgp.Backend { return dial(t, spawn(t, "speaker"), nil) },
	} {
		t.Run(form, func(t *testing.T) {
			b := open(t)
			apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast), passive("192.0.2.3", object.IPv4Unicast)))
			ended := make(chan struct{})
			defer close(ended)
			rawPeerAt(t, "192.0.2.2", func([]byte) { <-ended })
			rawPeerAt(t, "192.0.2.3", nil)
			established(t, b, "192.0.2.2")
			established(t, b, "192.0.2.3")
			var changes []object.Change
			for i := range 2000 {
				changes = append(changes, create(path(fmt.Sprintf("198.51.%d.%d/32", i/250, i%250)))...)
			}
			eventually(t, time.Minute, func() string {
				for range 10 {
					apply(t, b, changes)
					for i := range changes {
						changes[i].Before, changes[i].After = changes[i].After, changes[i].Before
					}
				}
				s := stateOf(t, b, "192.0.2.2")
				return emptyIf(s.State != bgp.Established, fmt.Sprintf("it is %s", s.State))
			})
			if s := stateOf(t, b, "192.0.2.3"); s.State != bgp.Established || s.Flaps > 0 {
				t.Errorf("the one that reads: %+v", s)
			}
		})
	}
}

// rawPeerAt is a session from an address that says every two seconds that it is alive, whatever hear waits for.
func rawPeerAt(t testing.TB, address string, hear func([]byte)) {
	t.Helper()
	from := netip.MustParseAddr(address)
	open := speakertest.OpenMessage(neighbourAS, from, speakertest.Families(speakertest.IPv4),
		speakertest.FourOctetAS(neighbourAS))
	eventually(t, 20*time.Second, func() string {
		p, err := speakertest.Dial(t.Context(), from, netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), port))
		if err != nil {
			return err.Error()
		}
		p.Hear(hear)
		if err = p.Establish(open); err != nil {
			p.Close()
			return err.Error()
		}
		t.Cleanup(func() { p.Close() })
		go func() {
			tick := time.NewTicker(2 * time.Second)
			defer tick.Stop()
			for {
				select {
				case <-t.Context().Done():
					return
				case <-tick.C:
					_ = p.Write(speakertest.Message(speakertest.Keepalive, nil)) // the session may have ended
				}
			}
		}()
		return ""
	})
}
