package kernel

import (
	"errors"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// outcome is what a refusal means for a change; nil when it is as good as done.
// This is the only place where an errno is interpreted, except that EEXIST on a
// create is handled by settle (resolveClash).
func outcome(c object.Change, refused *rtnl.Error) error {
	if c.After == nil && isGone(refused.Errno) {
		return nil
	}
	switch refused.Errno {
	case unix.ENODEV, unix.ENXIO:
		// The index was resolved a moment ago: the device has just vanished.
		return fmt.Errorf("its device was deleted meanwhile: %w: %w", actual.ErrGone, refused)
	case unix.ENETDOWN:
		// A device that is down holds no routes. Setting it up is a change of
		// its own, which the next round plans.
		return fmt.Errorf("its device is down: %w: %w", actual.ErrGone, refused)
	// The kernel has already tried to load module rtnl-link-TYPE, and has no
	// such type of device (rtnl_newlink in net/core/rtnetlink.c).
	case unix.EOPNOTSUPP:
		if c.Key().Kind == object.KindLink {
			return fmt.Errorf("%s: %w", missingModule(c), refused)
		}
	case unix.EPERM, unix.EACCES:
		if refused.Text != "" { // a rule of the kernel, which it names
			return fmt.Errorf("the kernel does not allow it: %w", refused)
		}
		return fmt.Errorf("the agent lacks CAP_NET_ADMIN: %w", refused)
	}
	return refused
}

// missingModule names the kernel support that a link lacks.
func missingModule(c object.Change) string {
	l, _ := c.After.(object.Link)
	switch l.Type {
	case object.LinkVLAN:
		return "kernel has no 802.1Q support; load module 8021q"
	case object.LinkVRF, object.LinkVXLAN, object.LinkBridge, object.LinkVeth:
		return fmt.Sprintf("kernel has no links of type %s; load module %s", l.Type, l.Type)
	default:
		return "the kernel does not support this"
	}
}

// isGone reports the errors with which a delete says that there is nothing to
// delete.
func isGone(e unix.Errno) bool {
	switch e {
	case unix.ESRCH, // route: no entry with this selector and protocol
		unix.ENOENT,        // rule, neighbour, proxy neighbour, or a table without routes so far
		unix.ENODEV,        // the device is gone, and everything on it
		unix.ENXIO,         // the same, as IPv6 addresses return it
		unix.EADDRNOTAVAIL: // address
		return true
	}
	return false
}

// gone reports whether an error is that of a vanished device.
func gone(err error) bool { return errors.Is(err, actual.ErrGone) }

// protocolName is how ip(8) calls the common values of rtm_protocol.
func protocolName(p uint8) string {
	switch p {
	case unix.RTPROT_UNSPEC:
		return "unspec"
	case unix.RTPROT_REDIRECT:
		return "redirect"
	case unix.RTPROT_KERNEL:
		return "kernel"
	case unix.RTPROT_BOOT:
		return "boot"
	case unix.RTPROT_STATIC:
		return "static"
	case unix.RTPROT_RA:
		return "ra"
	case unix.RTPROT_ZEBRA:
		return "zebra"
	case unix.RTPROT_BIRD:
		return "bird"
	case unix.RTPROT_DHCP:
		return "dhcp"
	case unix.RTPROT_BGP:
		return "bgp"
	case unix.RTPROT_OSPF:
		return "ospf"
	default:
		return fmt.Sprint(p)
	}
}
