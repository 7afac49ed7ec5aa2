package ovs

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

func open(t *testing.T, cfg Config) *Source {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// await returns the first state that satisfies holds, woken by Changed alone.
func await(t *testing.T, s *Source, what string, holds func(*observe.OpenVSwitch) bool) *observe.OpenVSwitch {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		o, err := s.Read(t.Context())
		if err == nil && holds(o) {
			return o
		}
		select {
		case <-s.Changed():
		case <-deadline:
			t.Fatalf("in vain waited until %s; have %+v, %v", what, o, err)
		}
	}
}

func fresh(o *observe.OpenVSwitch) bool { return o.Stale == "" }

func hasPatch(localnet string, ofport uint16) func(*observe.OpenVSwitch) bool {
	return func(o *observe.OpenVSwitch) bool {
		b, _ := o.Bridge("br-ex")
		p, ok := b.Patch(localnet)
		return ok && p.OFPort == ofport
	}
}

func made(want ...observe.MadePort) func(*observe.OpenVSwitch) bool {
	return func(o *observe.OpenVSwitch) bool {
		b, _ := o.Bridge("br-ex")
		return slices.Equal(b.Made, want)
	}
}

// addPatch adds what ovn-controller does for a localnet port.
func addPatch(sw *vswitchtest.Switch, localnet, name string) {
	peer := "peer-" + name
	sw.Vsctl("add-port", "br-ex", name, "--", "set", "interface", name, "type=patch", "options:peer="+peer,
		"--", "set", "port", name, "external_ids:ovn-localnet-port="+localnet,
		"--", "add-port", "br-int", peer, "--", "set", "interface", peer, "type=patch", "options:peer="+name)
}

func TestRealDatabase(t *testing.T) {
	sw := vswitchtest.Start(t)
	s := open(t, Config{Endpoint: sw.Endpoint()})
	sw.AddBridge("br-ex")
	sw.AddBridge("br-int")
	sw.Vsctl("set", "open_vswitch", ".", "external_ids:system-id=cmp-1", "external_ids:hostname=cmp-1.example",
		`external_ids:ovn-remote="tcp:192.0.2.1:6642, ssl:[2001:db8::1]:6642"`,
		`external_ids:ovn-encap-ip="192.0.2.9,2001:db8::9,none"`,
		`external_ids:ovn-nb-remote="tcp:192.0.2.1:6641"`,
		`external_ids:ovn-bridge-mappings="public:br-ex,bad,net2:br-ex"`)
	addPatch(sw, "provnet-1", "any-name")

	o := await(t, s, "the patch port has a number", func(o *observe.OpenVSwitch) bool {
		return hasPatch("provnet-1", 1)(o) && len(o.Mappings) == 2
	})
	b, _ := o.Bridge("br-ex")
	wantMAC, err := object.ParseMAC(strings.Trim(sw.Vsctl("get", "interface", "br-ex", "mac_in_use"), `"`))
	if err != nil || b.MAC != wantMAC || b.DatapathType != "netdev" {
		t.Errorf("got bridge %+v, want MAC %v, %v", b, wantMAC, err)
	}
	want := &observe.OpenVSwitch{
		Revision: o.Revision, Bridges: o.Bridges, Problems: o.Problems,
		SystemID: "cmp-1", Hostname: "cmp-1.example", IntegrationBridge: "br-int",
		Remotes:   []string{"tcp:192.0.2.1:6642", "ssl:[2001:db8::1]:6642"},
		NBRemotes: []string{"tcp:192.0.2.1:6641"},
		EncapIPs:  []netip.Addr{netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8::9")},
		Mappings: []observe.BridgeMapping{
			{Position: 1, Network: "public", Bridge: "br-ex"},
			{Position: 3, Network: "net2", Bridge: "br-ex"},
		},
	}
	if !reflect.DeepEqual(o, want) || len(o.Problems) != 2 {
		t.Errorf("got  %+v\nwant %+v and two problems", o, want)
	}

	t.Run("MAC changes", func(t *testing.T) {
		sw.Vsctl("set", "bridge", "br-ex", "other_config:hwaddr=02:00:00:00:00:aa")
		await(t, s, "the bridge has another MAC", func(o *observe.OpenVSwitch) bool {
			b, _ := o.Bridge("br-ex")
			return b.MAC == object.MAC{2, 0, 0, 0, 0, 0xaa}
		})
	})
	t.Run("number changes", func(t *testing.T) {
		sw.Vsctl("set", "interface", "any-name", "ofport_request=7")
		await(t, s, "the port has number 7", hasPatch("provnet-1", 7))
	})
	t.Run("no number", func(t *testing.T) {
		// The peer is missing, so that ovs-vswitchd still adds it; the type is
		// unknown, so that it cannot.
		sw.Vsctl("--no-wait", "add-port", "br-ex", "odd", "--", "set", "interface", "odd", "type=nonsense",
			"--", "set", "port", "odd", "external_ids:ovn-localnet-port=provnet-2")
		await(t, s, "the port is there without a number", hasPatch("provnet-2", 0))
		sw.Vsctl("del-port", "odd")
	})
	t.Run("ports of ours", func(t *testing.T) { portsOfOurs(t, sw, s) })
	t.Run("per system-id", func(t *testing.T) { perSystemID(t, sw, s) })
	t.Run("quiet", func(t *testing.T) {
		before := await(t, s, "there is a state", fresh)
		sw.Vsctl("set", "open_vswitch", ".", "external_ids:nobody-reads=this", "--", "set", "bridge", "br-ex",
			"other_config:x=y")
		sw.Vsctl("set", "open_vswitch", ".", "external_ids:hostname=late")
		after := await(t, s, "the last change is seen", func(o *observe.OpenVSwitch) bool { return o.Hostname == "late" })
		if after.Revision != before.Revision+1 {
			t.Errorf("revision went from %d to %d for one change that matters", before.Revision, after.Revision)
		}
	})
	t.Run("bridge deleted", func(t *testing.T) {
		sw.Vsctl("del-br", "br-ex")
		await(t, s, "the bridge is gone", func(o *observe.OpenVSwitch) bool {
			_, ok := o.Bridge("br-ex")
			return !ok
		})
	})
}

// portsOfOurs: the ports that we made are known with their numbers, and no others.
func portsOfOurs(t *testing.T, sw *vswitchtest.Switch, s *Source) {
	t.Helper()
	sw.Host("ip", "link", "add", "veth-ovs-1001", "type", "veth", "peer", "name", "veth-vrf-1001")
	sw.Vsctl("add-port", "br-ex", "vlan-1002", "tag=7", "--", "set", "interface", "vlan-1002", "type=internal",
		"ofport_request=9",
		"--", "set", "port", "vlan-1002", "external_ids:bgp-ovn=1", "--", "add-port", "br-ex", "foreign",
		"--", "add-port", "br-ex", "veth-ovs-1001", "--", "set", "port", "veth-ovs-1001",
		"external_ids:bgp-ovn=some-later-version",
		"--", "set", "interface", "veth-ovs-1001", "ofport_request=12")
	await(t, s, "both have their numbers", made(observe.MadePort{Name: "veth-ovs-1001", OFPort: 12},
		observe.MadePort{Name: "vlan-1002", OFPort: 9}))
	sw.Vsctl("--no-wait", "add-port", "br-ex", "away", "--", "set", "port", "away", "external_ids:bgp-ovn=1", "--",
		"del-port", "vlan-1002")
	await(t, s, "one is gone, and one has no device", made(observe.MadePort{Name: "away"},
		observe.MadePort{Name: "veth-ovs-1001", OFPort: 12}))
	sw.Vsctl("--no-wait", "del-port", "away", "--", "del-port", "veth-ovs-1001", "--", "del-port", "foreign")
	await(t, s, "none is left", made())
}

// perSystemID: what is written for our own system-id counts, and for no other.
func perSystemID(t *testing.T, sw *vswitchtest.Switch, s *Source) {
	t.Helper()
	sw.Vsctl("set", "open_vswitch", ".", "external_ids:ovn-bridge-mappings-cmp-1=public:br-own",
		"external_ids:ovn-bridge-cmp-1=br-mine",
		"external_ids:ovn-bridge-mappings-cmp-2=public:br-other")
	o := await(t, s, "the mapping is our own", func(o *observe.OpenVSwitch) bool {
		return len(o.Mappings) == 1 && o.Mappings[0].Bridge == "br-own"
	})
	if o.IntegrationBridge != "br-mine" {
		t.Errorf("got integration bridge %s", o.IntegrationBridge)
	}
	other := open(t, Config{Endpoint: sw.Endpoint(), SystemID: "cmp-2"})
	await(t, other, "the override counts", func(o *observe.OpenVSwitch) bool {
		return o.SystemID == "cmp-2" && len(o.Mappings) == 1 && o.Mappings[0].Bridge == "br-other" &&
			o.IntegrationBridge == "br-int"
	})
}

func TestDatabaseRestart(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	s := open(t, Config{Endpoint: sw.Endpoint()})
	sw.Vsctl("--no-wait", "set", "open_vswitch", ".", "external_ids:system-id=cmp-1", "--", "add-br", "br-ex", "--",
		"add-br", "br-2")
	before := await(t, s, "the bridges are there", func(o *observe.OpenVSwitch) bool { return len(o.Bridges) == 2 })

	for range 3 {
		sw.KillDB()
		o := await(t, s, "it is stale", func(o *observe.OpenVSwitch) bool { return o.Stale != "" })
		if o.SystemID != "cmp-1" || len(o.Bridges) != len(before.Bridges) {
			t.Errorf("while disconnected got %+v", o)
		}
		if st := s.Status(); st.Connected || st.LastError == nil || st.Since.IsZero() {
			t.Errorf("got %+v", st)
		}
		sw.StartDB()
		await(t, s, "it is fresh", fresh)
	}
	// What vanished while disconnected must not survive in a cache.
	sw.KillDB()
	await(t, s, "it is stale", func(o *observe.OpenVSwitch) bool { return o.Stale != "" })
	sw.StartDB()
	sw.Vsctl("--no-wait", "del-br", "br-2")
	after := await(t, s, "one bridge is left", func(o *observe.OpenVSwitch) bool {
		return fresh(o) && len(o.Bridges) == 1
	})
	if st := s.Status(); !st.Connected || after.Revision <= before.Revision {
		t.Errorf("got %+v at revision %d after %d", st, after.Revision, before.Revision)
	}
}

// A server that hangs is as good as none.
func TestDatabaseHangs(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	s := open(t, Config{Endpoint: sw.Endpoint(), Timeout: 200 * time.Millisecond})
	await(t, s, "it is fresh", fresh)
	resume := sw.PauseDB()
	await(t, s, "it is stale", func(o *observe.OpenVSwitch) bool { return !fresh(o) })
	resume()
	await(t, s, "it is fresh again", fresh)
}

func TestNotSynced(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Endpoint: "unix:" + dir + "/none.sock"})
	vswitchtest.Eventually(t, "an attempt was made", func() bool { return s.Status().LastError != nil })
	_, err := s.Read(t.Context())
	if !errors.Is(err, observe.ErrNotSynced) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v, want ErrNotSynced with the reason", err)
	}
}

func TestBadEndpoint(t *testing.T) {
	if _, err := Open(t.Context(), Config{Endpoint: "unix:relative"}); err == nil {
		t.Error("a relative path was accepted")
	}
}

// Settling does not delay a port: of many, the quickest is seen within what
// ovs-vsctl takes to exit and a few milliseconds. (Any one of them may meet a
// busy machine.)
func TestLatency(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	s := open(t, Config{Endpoint: sw.Endpoint()})
	sw.Vsctl("--no-wait", "add-br", "br-ex")
	quickest := time.Hour
	for i := range 20 {
		name := fmt.Sprintf("p%d", i)
		sw.Vsctl("--no-wait", "add-port", "br-ex", name, "--", "set", "port", name, "external_ids:ovn-localnet-port="+name)
		began := time.Now()
		await(t, s, "the port is seen", hasPatch(name, 0))
		quickest = min(quickest, time.Since(began))
	}
	if t.Logf("seen %v after ovs-vsctl", quickest); quickest > 20*time.Millisecond {
		t.Errorf("the quickest of 20 took %v", quickest)
	}
}

// A transaction is seen whole, though the cache of libovsdb takes its rows one
// by one.
func TestTransactionsAreWhole(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	s := open(t, Config{Endpoint: sw.Endpoint()})
	done := make(chan struct{})
	torn := make(chan *observe.OpenVSwitch, 1)
	go func() {
		defer close(torn)
		for {
			select {
			case <-done:
				return
			case <-s.Changed():
			}
			o, err := s.Read(t.Context())
			if err != nil {
				continue
			}
			if b, ok := o.Bridge("br-ex"); ok && len(b.Patches) != 1 {
				torn <- o
				return
			}
		}
	}()
	for range 40 {
		sw.Vsctl("--no-wait", "add-br", "br-ex", "--", "add-port", "br-ex", "p", "--", "set", "port", "p",
			"external_ids:ovn-localnet-port=l")
		sw.Vsctl("--no-wait", "del-br", "br-ex")
	}
	close(done)
	if o := <-torn; o != nil {
		t.Errorf("half a transaction: %+v", o)
	}
}

// Nothing of the library stays behind, whatever number of servers came and
// went.
func TestCloseEndsGoroutines(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	running := goleak.IgnoreCurrent()
	s := open(t, Config{Endpoint: sw.Endpoint()})
	for range 3 {
		await(t, s, "it is fresh", fresh)
		sw.KillDB()
		await(t, s, "it is stale", func(o *observe.OpenVSwitch) bool { return !fresh(o) })
		sw.StartDB()
	}
	await(t, s, "it is fresh", fresh)
	s.Close()
	// Ignored are the children of the test itself.
	vswitchtest.Eventually(t, "they have ended", func() bool {
		return goleak.Find(running,
			goleak.IgnoreAnyFunction("github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest.(*Switch).start.func1")) == nil
	})
}
