// Command run runs a command inside the virtual machine of package vm:
//
//	run [-mem 2G] [-limit 10m] COMMAND [ARGUMENT...]
//	go test -exec "$(go env GOPATH)/bin/run" ./pkg/actual/kernel
//
// It ends with the command's status, or with 125 if the machine failed.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/vm"
)

// failed is the status of a machine that could not do its work.
const failed = 125

func main() { os.Exit(run()) }

func run() int {
	mem := flag.String("mem", "", "memory of the machine")
	limit := flag.Duration("limit", 0, "time limit of the command")
	timing := flag.Bool("timing", false, "tell how long it took")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		return failed
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	began := time.Now()
	res, err := vm.Run(ctx, vm.Options{
		Args: flag.Args(), Memory: *mem, Limit: *limit, Stdout: os.Stdout, Stderr: os.Stderr,
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, "vm:", err)
		return failed
	}
	if *timing {
		fmt.Fprintf(os.Stderr, "vm: booted in %s, ended after %s\n", res.Booted, time.Since(began))
	}
	return res.Status
}
