// Command bgp-ovn makes the addresses of an OVN node reachable through BGP.
//
// It is the command line and nothing else: root.go has the table of commands, and
// each other file the commands of one sort. What they do is in pkg/agent, what
// they ask of a running controller in pkg/control, how it is printed in
// pkg/control/view, and what is configured in pkg/config.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(Main(ctx, environment{
		args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv, environ: os.Environ(),
	}))
}
