package reconcile

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// unreachables are what a node cannot forward packets for.
type unreachables struct {
	mu sync.Mutex
	is map[object.Key]object.Block
}

func (u *unreachables) set(addresses ...string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.is = map[object.Key]object.Block{}
	for _, a := range addresses {
		k := object.NewPath(prefix(a+"/32"), object.OriginIncomplete).Key()
		u.is[k] = object.Block{Code: object.BlockUnreachable, Text: "this node cannot forward packets for it"}
	}
}

func (u *unreachables) get() map[object.Key]object.Block {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.is
}

// TestWithdrawUnreachable: what cannot be forwarded is withdrawn, whatever holds deletions,
// and announced again; steering stays as it is. Each step has the cause, and the steps after
// it do not.
func TestWithdrawUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lost unreachables
		l := run(t, nil, func(c *Config) {
			c.Unreachable = lost.get
			c.Fuse, c.UnboundHold = FuseConfig{Share: 0.1, Least: 1, Hold: time.Hour}, time.Hour
		})
		l.tell(t, newVM)
		l.tell(t, otherVM)
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		before := l.count()
		lost.set("172.24.4.92", "198.51.100.9") // of which the second one is not ours
		l.c.Reconsider()
		l.is(t, "in service; 172.24.4.93")
		l.causes(t, plan.CauseUnreachable)
		l.mu.Lock()
		r := l.rounds[before]
		l.mu.Unlock()
		if len(r.Plan.Ops) != 1 || r.Plan.Ops[0].Verb != plan.Delete {
			t.Errorf("more than the path went: %s", r.Plan)
		}
		now, err := l.c.Plan(t.Context(), false)
		if err != nil {
			t.Fatal(err)
		}
		e := l.c.Explain(now, prefix("172.24.4.92/32").Addr(), nil, false)
		if e.Advertised || e.Code != object.BlockUnreachable || !strings.Contains(e.Try, "bgp-ovn trace 172.24.4.92") {
			t.Errorf("got %s", e)
		}
		l.tell(t, `stale sb "the connection is lost"`)
		l.is(t, "in service; 172.24.4.93")
		lost.set("172.24.4.92", "172.24.4.93")
		l.c.Reconsider()
		l.is(t, "in service")
		l.causes(t, plan.CauseUnreachable)
		lost.set()
		l.c.Reconsider()
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		l.causes(t, plan.CauseUnreachable)
		gone := object.NewPath(prefix("172.24.4.92/32"), object.OriginIncomplete)
		l.world.Unset(gone.Key())
		l.c.Reconsider()
		l.is(t, "in service; 172.24.4.92; 172.24.4.93")
		l.causes(t, plan.CauseChange) // without a ledger nobody knows that it is drift
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}
