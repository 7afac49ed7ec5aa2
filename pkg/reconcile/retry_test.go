package reconcile

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestRetry: what waits after failures is tried again at once when an operator asks for it,
// by its name or with everything else; what does not wait is not mentioned.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := run(t, nil, nil)
		route := mustParse(t, "route 172.24.4.92/32 table 201 metric 0 dev br-ex").Key()
		var failing atomic.Bool
		l.world.StopOn(func(c object.Change) error {
			if failing.Load() && c.Key() == route {
				return errBusy
			}
			return nil
		})
		has := func() bool {
			have, err := l.world.Read(t.Context(), actual.Focus{})
			return err == nil && have.Has(route)
		}
		for _, text := range []string{route.Text(), ""} {
			failing.Store(true)
			l.tell(t, newVM)
			later(10 * time.Minute)
			failing.Store(false)
			if got := l.c.Retry("route 172.24.4.93/32 table 201 metric 0"); len(got) != 0 {
				t.Errorf("%v waits", got)
			}
			later(time.Millisecond)
			if has() {
				t.Fatal("it does not wait")
			}
			if got := l.c.Retry(text); len(got) != 1 || got[0] != route {
				t.Errorf("%q: got %v, want %s", text, got, route.Text())
			}
			later(100 * time.Millisecond)
			if !has() {
				t.Errorf("%q: it was not tried again", text)
			}
			if got := l.c.Retry(text); len(got) != 0 {
				t.Errorf("%q: %v waits although it is there", text, got)
			}
			l.tell(t, "drop vmP")
			later(time.Second)
		}
		if err := l.stop(); err != nil {
			t.Error(err)
		}
	})
}

func mustParse(t *testing.T, text string) object.Value {
	t.Helper()
	v, err := object.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
