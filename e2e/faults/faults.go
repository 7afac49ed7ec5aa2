// Package faults is the table of what goes wrong on a node: how each fault is made and
// mended, the command that shows it, and what that says. The test in e2e/scenarios makes
// each of them on the lab and holds the product to it; docs/troubleshooting.md is made of
// the same table.
//
// It refuses to run the product or a lab by itself.
//
// Read next: [All], then datapath.go.
package faults

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// World is where a fault is made: one node of a lab with a guest on a provider network.
type World struct {
	Chassis *lab.Chassis
	// Addr is the guest's address, Tap its device on the node, Port its logical port.
	Addr netip.Addr
	Tap  string
	Port string
	// Addr6 is its IPv6 address, Routed and Routed6 addresses of a router, for which
	// neighbours are wanted.
	Addr6, Routed, Routed6 netip.Addr
}

// Fault is one that an operator may meet.
type Fault struct {
	// Name is that of the test; words joined by hyphens.
	Name string
	// Symptom is what is noticed first, in the operator's words.
	Symptom string
	// Inject makes the fault, Heal mends it.
	Inject, Heal func(ctx context.Context, w World) error
	// Command shows the cause, without the address.
	Command string
	// Code is the stable code of the first problem.
	Code string
	// Says is what the command prints about the cause, Remedy what to do. ADDR stands for the
	// guest's address, TAP for its device, PORT for its logical port.
	Says, Remedy string
	// Lossless says that packets get through all the same.
	Lossless bool
}

// Expand puts the names of a world in the place of words.
func (w World) Expand(text string) string {
	return strings.NewReplacer( // the longer words first
		"ADDR6", w.Addr6.String(), "FIP6", w.Routed6.String(), "FIP", w.Routed.String(),
		"ADDR", w.Addr.String(), "TAP", w.Tap, "PORT", w.Port,
	).Replace(text)
}

// run runs a command on the node, in which ADDR and so on are expanded.
func run(line string) func(context.Context, World) error {
	return func(ctx context.Context, w World) error {
		words := strings.Fields(w.Expand(line))
		_, err := w.Chassis.Run(ctx, words[0], words[1:]...)
		return err
	}
}

// sysctl sets a value, KEY=VALUE without the leading "net.".
func sysctl(setting string) func(context.Context, World) error {
	return func(_ context.Context, w World) error { return w.Chassis.Sysctl(setting) }
}

// All is the table, in the order of the ways of a packet.
func All() []Fault { return dataPath }

// Table is the table of docs/troubleshooting.md.
func Table() string {
	var b strings.Builder
	b.WriteString("| Symptom | Command | It says | Remedy |\n|---|---|---|---|\n")
	for _, f := range All() {
		fmt.Fprintf(&b, "| %s | `bgp-ovn %s` | `%s`: %s | `%s` |\n", f.Symptom, cell(f.Command), f.Code, cell(f.Says),
			cell(f.Remedy))
	}
	return b.String()
}

// cell is a text with the address of the examples, fit for a cell of a table.
func cell(text string) string {
	w := World{Addr: netip.MustParseAddr("172.24.4.31"), Tap: "tap0f3a", Port: "web-1"}
	return strings.ReplaceAll(w.Expand(text), "|", `\|`)
}
