// Command bgp-ovn makes the addresses of an OVN node reachable through BGP.
//
// main.go is the table of commands; config.go the configuration; wire.go the
// only place where real sources, drivers and backends are made; each other
// file is one command.
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
	os.Exit(Main(ctx, environment{args: os.Args[1:], stdout: os.Stdout, stderr: os.Stderr, getenv: os.LookupEnv}))
}
