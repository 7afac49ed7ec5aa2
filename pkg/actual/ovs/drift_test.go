package ovs

import (
	"fmt"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestProofDrift holds Open vSwitch to what the model does when others change what is
// ours.
func TestProofDrift(t *testing.T) {
	s := vswitchtest.Start(t)
	contract.Drift(t, subject(s), func(_ *testing.T, _ actual.Backend, act contract.Act, v object.Value) bool {
		f := v.(object.Flow)
		if act == contract.Remove {
			s.Ofctl("--strict", "del-flows", "br-ex", selector(f))
			return true
		}
		cookie := f.Cookie
		if act != contract.Change {
			cookie = 0x77
		}
		s.Ofctl("add-flow", "br-ex", fmt.Sprintf("cookie=%#x,%s,actions=%s", cookie, selector(f), f.Actions))
		return true
	})
}

// TestOverridden: a flow of another owner that takes every packet of ours is named, and
// so is that it has gone; one that takes a part of them, none or all after ours is not.
func TestOverridden(t *testing.T) {
	s, b := lab(t)
	want := pair(1)
	f := focus(t, want...)
	read(t, b, f)
	mustApply(t, b, creates(want...)...)
	s.Ofctl("add-flow", "br-ex", "cookie=0x5,priority=1000,tcp,in_port=1,tp_dst=22,actions=drop")
	s.Ofctl("add-flow", "br-ex", "cookie=0x5,priority=1000,in_port=2,actions=drop")
	s.Ofctl("add-flow", "br-ex", "cookie=0x5,priority=5,in_port=1,actions=drop")
	full := f
	full.Complete = true
	for _, it := range read(t, b, full).Sorted() {
		if it.Overridden() != "" {
			t.Errorf("%s is overridden by %s", it.Value.Key().Text(), it.Overridden())
		}
	}
	drain(b)
	s.Ofctl("add-flow", "br-ex", "cookie=0x5,priority=1000,ip,in_port=1,actions=drop")
	awaitChange(t, b, "a flow that wins over ours")
	const by = "flow br-ex table 0 priority 1000 ip,in_port=1  cookie 0x5 actions drop"
	have := read(t, b, f)
	if it, _ := have.Get(want[0].Key()); it.Overridden() != by || !it.Marked {
		t.Errorf("got %q, want %q", it.Overridden(), by)
	}
	if it, _ := have.Get(want[1].Key()); it.Overridden() != "" {
		t.Errorf("the flow of IPv6 is overridden by %s", it.Overridden())
	}
	drain(b)
	s.Ofctl("--strict", "del-flows", "br-ex", "priority=1000,ip,in_port=1")
	awaitChange(t, b, "it has gone")
	if it, _ := read(t, b, f).Get(want[0].Key()); it.Overridden() != "" {
		t.Errorf("it has gone, and yet: %s", it.Overridden())
	}
}
