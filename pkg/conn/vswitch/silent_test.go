package vswitch_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
)

// An ovsdb-server that hangs is noticed by an echo of our own however long its answers may
// take by the configuration: what was read stays, marked as old, until it answers again.
func TestSilentDatabaseIsNoticed(t *testing.T) {
	sw := vswitchtest.StartDatabase(t)
	src, err := ovs.Open(t.Context(), ovs.Config{Endpoint: sw.Endpoint(), Timeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	stale := func() string {
		o, err := src.Read(t.Context())
		if err != nil {
			return err.Error()
		}
		return o.Stale
	}
	until := func(what string, holds func() bool) {
		t.Helper()
		if err := harness.Until(t.Context(), what, holds); err != nil {
			t.Fatal(err)
		}
	}
	until("the database is read", func() bool { return stale() == "" })
	resume := sw.PauseDB()
	defer resume()
	until("it is noticed", func() bool { return strings.Contains(stale(), "the server does not answer") })
	if st := src.Status(); st.Connected || st.LastError == nil {
		t.Errorf("got %+v", st)
	}
	resume()
	until("it is followed again", func() bool { return stale() == "" && src.Status().Connected })
}
