package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// written writes the configuration file with these further lines; nobody reads it yet.
func written(lines ...string) Step {
	return func(_ context.Context, w World) error {
		expanded := make([]string, len(lines))
		for i, line := range lines {
			expanded[i] = w.Expand(line)
		}
		return w.Agent.Configure(nil, expanded...)
	}
}

// configure writes the configuration with these further lines and has it read.
func configure(lines ...string) Step { return steps(written(lines...), reload) }

// reload has the controller read its configuration.
func reload(ctx context.Context, w World) error {
	res, err := w.Agent.CLI(ctx, "reload")
	if err == nil && res.Exit == 1 {
		err = errors.New("reload: " + res.Err)
	}
	return err
}

// speakerOf is the speaker of the node as a process of its own.
var speakerOf = map[string]*lab.Daemon{}

// toSpeaker gives the node a separate speaker, and kills that.
func toSpeaker(ctx context.Context, w World) error {
	socket := filepath.Join(w.Chassis.Dir, "speaker.sock")
	if err := w.Agent.Stop(ctx); err != nil {
		return err
	}
	if err := written("  speaker: unix:"+socket)(ctx, w); err != nil {
		return err
	}
	d := speakerOf[w.Chassis.Name]
	if d == nil {
		d = w.Agent.SpeakerProcess(func(context.Context) (bool, error) {
			_, err := os.Stat(socket)
			return err == nil, nil
		})
		speakerOf[w.Chassis.Name] = d
	}
	if err := d.Start(ctx); err != nil {
		return err
	}
	if err := w.Agent.Start(ctx); err != nil {
		return err
	}
	err := harness.Await(ctx, "the session of the separate speaker", func(ctx context.Context) (bool, error) {
		s, err := w.Agent.Status(ctx)
		return err == nil && len(s.Peers) > 0 && s.Peers[0].State == control.Established, err
	})
	return errors.Join(err, d.Kill())
}

// fromSpeaker has the controller hold the sessions again.
func fromSpeaker(ctx context.Context, w World) error {
	return errors.Join(speakerOf[w.Chassis.Name].Stop(ctx), w.Agent.Stop(ctx), written()(ctx, w), w.Agent.Start(ctx))
}

// full bounds how large files of the controller may be: what is written beyond fails, as on
// a full disk.
func full(size string) Step {
	return func(ctx context.Context, w World) error {
		return run(fmt.Sprintf("prlimit --pid %d --fsize=%s:", w.Agent.PID(), size))(ctx, w)
	}
}

// contest is a loop of another program that changes back what is ours.
func contest(name, symptom, line, says string) Fault {
	begin, end := loop(line)
	return Fault{
		Name: name, Symptom: symptom, Inject: begin, Heal: end, Command: "status", Code: "contested", Says: says,
		Remedy: "ip -ts monitor all", Effect: Some, Remembered: true,
	}
}

// second is another controller that is started on the node.
func second(name, options string) Fault {
	return Fault{
		Name: name, Symptom: "two controllers were started on one node", Inject: nothing, Heal: nothing,
		Command: strings.TrimSpace("run " + options), Effect: Lossless,
		Says:   "another bgp-ovn writes in this network namespace",
		Remedy: "stop it, or run this one in another network namespace",
	}
}

// controllers are faults of the controller itself, and of other programs that do the same.
var controllers = []Fault{
	{
		Name: "ipv6-off", Symptom: "IPv6 addresses are not announced, or not reachable",
		Inject: sysctl("ipv6.conf.br-ex.disable_ipv6=1"), Heal: sysctl("ipv6.conf.br-ex.disable_ipv6=0"),
		Command: "status", Code: "not-as-wanted", Says: "IPv6 is disabled",
		Remedy: "sysctl -w net.ipv6.conf.br-ex.disable_ipv6=0", Effect: Lossless,
	},
	{
		Name: "mtu", Symptom: "large packets are lost", Inject: run("ip link set fabric0 mtu 1400"),
		Heal: run("ip link set fabric0 mtu 1500"), Command: "doctor", Says: "1400, but br-ex has 1500",
		Remedy: "ip link set fabric0 mtu 1500", Effect: Lossless,
	},
	second("same-state", ""),
	second("own-state", "--state DIRECTORY/second.db --socket DIRECTORY/second.sock"),
	second("own-state-no-port", "--state DIRECTORY/second.db --socket DIRECTORY/second.sock --bgp-listen-port -1"),
	{
		Name: "configuration-wrong", Symptom: "reload is refused", Inject: written("vxlan_port: x", "learn: {maximum: 3}"),
		Heal: written(), Command: "reload", Says: "learn.maximum", Remedy: "learn.max", Effect: Lossless,
	},
	{
		Name: "not-reloaded", Symptom: "a change of the configuration has no effect",
		Inject: written("learn: {max: 7}"), Heal: configure(), Command: "status", Code: "configuration-not-loaded",
		Says: "has changed since it was read", Remedy: "bgp-ovn reload", Effect: Lossless,
	},
	{
		Name: "disk-full", Symptom: "the state file cannot be written",
		Inject: steps(full("1"), run("ip route del ADDR/32 table 201")), Heal: full("unlimited"), Command: "status",
		Code: "state-file", Says: "the state file cannot be used", Remedy: "df ", Effect: Lossless,
	},
	contest("device-held-down", "addresses come and go", "ip link set br-ex down", "br-ex"),
	contest("filter-held-strict", "packets are lost now and then", "sysctl -w net.ipv4.conf.br-ex.rp_filter=1",
		"net/ipv4/conf/br-ex/rp_filter"),
	contest("proxy-held-off", "packets are lost now and then", "sysctl -w net.ipv4.conf.br-ex.proxy_arp=0",
		"net/ipv4/conf/br-ex/proxy_arp"),
	contest("tables-flushed", "addresses come and go", "ip rule flush protocol 98; ip route flush table 201", "32000"),
}
