// Package vm runs a command on a kernel of its own: Debian's User-Mode Linux,
// an ordinary program that needs neither privileges nor hardware, with the
// modules that this machine's kernel may lack (8021q, VRF, dummy). It is that of
// a newer Debian where scripts/install-deps could get it.
//
// Inside is the machine's own tree, in which everything can be read and run and
// nothing that is written reaches the outside; no network; one processor; the
// user is root. An exec costs 5 to 50 ms there, so a test should start few
// programs. Race-enabled binaries do not run: the kernel has 39 bits of
// addresses. Open vSwitch must use its userspace datapath, for the kernel has
// no conntrack zones.
//
// It is no container and no sandbox, and talks to nobody while it runs.
//
// Read [Run] next, then package guest, which is the inside.
package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/vm/guest"
)

// Options say what to run.
type Options struct {
	Args   []string
	Env    []string // nil means ours
	Dir    string   // empty means ours
	Stdout io.Writer
	Stderr io.Writer
	// Limit ends the command with SIGQUIT, at which a Go program prints its
	// goroutines; zero means ten minutes. A minute later the machine is killed.
	Limit  time.Duration
	Memory string // taken only as it is used; empty means 2G
}

// Result is how the command ended.
type Result struct {
	Status   int  // as a shell tells it: 128+N after a signal, 124 after the limit
	TimedOut bool // the limit ended it
	Booted   time.Duration
}

// killAfter is how long after the limit the machine itself is ended.
const killAfter = time.Minute

// load is what every guest has; the kernel loads others by itself when they
// are asked for, which costs an exec of modprobe each.
var load = []string{"ipv6", "dummy", "vrf", "veth", "tun", "bridge", "8021q"}

// Run boots a machine, runs the command in it and returns once the machine is
// gone. An error means that the command did not come to its end; its status is
// none.
func Run(ctx context.Context, o Options) (Result, error) {
	if len(o.Args) == 0 {
		return Result{}, errors.New("virtual machine: nothing to run")
	}
	k, err := findKernel()
	if err != nil {
		return Result{}, err
	}
	if o, err = o.complete(); err != nil {
		return Result{}, err
	}
	scratch, release, err := newScratch()
	if err != nil {
		return Result{}, err
	}
	defer release()
	order := guest.Order{Args: o.Args, Env: o.Env, Dir: o.Dir, Limit: o.Limit, Modules: k.modules, Load: load}
	if err := order.Place(scratch); err != nil {
		return Result{}, err
	}
	if err := buildInit(ctx, filepath.Join(scratch, "init")); err != nil {
		return Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Limit+killAfter)
	defer cancel()
	ended := k.boot(ctx, o, scratch)
	return result(scratch, ended)
}

func (o Options) complete() (Options, error) {
	if o.Env == nil {
		o.Env = os.Environ()
	}
	// The command's output is a terminal, and some programs would colour it.
	o.Env = append(o.Env, "NO_COLOR=1")
	if o.Dir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return o, err
		}
		o.Dir = dir
	}
	if o.Limit == 0 {
		o.Limit = 10 * time.Minute
	}
	if o.Memory == "" {
		o.Memory = "2G"
	}
	return o, nil
}

// result reads what the guest reported. How the kernel's process ended tells
// nothing: it is 0 after every orderly end.
func result(scratch string, ended error) (Result, error) {
	report, err := guest.ReadReport(scratch)
	if err != nil {
		return Result{}, errors.Join(fmt.Errorf("the virtual machine died: %w", errors.Join(ended, err)), lastWords(scratch))
	}
	if report.Err != "" {
		return Result{}, fmt.Errorf("virtual machine: %s", report.Err)
	}
	return Result{Status: report.Status, TimedOut: report.TimedOut, Booted: report.Booted}, nil
}

// lastWords are the ends of the kernel's console and of its own output.
func lastWords(scratch string) error {
	const most = 2000
	var said []error
	for _, name := range []string{consoleLog, bootLog} {
		text, err := os.ReadFile(filepath.Join(scratch, name))
		if err != nil {
			continue
		}
		said = append(said, fmt.Errorf("%s: %s", name, text[max(0, len(text)-most):]))
	}
	return errors.Join(said...)
}
