package bench

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// cutOff is an observer whose Southbound database cannot be reached.
type cutOff struct{}

func (cutOff) Snapshot(context.Context) (observe.Snapshot, error) {
	return observe.Snapshot{}, fmt.Errorf("%w: Southbound database: dialling", observe.ErrNotSynced)
}
func (cutOff) Changed() []<-chan struct{} { return nil }

// TestCapturedKernelFreesItself: on a real kernel, a node whose traffic to its own
// Southbound database an earlier release has led into the provider bridge gets it back
// from a process that cannot reach that database; what else was made stays.
func TestCapturedKernelFreesItself(t *testing.T) {
	n := newNode(t, 3)
	defer n.close()
	for _, args := range []string{
		"link add eth0 type veth peer name tor", "address add 10.0.0.200/24 dev eth0", "link set eth0 up", "link set tor up",
	} {
		ip(t, args)
	}
	server, vm := host(1).Addr().String(), host(2).Addr().String()
	snap := n.snapshot(3)
	snap.Protected = &observe.Protected{} // an earlier release does not ask
	n.round(snap, true)
	way := func(to string) string { return ip(t, "route get "+to) }
	if !strings.Contains(way(server), "dev br-ex") || !strings.Contains(way(vm), "dev br-ex") {
		t.Fatalf("not captured: %s%s", way(server), way(vm))
	}
	protected := observe.Protect(observe.Snapshot{}, observe.Own{Southbound: []string{"tcp:" + server + ":6642"}})
	reader, err := actual.NewReader(n.kernel)
	if err != nil {
		t.Fatal(err)
	}
	next := reconcile.New(reconcile.Config{
		Observer: cutOff{}, Backends: reader, Journal: n.db,
		Protected: func(context.Context) *observe.Protected { return protected },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- next.Run(ctx) }()
	harness.Eventually(t, 10*time.Second, func() string {
		if text := way(server); !strings.Contains(text, "dev eth0") {
			return "still captured: " + text
		}
		return ""
	})
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(way(vm), "dev br-ex") {
		t.Errorf("the way to a VM is gone: %s", way(vm))
	}
}

// ip runs a command in the namespace of the thread.
func ip(t *testing.T, args string) string {
	t.Helper()
	out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", args, err, out)
	}
	return string(out)
}
