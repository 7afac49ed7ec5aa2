package doctor

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// deviceTypes checks which types of network devices the kernel can make.
func (e *exam) deviceTypes() {
	if e.TrialErr != nil {
		remedy := "look for the cause in the kernel log (dmesg)"
		if denied(e.TrialErr) {
			remedy = rootRemedy
		}
		e.warn("device types", remedy, "not checked, no device could be made for a trial: %v", e.TrialErr)
		return
	}
	users := e.deviceUsers()
	for _, t := range e.Trials {
		user, needed := users[t.Type]
		check := "device type " + t.Type
		switch {
		case !needed:
		case t.Err == nil:
			e.ok(check, "supported by the kernel")
		case t.NotTried:
			e.warn(check, "mend the failed device types above first", "not checked: %v", t.Err)
		default:
			report := e.fail
			if t.Type == object.LinkVLAN {
				report = e.warn // the node may have no such network
			}
			report(check, "modprobe "+module(t.Type)+", or install a kernel that has the module",
				"the kernel cannot make it, and %s it: %v", user, t.Err)
		}
	}
}

// deviceUsers says what needs a type of device, of those that the configured
// drivers use.
func (e *exam) deviceUsers() map[string]string {
	users := map[string]string{}
	if e.Node.PlainBGP {
		users[object.LinkVLAN] = "provider networks with a VLAN need"
	}
	if e.Node.EVPN {
		users[object.LinkBridge] = "every VNI needs"
		users[object.LinkVXLAN] = "every VNI needs"
		users[object.LinkVRF] = "every L3VNI needs"
		users[object.LinkVeth] = "VNIs of flat provider networks need"
	}
	return users
}

// module names the kernel module of a type of device.
func module(kind string) string {
	if kind == object.LinkVLAN {
		return "8021q"
	}
	return kind
}
