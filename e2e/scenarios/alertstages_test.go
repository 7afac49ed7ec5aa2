package scenarios

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// stages are what goes wrong, as much as possible at a time.
func (a *alarms) stages() []stage {
	return []stage{
		{
			name: "sessions", faults: []string{"peer-stopped"}, inject: a.flaps,
			alerts: []string{"BgpOvnPeerDown hv3", "BgpOvnPeerFlapping hv2"},
		},
		{name: "uplink", faults: []string{"uplink-down"}, alerts: []string{"BgpOvnNoSession hv3"}},
		{
			name: "southbound", faults: []string{"southbound-killed"},
			alerts: []string{"BgpOvnDatabaseDown hv3", "BgpOvnFrozen hv3"},
		},
		{
			name: "objects", faults: []string{"blackhole", "device-held-down", "not-reloaded"},
			alerts: []string{
				"BgpOvnUnreachable hv3", "BgpOvnContested hv3", "BgpOvnDrift hv3", "BgpOvnConfigNotLoaded hv3",
			},
		},
		{
			name: "files and rows", faults: []string{"ipv6-off", "disk-full"}, inject: a.badMapping,
			alerts: []string{"BgpOvnNotAsWanted hv3", "BgpOvnStateFile hv3", "BgpOvnRowsUnreadable hv3"},
		},
		{name: "unbound", faults: []string{"port-unbound"}, alerts: []string{"BgpOvnHeld hv3"}},
		{name: "speaker", faults: []string{"speaker-killed"}, alerts: []string{"BgpOvnSpeakerDown hv3"}},
		{name: "settings", inject: a.station, alerts: []string{
			"BgpOvnMonitoringStationDown hv3", "BgpOvnTwoAnnouncers", "BgpOvnAnnouncedElsewhere hv2",
		}, then: a.findByChecksum},
		{
			name: "silent node", inject: a.silent,
			alerts: []string{"BgpOvnDown hv2", "BgpOvnAgentSilent", "BgpOvnNobodyAnnounces"},
		},
		{name: "new state", inject: a.damagedState, alerts: []string{
			"BgpOvnStateSetAside hv2", "BgpOvnNoRounds hv2", "BgpOvnPeerQuarantined hv1",
		}},
		{name: "slow switch", inject: a.slowSwitch, alerts: []string{"BgpOvnSlow hv2", "BgpOvnStepsFail hv2"}},
		{name: "fleet", inject: a.otherVersion, alerts: []string{"BgpOvnVersionSkew", "BgpOvnWithdrawalWave"}},
	}
}

// flaps has the top of rack end a session of the second node three times.
func (a *alarms) flaps(t *testing.T, ctx context.Context) func(context.Context) {
	peer := shared.Chassis[1].Addr4
	for range 3 {
		harness.Must(shared.Tor.Vtysh(ctx, "clear bgp "+peer.String()))(t)
		harness.Check(t, shared.Tor.AwaitPeer(ctx, peer))
	}
	return func(context.Context) {}
}

// badMapping maps a network to no bridge.
func (a *alarms) badMapping(t *testing.T, ctx context.Context) func(context.Context) {
	set := func(ctx context.Context, mappings string) {
		harness.Must(a.world.Chassis.Run(ctx, "ovs-vsctl", "--timeout=20", "set", "Open_vSwitch", ".",
			`external_ids:ovn-bridge-mappings="`+mappings+`"`))(t)
	}
	set(ctx, a.world.Chassis.Bridges+",physnet9")
	return func(ctx context.Context) { set(ctx, a.world.Chassis.Bridges) }
}

// station has the third node look for a monitoring station that is not there, the first
// one announce an address of the third, and the top of rack one of the second.
func (a *alarms) station(t *testing.T, ctx context.Context) func(context.Context) {
	harness.Check(t, a.world.Agent.Configure(nil, "  bmp: [{address: 172.31.0.99, port: 11019}]"))
	reload(t, a.world.Agent)
	first := shared.agents[0]
	harness.Check(t, first.Configure(nil, "originate: ["+alertVM+"/32]"))
	reload(t, first)
	harness.Check(t, torNetwork(ctx, "network 172.24.4.171/32"))
	return func(ctx context.Context) {
		harness.Check(t, torNetwork(ctx, "no network 172.24.4.171/32"))
		for _, agent := range []*product.Agent{a.world.Agent, first} {
			harness.Check(t, agent.Configure(nil))
			reload(t, agent)
		}
	}
}

// findByChecksum is what the runbook has: the script that finds an address by what
// Prometheus says.
func (a *alarms) findByChecksum(t *testing.T, ctx context.Context) {
	page := string(harness.Must(os.ReadFile(alertRunbook))(t))
	script := regexp.MustCompile(`(?m)(^    .*\n)+`).FindString(page[strings.Index(page, "1234567890:"):])
	script = regexp.MustCompile(`(?m)^    `).ReplaceAllString(script, "")
	rows := harness.Must(a.Query(ctx, "bgp_ovn:fleet_surplus:checksum != 0"))(t)
	if len(rows) != 1 {
		t.Fatalf("%d buckets differ: %v", len(rows), rows)
	}
	script = strings.ReplaceAll(script, "1234567890", fmt.Sprintf("%.0f", rows[0].Value))
	out := harness.Must(shared.Central.Run(ctx, "env", "OVN_SB_DB="+shared.Central.SBRemote(), "sh", "-c", script))(t)
	if strings.TrimSpace(out) != alertVM+"/32" {
		t.Errorf("the runbook finds %q by %v, want %s", out, rows[0].Value, alertVM)
	}
}

// silent ends the agent of the second node.
func (a *alarms) silent(t *testing.T, ctx context.Context) func(context.Context) {
	harness.Check(t, shared.agents[1].Stop(ctx))
	return func(ctx context.Context) { harness.Check(t, shared.agents[1].Start(ctx)) }
}

// damagedState starts the second node with a state file that is none and a remote where
// no database is, and has a neighbour of the first node held down.
func (a *alarms) damagedState(t *testing.T, ctx context.Context) func(context.Context) {
	c, agent := shared.Chassis[1], shared.agents[1]
	file := filepath.Join(c.Dir, "state.db")
	remote := func(ctx context.Context, to string) {
		harness.Must(c.Run(ctx, "ovs-vsctl", "--timeout=20", "set", "Open_vSwitch", ".", "external_ids:ovn-remote="+to))(t)
	}
	harness.Check(t, agent.Stop(ctx))
	harness.Check(t, os.WriteFile(file, []byte(strings.Repeat("no database\n", 1000)), 0o600))
	remote(ctx, "tcp:172.31.0.99:6642")
	harness.Check(t, agent.Edit(func(text string) string { // it goes on waiting for a first snapshot
		return strings.Replace(text, "startup_grace: 1s", "startup_grace: 10m", 1)
	}))
	harness.Check(t, agent.Start(ctx))
	release := a.deaths(ctx, t)
	return func(ctx context.Context) {
		release(ctx)
		harness.Check(t, agent.Stop(ctx))
		for _, f := range stateFiles(t, c) {
			harness.Check(t, os.Remove(f))
		}
		remote(ctx, shared.Central.SBRemote())
		harness.Check(t, agent.Configure(nil))
		harness.Check(t, agent.Start(ctx))
	}
}

// deaths has a neighbour of the first node have ended its speaker twice.
func (a *alarms) deaths(ctx context.Context, t *testing.T) func(context.Context) {
	t.Helper()
	c, agent, now := shared.Chassis[0], shared.agents[0], time.Now()
	peer := c.TorAddr4.String()
	record := harness.Must(json.Marshal(speaker.Deaths{
		{At: now.Add(-2 * time.Minute), Peer: peer}, {At: now.Add(-time.Minute), Peer: peer},
	}))(t)
	harness.Check(t, agent.Stop(ctx))
	harness.Check(t, os.WriteFile(filepath.Join(c.Dir, "state.db.deaths"), record, 0o600))
	harness.Check(t, agent.Start(ctx))
	return func(ctx context.Context) {
		res := harness.Must(agent.CLI(ctx, "peer", "release", peer))(t)
		if res.Exit != 0 {
			t.Errorf("release: %s%s", res.Out, res.Err)
		}
	}
}

// slowSwitch has the second node find an ovs-ofctl that takes three seconds and fails, and
// something to do for it.
func (a *alarms) slowSwitch(t *testing.T, ctx context.Context) func(context.Context) {
	c, agent := shared.Chassis[1], shared.agents[1]
	real := harness.Must(exec.LookPath("ovs-ofctl"))(t)
	dir := t.TempDir()
	script := "#!/bin/sh\ncase \"$*\" in *bundle*) sleep 3; exit 1 ;; esac\nexec " + real + " \"$@\"\n"
	harness.Check(t, os.WriteFile(filepath.Join(dir, "ovs-ofctl"), []byte(script), 0o755))
	path := os.Getenv("PATH")
	t.Setenv("PATH", dir+":"+path)
	restart(ctx, t, agent)
	at(t, "172.24.4.171", c)
	harness.Must(c.Run(ctx, real, "del-flows", "br-ex", "cookie=0x3e7/-1"))(t)
	return func(ctx context.Context) {
		harness.Check(t, os.Setenv("PATH", path))
		restart(ctx, t, agent)
	}
}

// otherVersion runs another build on the second node, and takes twelve addresses from the
// first one.
func (a *alarms) otherVersion(t *testing.T, ctx context.Context) func(context.Context) {
	bin := filepath.Join(t.TempDir(), "bgp-ovn")
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-X main.version=0.0.1-other", "-o", bin, "./cmd/bgp-ovn")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var addrs []string
	for i := range 12 {
		addrs = append(addrs, netip.AddrFrom4([4]byte{172, 24, 4, byte(180 + i)}).String())
	}
	many := guest(t, "vm-many", shared.public, shared.Chassis[0], addrs...)
	at(t, addrs[11], shared.Chassis[0])
	a.awaitRecorded(ctx, t, 12)
	other := harness.Must(product.New(shared.Chassis[1], bin, shared.agents[1].Always...))(t)
	harness.Check(t, shared.agents[1].Stop(ctx))
	harness.Check(t, other.Start(ctx))
	harness.Must(shared.Central.Nbctl(ctx, "lsp-set-addresses", many.Port.ID, many.Port.MAC))(t)
	return func(ctx context.Context) {
		harness.Check(t, other.Stop(ctx))
		harness.Check(t, shared.agents[1].Start(ctx))
	}
}

// awaitRecorded waits until the sum over all nodes has at least so many prefixes.
func (a *alarms) awaitRecorded(ctx context.Context, t *testing.T, least int) {
	t.Helper()
	harness.Check(t, harness.Await(ctx, "the prefixes to be recorded", func(ctx context.Context) (bool, error) {
		rows, err := a.Query(ctx, fmt.Sprintf("bgp_ovn:prefixes:sum >= %d", least))
		return len(rows) > 0, err
	}))
}
