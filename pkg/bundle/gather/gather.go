// Package gather asks the kernel, Open vSwitch and other programs of a node what a support
// bundle shows of them, by their own commands: what the operator would type.
//
// It changes nothing, and every command has a bound on its time and on what it may print:
// one that hangs or prints for ever costs its own member only. It refuses to run what
// prints a secret on purpose (the configuration of FRR, the environment and the arguments
// of processes), and takes keys out of what it does run.
//
// Read next: [Commands], then [Run].
package gather

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
)

// The bounds of one command.
const (
	Limit     = 5 * time.Second
	MaxOutput = 8 << 20
	// closing is how long pipes are waited for that a child of the command still holds.
	closing = time.Second
	// mostBridges and mostTables bound the commands themselves.
	mostBridges, mostTables = 32, 64
)

// Command is one command whose output is a member.
type Command struct {
	// Member is the name in the bundle.
	Member string
	Args   []string
}

// Node is what the commands depend on.
type Node struct {
	// Tables are the routing tables of ours, Bridges those that we have flows on.
	Tables  []uint32
	Bridges []string
	// Protocol marks our routes.
	Protocol uint8
	// Database is the endpoint of the Open_vSwitch database, RunDir the run directory of
	// Open vSwitch; empty is that of the commands.
	Database, RunDir string
}

// Commands are those that are run, in their order.
func Commands(n Node) []Command {
	out := []Command{
		{Member: "kernel/version.txt", Args: []string{"uname", "-a"}},
		{Member: "kernel/link.json", Args: []string{"ip", "-d", "-s", "-j", "link"}},
		{Member: "kernel/addr.json", Args: []string{"ip", "-j", "addr"}},
		{Member: "kernel/rule4.json", Args: []string{"ip", "-4", "-j", "rule"}},
		{Member: "kernel/rule6.json", Args: []string{"ip", "-6", "-j", "rule"}},
		{Member: "kernel/neigh.json", Args: []string{"ip", "-j", "neigh"}},
		{Member: "kernel/proxy.json", Args: []string{"ip", "-j", "neigh", "show", "proxy"}},
		{Member: "kernel/vrf.txt", Args: []string{"ip", "vrf"}},
	}
	for _, family := range []string{"4", "6"} {
		out = append(out, Command{
			Member: "kernel/route" + family + "-ours.json",
			Args: []string{
				"ip", "-" + family, "-d", "-j", "route", "show", "table", "all", "proto", strconv.Itoa(int(n.Protocol)),
			},
		})
	}
	for i, t := range n.Tables {
		if i == mostTables {
			break
		}
		table := strconv.FormatUint(uint64(t), 10)
		for _, family := range []string{"4", "6"} {
			out = append(out, Command{
				Member: "kernel/route" + family + "-table" + table + ".json",
				Args:   []string{"ip", "-" + family, "-d", "-j", "route", "show", "table", table},
			})
		}
	}
	out = append(out,
		Command{Member: "ovs/version.txt", Args: []string{"ovs-vsctl", "--version"}},
		Command{Member: "ovs/show.txt", Args: append(vsctl(n), "show")},
	)
	for i, b := range n.Bridges {
		if i == mostBridges || strings.HasPrefix(b, "-") {
			break
		}
		out = append(out, Command{
			Member: bundle.FileName("ovs", "flows-"+b, ".txt"),
			Args:   []string{"ovs-ofctl", "-O", "OpenFlow13", "--timeout=4", "dump-flows", management(n, b)},
		}, Command{
			Member: bundle.FileName("ovs", "ports-"+b, ".txt"),
			Args:   []string{"ovs-ofctl", "-O", "OpenFlow13", "--timeout=4", "show", management(n, b)},
		})
	}
	return append(out,
		Command{Member: "ovn/version.txt", Args: []string{"ovn-controller", "--version"}},
		Command{Member: "frr/version.txt", Args: []string{"vtysh", "-c", "show version"}},
		Command{Member: "journal.txt", Args: []string{
			"journalctl", "--no-pager", "--quiet", "-o", "short-iso-precise", "-n", "5000", "-u", "bgp-ovn*",
		}},
	)
}

// vsctl is ovs-vsctl on the right database. It never waits for ovs-vswitchd.
func vsctl(n Node) []string {
	args := []string{"ovs-vsctl", "--timeout=4", "--no-wait"}
	if n.Database != "" {
		args = append(args, "--db="+n.Database)
	}
	return args
}

// management is how ovs-ofctl finds a bridge.
func management(n Node, bridge string) string {
	if n.RunDir == "" {
		return bridge
	}
	return "unix:" + n.RunDir + "/" + bridge + ".mgmt"
}

// Run runs a command. Output that was cut short comes with an error that says so.
func Run(ctx context.Context, c Command) ([]byte, error) {
	path, err := exec.LookPath(c.Args[0])
	if err != nil {
		return nil, fmt.Errorf("%s is not installed", c.Args[0])
	}
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, c.Args[1:]...)
	out, errs := &capped{most: MaxOutput, full: cancel}, &capped{most: 4 << 10, full: func() {}}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, errs, closing
	cmd.Env = append(cmd.Environ(), "LC_ALL=C")
	err = cmd.Run()
	text := withoutKeys(out.buf.Bytes())
	switch {
	case out.cut:
		return text, fmt.Errorf("cut off after %d MiB", MaxOutput>>20)
	case ctx.Err() != nil:
		return text, fmt.Errorf("%s: no end within %s", strings.Join(c.Args, " "), Limit)
	case err != nil && bytes.Contains(errs.buf.Bytes(), []byte("FIB table does not exist")):
		return []byte("[]\n"), nil // a table that has no route of the family
	case err != nil:
		said := strings.TrimSpace(string(withoutKeys(errs.buf.Bytes())))
		return text, fmt.Errorf("%s: %w: %s", strings.Join(c.Args, " "), err, said)
	}
	return text, nil
}

// capped keeps the first octets of an output, and ends the command when there are more.
type capped struct {
	buf  bytes.Buffer
	most int
	cut  bool
	full func()
}

var errFull = errors.New("enough")

// Write keeps what there is room for.
func (c *capped) Write(p []byte) (int, error) {
	n := min(len(p), c.most-c.buf.Len())
	c.buf.Write(p[:n])
	if n == len(p) {
		return n, nil
	}
	c.cut = true
	c.full()
	return n, errFull
}

// keys are options of the interfaces of Open vSwitch that are secret: the preshared key of
// an IPsec tunnel, and whatever else has such a name. Our own settings have the table of
// keys for that; those of others have nothing but their names.
var keys = regexp.MustCompile(`(?i)\b([a-z_-]*(?:psk|password|passwd|secret|token|private_key)[a-z_-]*)` +
	`(\\?"?\s*[=:]\s*)("(?:[^"\\]|\\.)*"|[^\s,}\]]+)`)

func withoutKeys(text []byte) []byte { return keys.ReplaceAll(text, []byte("${1}${2}(removed)")) }
