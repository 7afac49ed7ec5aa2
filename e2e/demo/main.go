// Command demo shows bgp-ovn at work with nothing but its binary: no root, no
// OVN, no Open vSwitch, no FRR. It makes network namespaces for two compute
// nodes and their guests, is itself the top-of-rack router (GoBGP and the
// kernel's routes) and the databases (libovsdb's server), and runs the real
// controller on each node. It checks every claim that it prints and ends with
// status 1 at the first that does not hold, so it is a test as well.
//
//	           top of rack: this process, AS 65000, 192.0.2.0 and .2
//	            |                            |
//	192.0.2.1 fabric0                      fabric0 192.0.2.3
//	          cmp-1   bgp-ovn              cmp-2   bgp-ovn
//	          br-ex                        br-ex
//	           |  |                          |
//	         web  blue-a                   blue-b
//
// It does not pretend to be what it is not: nothing translates addresses and
// there are no flows. Read next: story.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// limit bounds a demonstration; it takes a fifth of that.
const limit = 55 * time.Second

// dirVariable tells the inner process its directory, and thereby that it is
// the inner one.
const dirVariable = "BGP_OVN_DEMO_DIR"

func main() {
	bin := flag.String("bin", "bin/bgp-ovn", "the bgp-ovn to show")
	flag.Parse()
	if err := run(*bin); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(bin string) error {
	bin, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	if _, err := os.Stat(bin); err != nil {
		return fmt.Errorf("no bgp-ovn to show: %w; build it (make build) or set -bin", err)
	}
	dir, inside := os.LookupEnv(dirVariable)
	if !inside {
		return outside()
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	ctx, stop := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the demonstration took longer than %s", limit))
	defer stop()
	// The outer process does this too, unless it was killed.
	defer func() { _ = os.RemoveAll(dir) }()
	err = tell(ctx, newNarrator(os.Stdout), dir, bin)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return errors.New("interrupted; everything is cleaned up")
	}
	return err
}
