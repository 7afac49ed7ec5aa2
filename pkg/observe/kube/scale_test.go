package kube_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/kubeapi"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// scale has a cluster of 3,000 nodes: what a node reads of it grows with services and their
// endpoints, and not with nodes (K-A32).
func scale(t *testing.T, api *kubeapi.Server, w *wire, cfg func(*kube.Config)) {
	t.Helper()
	reads := func(known int) int64 {
		t.Helper()
		s := opened(t, cfg)
		before := w.received.Load()
		await(t, s, func(k *observe.Kube) string {
			if len(k.Services) < known || k.Stale != "" {
				return fmt.Sprintf("%d services, stale %q", len(k.Services), k.Stale)
			}
			return ""
		})
		harness.Check(t, s.Close())
		return w.received.Load() - before
	}
	few := reads(2)
	nodes := make(chan int)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range nodes {
				node := o{"metadata": o{"name": fmt.Sprint("node-", i), "labels": o{"zone": fmt.Sprint("z", i%3)}}}
				code, answer, err := api.Try(t.Context(), kubeapi.AdminToken, http.MethodPost, "/api/v1/nodes", node)
				if err != nil || code != http.StatusCreated {
					t.Errorf("node-%d: %d %s %v", i, code, answer, err)
				}
			}
		})
	}
	for i := range 3000 {
		nodes <- i
	}
	close(nodes)
	all.Wait()
	many := reads(2)
	const more = 100
	for i := range more {
		loadBalancer(api, fmt.Sprint("more-", i), fmt.Sprint("198.51.101.", i+1))
	}
	served := reads(2 + more)
	t.Logf("octets read: %d, beside 3,000 nodes %d, with %d services more %d", few, many, more, served)
	if many > few+few/2+4096 {
		t.Errorf("3,000 nodes more cost %d octets", many-few)
	}
	if served < many+more*200 {
		t.Errorf("%d services more cost %d octets: they were not read", more, served-many)
	}
}
