// Command labrun builds a small data centre out of the real programs, OVN, Open
// vSwitch and FRR (see package lab), runs bgp-ovn on every chassis, plugs VMs,
// proves with pings that everything is reachable from behind the top of rack,
// and then waits for Ctrl-C, printing commands to look around with. It needs
// root and the Debian packages that scripts/install-deps installs.
//
// Read next: cloud.go, what is built, and tour.go, what is printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// patience bounds building and proving, which take some ten seconds.
const patience = 3 * time.Minute

func main() {
	bin := flag.String("bin", "bin/bgp-ovn", "the bgp-ovn to run")
	once := flag.Bool("once", false, "end after the proof")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer cancel()
	if err := run(ctx, os.Stdout, *bin, *once); err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

// run builds, proves, waits and closes.
func run(ctx context.Context, out io.Writer, bin string, once bool) (err error) {
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	if _, err := os.Stat(bin); err != nil {
		return fmt.Errorf("no bgp-ovn to run: %w; build it (make build) or set -bin", err)
	}
	began := time.Now()
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := lab.Start(limited, lab.Options{Log: out})
	if ctx.Err() != nil && err != nil {
		return errors.New("interrupted while the lab started; nothing is left")
	}
	if err != nil {
		return err
	}
	defer func() {
		if closing := l.Close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("close the lab: %w", closing))
			return
		}
		fmt.Fprintln(out, "closed; nothing is left")
	}()
	c, err := build(limited, out, l, bin)
	if err == nil {
		err = c.prove(limited)
	}
	if ctx.Err() != nil {
		return errors.New("interrupted before everything was proven")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "\nbuilt and proven in %s\n", time.Since(began).Round(100*time.Millisecond))
	c.tour()
	if once {
		return nil
	}
	fmt.Fprintln(out, "\nCtrl-C ends the lab.")
	<-ctx.Done()
	fmt.Fprintln(out)
	return nil
}
