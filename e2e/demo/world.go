package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// world is everything that the story is told about.
type world struct {
	*narrator
	dir, bin string
	router   *router
	sb       *southbound
	nodes    []*node
	guests   []*guest
	// bare are the nodes' kernels before any controller touched them.
	bare []string

	web, blueA, blueB *guest
}

// build makes namespaces and databases; no controller runs yet.
func (w *world) build(ctx context.Context) (err error) {
	if err := linkUp("lo"); err != nil {
		return err
	}
	if err := checkSettings(); err != nil {
		return err
	}
	if w.router, err = newRouter(ctx); err != nil {
		return err
	}
	if w.sb, err = newSouthbound(ctx, filepath.Join(w.dir, "sb.sock"), "cmp-1", "cmp-2"); err != nil {
		return err
	}
	for i := range 2 {
		n, err := newNode(ctx, i, w.dir, w.bin, w.sb.remote)
		if n != nil {
			w.nodes = append(w.nodes, n)
		}
		if err != nil {
			return err
		}
		if err := w.router.expect(ctx, n.addr); err != nil {
			return err
		}
		bare, err := n.picture()
		if err != nil {
			return err
		}
		w.bare = append(w.bare, bare)
	}
	return w.buildGuests()
}

// buildGuests starts the guests' namespaces. OVN has not bound them yet.
func (w *world) buildGuests() (err error) {
	one, two := w.nodes[0], w.nodes[1]
	for _, g := range []struct {
		into *(*guest)
		on   *node
		name string
		addr string
	}{
		{&w.web, one, "web", "172.24.4.10"},
		{&w.blueA, one, "blue-a", "172.24.4.100"},
		{&w.blueB, two, "blue-b", "172.24.4.100"},
	} {
		if *g.into, err = newGuest(g.on, g.name, byte(len(w.guests)+1), g.addr); err != nil {
			return fmt.Errorf("make guest %s: %w", g.name, err)
		}
		w.guests = append(w.guests, *g.into)
	}
	return nil
}

// close ends everything, however far it was built. Controllers that still run
// die with their namespaces' threads.
func (w *world) close() error {
	var errs []error
	for _, g := range w.guests {
		errs = append(errs, g.close())
	}
	for _, n := range w.nodes {
		n.close()
	}
	if w.sb != nil {
		w.sb.close()
	}
	if w.router != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		errs = append(errs, w.router.close(ctx))
	}
	return errors.Join(errs...)
}

// logs are the ends of the controllers' logs.
func (w *world) logs() string {
	var out []string
	for _, n := range w.nodes {
		out = append(out, n.tail())
	}
	return strings.Join(out, "\n")
}

// whoAmI says in whose name the demonstration runs: user namespaces show 0.
func whoAmI() string {
	text, err := os.ReadFile("/proc/self/uid_map")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) != 3 || fields[2] != "1" {
		return fmt.Sprintf("as user %d", syscall.Geteuid())
	}
	return fmt.Sprintf("as ordinary user %s, in a user namespace", fields[1])
}
