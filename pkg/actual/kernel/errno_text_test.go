package kernel

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A refusal for which the kernel gives a reason is no missing capability.
func TestRefusalWithReason(t *testing.T) {
	change := object.Change{After: object.Device{Name: "br-ex", Up: true}}
	for text, capability := range map[string]bool{"": true, "IPv6 is disabled on this device": false} {
		err := outcome(change, &rtnl.Error{Errno: unix.EACCES, Text: text})
		if got := strings.Contains(err.Error(), "CAP_NET_ADMIN"); got != capability {
			t.Errorf("%q: got %v", text, err)
		}
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%q is not in %v", text, err)
		}
	}
}
