package ovsdb_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
)

// openPart follows port a, and once that is there port b.
func openPart(t *testing.T, remote string) *ovsdb.Follower[network] {
	t.Helper()
	named := func(name string) ovsdb.Clause { return ovsdb.Clause{Column: "name", Function: "==", Value: name} }
	s, err := ovsdb.FollowPart(t.Context(), networkDatabase, ovsdb.Config{
		Remotes: []string{remote}, BackoffMin: 10 * time.Millisecond, BackoffMax: 40 * time.Millisecond,
		Logger: slog.New(slog.DiscardHandler),
	}, &ovsdb.View[network]{
		Of: func(rows *network) ovsdb.Scope {
			switch {
			case rows == nil:
				return ovsdb.Scope{"Port": nil}
			case len(rows.Ports) == 0:
				return ovsdb.Scope{"Port": {named("a")}}
			}
			return ovsdb.Scope{"Port": {named("a"), named("b")}}
		},
		Set: func(*network, ovsdb.Scope) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// conditional is a server that sends what it is asked for.
func conditional(f **fake) func(method, params string) string {
	return func(method, params string) string {
		switch {
		case method == "monitor_cond_since":
			return since(false, txn1, `{}`)
		case method != "monitor_cond_change":
		case strings.Contains(params, `"b"`):
			(*f).send(update3(txn2, ports(inserted(rowB, portB))))
			return "{}"
		default:
			(*f).send(update3(txn2, ports(inserted(rowA, portA))))
			return "{}"
		}
		return ""
	}
}

// Rows lead to other conditions, and those to other rows. None are shown before that has
// come to an end.
func TestScopeSettles(t *testing.T) {
	var f *fake
	f = newFake(t, conditional(&f))
	s := openPart(t, f.remote)
	have := await(t, s, "the first rows", synced)
	if len(have.Ports) != 2 || have.Revision != 1 {
		t.Errorf("%d ports in revision %d", len(have.Ports), have.Revision)
	}
	if first := f.asked("monitor_cond_since"); len(first) != 1 || !strings.Contains(first[0], `"where":[false]`) {
		t.Errorf("asked for %s", first)
	}
	if changes := f.asked("monitor_cond_change"); len(changes) != 2 {
		t.Errorf("conditions were changed so: %s", changes)
	}
}

// A server that refuses to change conditions is asked for everything.
func TestScopeRefused(t *testing.T) {
	f := newFake(t, func(method, params string) string {
		switch {
		case method == "monitor_cond_since" && strings.Contains(params, "where"):
			return since(false, txn1, `{}`)
		case method == "monitor_cond_since":
			return since(false, txn1, ports(initial(rowA, portA), initial(rowB, portB)))
		}
		return ""
	})
	s := openPart(t, f.remote)
	if have := await(t, s, "the first rows", synced); len(have.Ports) != 2 {
		t.Errorf("%d ports", len(have.Ports))
	}
	if text := s.Status().LastError; !strings.Contains(text, "refuses to send a part of the rows") {
		t.Errorf("last error: %s", text)
	}
}

// A server from before conditions sends everything.
func TestScopeUnknown(t *testing.T) {
	f := newFake(t, func(method, _ string) string {
		switch method {
		case "monitor_cond_since", "monitor_cond":
			return "unknown"
		case "monitor":
			return `{"Port":{"` + rowA + `":{"new":` + portA + `},"` + rowB + `":{"new":` + portB + `}}}`
		}
		return ""
	})
	s := openPart(t, f.remote)
	if have := await(t, s, "the first rows", synced); len(have.Ports) != 2 {
		t.Errorf("%d ports", len(have.Ports))
	}
}

// A connection that breaks while conditions are being changed leaves rows of both. They are
// read again in full.
func TestScopeCutShort(t *testing.T) {
	var f *fake
	changes := 0
	f = newFake(t, func(method, params string) string {
		if method == "monitor_cond_change" {
			if changes++; changes == 1 {
				f.send(update3(txn2, ports(inserted(rowA, portA))))
				f.drop()
				return "silence"
			}
		}
		return conditional(&f)(method, params)
	})
	s := openPart(t, f.remote)
	if have := await(t, s, "the first rows", synced); len(have.Ports) != 2 {
		t.Errorf("%d ports", len(have.Ports))
	}
	for _, request := range f.asked("monitor_cond_since") {
		if strings.Contains(request, txn2) {
			t.Errorf("a difference was asked for: %s", request)
		}
	}
}
