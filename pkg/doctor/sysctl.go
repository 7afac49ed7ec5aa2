package doctor

import (
	"fmt"
	"strings"
)

// sysctls checks what the node needs to forward packets.
func (e *exam) sysctls() {
	e.forwarding(SysctlForward4)
	e.forwarding(SysctlForward6)
	e.reversePathFilter()
}

func (e *exam) forwarding(path string) {
	name := SysctlName(path)
	value, exists := e.Sysctls[path]
	switch {
	case !exists:
		e.warn(name, "enable the protocol in the kernel, or expect that none of its addresses is announced",
			"the setting does not exist: the kernel runs without the protocol")
	case value != "0":
		e.ok(name, "%s", value)
	case e.willBeSet():
		e.toBeSet(name, value, "1")
	default:
		e.fail(name, e.sysctlRemedy(name, "1"), "0: nothing is forwarded, and no address of the family is announced")
	}
}

// reversePathFilter checks the setting for all devices. The kernel takes the
// larger of it and a device's own, so that 0 for a device does not help while
// this one is 1 or 2.
func (e *exam) reversePathFilter() {
	name := SysctlName(SysctlFilter)
	value, exists := e.Sysctls[SysctlFilter]
	switch {
	case !exists:
		e.warn(name, "make sure that /proc/sys is mounted", "cannot be read")
	case value == "0":
		e.ok(name, "%s", value)
	case e.willBeSet():
		e.toBeSet(name, value, "0")
	case value == "2":
		e.warn(name, e.sysctlRemedy(name, "0"), "2 (loose): packets from sources without a route are dropped")
	default:
		e.fail(name, e.sysctlRemedy(name, "0"),
			"%s (strict): packets are dropped that arrive by another device than the one that answers leave by", value)
	}
}

// willBeSet reports whether a controller is going to set what the node needs. It
// does so once it runs and a bridge is mapped.
func (e *exam) willBeSet() bool {
	return e.Node.ManageSysctls && (!e.Running || len(e.mapped()) == 0)
}

func (e *exam) toBeSet(name, value, want string) {
	e.ok(name, "%s; bgp-ovn sets it to %s when it runs with a bridge mapped (sysctls.manage)", value, want)
}

func (e *exam) sysctlRemedy(name, value string) string {
	if e.Node.ManageSysctls {
		return fmt.Sprintf("bgp-ovn audit --repair sets it to %s; another program changed it, look in /etc/sysctl.d", value)
	}
	return fmt.Sprintf("sysctl -w %s=%s and a file in /etc/sysctl.d, or set sysctls.manage to true", name, value)
}

// SysctlName is a path below /proc/sys as sysctl(8) takes it: with dots between
// words, and a slash for a dot in the name of a device.
func SysctlName(path string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case '/':
			return '.'
		case '.':
			return '/'
		default:
			return r
		}
	}, path)
}
