// Package faults is the table of what goes wrong on a node: how each fault is made and
// mended, the command that shows it, and what that says. The test in e2e/scenarios makes
// each of them on the lab and holds the product to it; docs/troubleshooting.md is made of
// the same table.
//
// It makes faults and mends them; it does not judge what the product says of them.
//
// Read next: [All], then datapath.go.
package faults

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// World is where a fault is made: one node of a lab with a guest on a provider network.
type World struct {
	Lab     *lab.Lab
	Chassis *lab.Chassis
	Agent   *product.Agent
	// Addr and Addr6 are the guest's addresses, Tap its device on the node, Port its logical
	// port, VM the guest itself.
	Addr, Addr6 netip.Addr
	Tap         string
	Port        string
	VM          *lab.VM
	// Elsewhere is an address of a guest on another node, Other.
	Elsewhere netip.Addr
	Other     *lab.Chassis
	// Routed and Routed6 are addresses of a router, for which neighbours are wanted.
	Routed, Routed6 netip.Addr
	// Physnet is the physical network, Patch the patch port of its network on the node.
	Physnet, Patch string
}

// Step makes or mends a fault.
type Step func(ctx context.Context, w World) error

// Effect is what becomes of packets for the guest.
type Effect int

// The effects.
const (
	Lost     Effect = iota // none arrives
	Lossless               // all arrive
	Some                   // it is not looked at: it depends on when
)

// Fault is one that an operator may meet.
type Fault struct {
	// Name is that of the test; words joined by hyphens.
	Name string
	// Symptom is what is noticed first, in the operator's words.
	Symptom string
	// Inject makes the fault, Heal mends it.
	Inject, Heal Step
	// Command shows the cause.
	Command string
	// Code is the stable code of the first problem; empty for a command that is refused.
	Code string
	// Says is what the command prints about the cause, Remedy what to do. The words of
	// [World.Expand] stand for the names of the world.
	Says, Remedy string
	Effect       Effect
	// Way says that trace shows it, too.
	Way bool
	// Remembered says that status goes on telling of it for a while after it is mended.
	Remembered bool
}

// Group is faults of one part of a node.
type Group struct {
	Title  string
	Faults []Fault
}

// names are the words that stand for what is in the world.
func (w World) names() *strings.Replacer {
	return strings.NewReplacer( // the longer words first
		"ADDR6", w.Addr6.String(), "FIP6", w.Routed6.String(), "FIP", w.Routed.String(), "ADDR", w.Addr.String(),
		"TAP", w.Tap, "PORT", w.Port, "MAC", w.mac(),
		"ELSEWHERE", w.Elsewhere.String(), "PHYSNET", w.Physnet, "PATCH", w.Patch, "NODE4", w.Chassis.Addr4.String(),
		"NODE6", w.Chassis.Addr6.String(), "PEER4", w.Chassis.TorAddr4.String(), "PEER6", w.Chassis.TorAddr6.String(),
		"OTHERNODE", w.other(), "DIRECTORY", w.Chassis.Dir)
}

func (w World) other() string {
	if w.Other == nil {
		return "another node"
	}
	return w.Other.Hostname
}

func (w World) mac() string {
	if w.VM == nil {
		return "fa:16:3e:00:00:31"
	}
	return w.VM.Port.MAC
}

// Expand puts the names of a world in the place of words.
func (w World) Expand(text string) string { return w.names().Replace(text) }

// run runs commands on the node one after another, in which ADDR and so on are expanded.
func run(lines ...string) Step {
	return func(ctx context.Context, w World) error {
		for _, line := range lines {
			words := strings.Fields(w.Expand(line))
			if words[0] == "ovs-vsctl" { // which waits for ever without a switch
				words = append([]string{words[0], "--timeout=20"}, words[1:]...)
			}
			if _, err := w.Chassis.Run(ctx, words[0], words[1:]...); err != nil {
				return err
			}
		}
		return nil
	}
}

// steps makes one step of several, which are all done whatever becomes of one.
func steps(all ...Step) Step {
	return func(ctx context.Context, w World) error {
		var errs []error
		for _, s := range all {
			errs = append(errs, s(ctx, w))
		}
		return errors.Join(errs...)
	}
}

// sysctl sets a value, KEY=VALUE without the leading "net.".
func sysctl(setting string) Step {
	return func(_ context.Context, w World) error { return w.Chassis.Sysctl(setting) }
}

// loop runs a shell command on the node again and again, as a program that disagrees with
// us would. The second step ends it.
func loop(line string) (begin, end Step) {
	var running *exec.Cmd
	begin = func(ctx context.Context, w World) error {
		running = w.Chassis.Command(context.WithoutCancel(ctx), "sh", "-c",
			"while :; do "+w.Expand(line)+" >/dev/null 2>&1; sleep 0.1; done")
		return running.Start()
	}
	end = func(context.Context, World) error {
		if running == nil {
			return nil
		}
		err := running.Process.Kill()
		_ = running.Wait() // killed
		return err
	}
	return begin, end
}

// All is the table: first the way of a packet, in its order, then what is beside it.
func All() []Group {
	return []Group{
		{"The way of packets: ADVERTISED, and nothing gets through", dataPath},
		{"OVN and Open vSwitch: what is beside bgp-ovn on a node", openVirtualNetwork},
		{"BGP: sessions and what is on them", sessions},
		{"The controller: its configuration, its state file and other programs", controllers},
	}
}

// Table is the part of docs/troubleshooting.md that is generated.
func Table() string {
	var b strings.Builder
	for _, g := range All() {
		fmt.Fprintf(&b, "### %s\n\n| Symptom | Command | It says | Remedy |\n|---|---|---|---|\n", g.Title)
		for _, f := range g.Faults {
			says := cell(f.Says)
			if f.Code != "" {
				says = "`" + f.Code + "`: " + says
			}
			fmt.Fprintf(&b, "| %s | `bgp-ovn %s` | %s | `%s` |\n", f.Symptom, cell(f.Command), says, cell(f.Remedy))
		}
		b.WriteByte('\n')
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// cell is a text with the names of the examples, fit for a cell of a table.
func cell(text string) string {
	w := World{
		Addr: netip.MustParseAddr("172.24.4.31"), Addr6: netip.MustParseAddr("2001:db8:4::31"), Tap: "tap0f3a",
		Port: "web-1", Elsewhere: netip.MustParseAddr("172.24.4.32"), Physnet: "physnet1", Patch: "patch-provnet-1",
		Chassis: &lab.Chassis{
			Node: &lab.Node{Dir: "/etc/bgp-ovn"}, Addr4: netip.MustParseAddr("192.0.2.5"),
			Addr6: netip.MustParseAddr("2001:db8:ff::5"), TorAddr4: netip.MustParseAddr("192.0.2.4"),
			TorAddr6: netip.MustParseAddr("2001:db8:ff::4"),
		},
		Other: &lab.Chassis{Hostname: "cmp-7.example"},
	}
	return strings.ReplaceAll(w.Expand(text), "|", `\|`)
}
