package kernel

import (
	"errors"
	"os/exec"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// What is tried goes as it goes for ip(8) in a namespace of its own, and nothing
// of it is seen in ours.
func TestTryLinks(t *testing.T) {
	isolate(t)
	trials, err := TryLinks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	oracle := map[string]string{
		object.LinkBridge: "ip link add tried0 type bridge",
		object.LinkVeth:   "ip link add tried0 type veth",
		object.LinkVRF:    "ip link add tried0 type vrf table 1001",
		object.LinkVXLAN:  "ip link add tried0 type vxlan id 1001 dstport 4789 nolearning",
		object.LinkVLAN:   "ip link add under0 type veth && ip link add link under0 name tried0 type vlan id 101",
	}
	if len(trials) != len(oracle) {
		t.Errorf("tried %v, want each of %d types", trials, len(oracle))
	}
	for _, trial := range trials {
		want := exec.Command("unshare", "-n", "sh", "-c", oracle[trial.Type]).Run()
		if (trial.Err == nil) != (want == nil) {
			t.Errorf("%s: %v, but ip(8) has %v", trial.Type, trial.Err, want)
		}
		var said *rtnl.Error
		if trial.Err != nil && !errors.As(trial.Err, &said) && !errors.Is(trial.Err, ErrNotTried) {
			t.Errorf("%s: %v is not what the kernel said", trial.Type, trial.Err)
		}
	}
	links, err := exec.Command("ip", "-br", "link").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("ip", "link", "show", "try-veth").Run(); err == nil {
		t.Errorf("a device of the trial exists in our namespace:\n%s", links)
	}
}
