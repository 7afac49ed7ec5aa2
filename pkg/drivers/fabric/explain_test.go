package fabric_test

import (
	"net/netip"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
)

// TestExplainAgrees compares the two forms of every rule in every scenario: an
// account gets through exactly if the object that it leads to is derived.
func TestExplainAgrees(t *testing.T) {
	asked := 0
	for _, f := range scenarios.Files(t) {
		cfg, snap := given(t, f)
		drv := fabric.New(cfg)
		want := desired.Compute(snap, nil, drv).Want
		var addrs []netip.Addr
		for _, a := range snap.Host.Addresses {
			addrs = append(addrs, a.Addr)
		}
		for _, p := range cfg.Originate {
			addrs = append(addrs, p.Addr())
		}
		if snap.Learned != nil {
			for _, p := range snap.Learned.Paths {
				addrs = append(addrs, p.Prefix.Addr())
			}
		}
		for _, addr := range addrs {
			for _, a := range drv.Explain(snap, addr) {
				asked++
				key := a.Object
				if key.Kind == 0 {
					key = object.NewPath(netip.PrefixFrom(addr, addr.BitLen()), cfg.Expose.Origin).Key()
				}
				if _, blocked := a.Blocked(); blocked == want.Has(key) {
					t.Errorf("%s: %s: %s is desired: %t, explained: %+v", f.Name, addr, key.Text(), want.Has(key), a)
				}
			}
		}
	}
	if asked < 20 {
		t.Errorf("only %d accounts in all scenarios", asked)
	}
}

// TestExplainBlocked names what is in the way by its stable code.
func TestExplainBlocked(t *testing.T) {
	cfg, snap := given(t, scenarios.File(t, "L1-maximum"))
	for addr, want := range map[string]string{
		"10.0.0.1": reason.OverMaximum, "10.1.1.1": reason.OverMaximum,
		"10.2.0.1": "",
	} {
		if got := codes(fabric.New(cfg).Explain(snap, netip.MustParseAddr(addr))); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
	cfg, snap = given(t, scenarios.File(t, "L2-loopback"))
	cfg.Loopback = false
	for _, a := range snap.Host.Addresses {
		want := ""
		if a.Dev == "lo" && !a.Addr.IsLoopback() {
			want = reason.OptionOff
		}
		if got := codes(fabric.New(cfg).Explain(snap, a.Addr)); got != want {
			t.Errorf("%s of %s: got %q, want %q", a.Addr, a.Dev, got, want)
		}
	}
}

// codes is the code of the first account that is blocked.
func codes(accounts []reason.Account) string {
	for _, a := range accounts {
		if s, blocked := a.Blocked(); blocked {
			return s.Code
		}
	}
	return ""
}
