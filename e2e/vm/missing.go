package vm

import (
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Missing lists the modules of which this kernel lets us make no device, in a
// namespace made for that. Where it is empty the tests need no guest. Without
// root nothing can be made, so all is missing.
func Missing() []string {
	result := make(chan []string)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and its namespace
		// with all devices.
		runtime.LockOSThread()
		result <- probe()
	}()
	return <-result
}

func probe() []string {
	const parent = "probe0"
	named := func(name string) netlink.LinkAttrs {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		return attrs
	}
	vlan := netlink.Vlan{LinkAttrs: named("probe3"), VlanId: 7, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
	all := []struct {
		module string
		link   netlink.Link
	}{
		{"veth", &netlink.Veth{LinkAttrs: named(parent), PeerName: "probe4"}},
		{"dummy", &netlink.Dummy{LinkAttrs: named("probe1")}},
		{"vrf", &netlink.Vrf{LinkAttrs: named("probe2"), Table: 7}},
		{"8021q", &vlan},
	}
	alone := unix.Unshare(unix.CLONE_NEWNET) == nil
	var missing []string
	for _, a := range all {
		if a.link == &vlan {
			// lo takes no VLANs, whatever the kernel can.
			if p, err := netlink.LinkByName(parent); err == nil {
				vlan.ParentIndex = p.Attrs().Index
			}
		}
		if !alone || netlink.LinkAdd(a.link) != nil {
			missing = append(missing, a.module)
		}
	}
	return missing
}
