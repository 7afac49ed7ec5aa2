package main

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// looker knows a port with one address and a VM with two, and is asked what is seen outside.
type looker struct {
	control.Controller
	asked []netip.Prefix
}

func (l *looker) Find(_ context.Context, target string) (control.Found, error) {
	f := control.Found{Version: 1, Target: target, Result: names.Result{Matches: []names.Match{}}}
	one := names.Address{Addr: netip.MustParseAddr("203.0.113.7")}
	two := names.Address{Addr: netip.MustParseAddr("203.0.113.8")}
	switch target {
	case "web-1":
		f.Matches = append(f.Matches, names.Match{Kind: "port", Name: "web-1", ID: "web-1", Addresses: []names.Address{one}})
	case "vm-2":
		f.Matches = append(f.Matches, names.Match{Kind: "vm", Name: "vm-2", ID: "2", Addresses: []names.Address{one, two}})
	}
	return f, nil
}

func (l *looker) Verify(_ context.Context, q control.RouteQuery, _ bool) (control.Verify, error) {
	l.asked = append(l.asked, q.Within)
	return control.Verify{Version: 1}, nil
}

// TestVerifyTargets: verify takes what explain takes, and prefixes.
func TestVerifyTargets(t *testing.T) {
	for _, tt := range []struct {
		target, want string
		exit         int
		errs         string
	}{
		{"203.0.113.7", "203.0.113.7/32", 0, ""},
		{"203.0.113.0/24", "203.0.113.0/24", 0, ""},
		{"web-1", "203.0.113.7/32", 0, ""},
		{"vm-2", "", 2, ""},
		{"nobody", "", 1, "nothing has this name"},
		{"203.0.113.300", "", 1, "verify"},
	} {
		l := &looker{}
		out, errs, exit := runOn(t, serveHistory(t, l), "verify", tt.target)
		got := ""
		for _, p := range l.asked {
			got += p.String()
		}
		if got != tt.want || exit != tt.exit || !strings.Contains(errs, tt.errs) {
			t.Errorf("verify %s: asked about %q, exit %d, %s%s", tt.target, got, exit, out, errs)
		}
		if tt.exit == 2 && (!strings.Contains(out, "203.0.113.7") || !strings.Contains(out, "203.0.113.8")) {
			t.Errorf("verify %s: the addresses are not listed: %s", tt.target, out)
		}
	}
}
