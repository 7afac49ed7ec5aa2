package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// exam collects findings.
type exam struct {
	Facts
	out []Finding
}

// Examine derives findings from facts. Their order is that of the checks, then
// of names.
func Examine(f Facts) []Finding {
	e := &exam{Facts: f}
	e.deviceTypes()
	e.capabilities()
	e.openVSwitch()
	e.sysctls()
	e.network()
	e.bgpPort()
	e.kubernetes()
	e.reachable()
	if f.Node.EVPN {
		e.vxlanPort()
		e.vrfs()
	}
	for _, x := range f.Node.Exposed {
		e.warn("passwords", x.Remedy, "%s", x.Text)
	}
	return e.out
}

func (e *exam) ok(check, format string, args ...any) {
	e.out = append(e.out, Finding{Level: LevelOK, Check: check, Text: fmt.Sprintf(format, args...)})
}

func (e *exam) warn(check, remedy, format string, args ...any) {
	e.out = append(e.out, Finding{LevelWarn, check, fmt.Sprintf(format, args...), remedy})
}

func (e *exam) fail(check, remedy, format string, args ...any) {
	e.out = append(e.out, Finding{LevelFail, check, fmt.Sprintf(format, args...), remedy})
}

// rootRemedy is what to do about what an unprivileged user cannot see.
const rootRemedy = "run bgp-ovn doctor as root"

// denied reports whether the error is one of rights (EPERM, EACCES).
func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }

// device returns the device of that name.
func (e *exam) device(name string) (Device, bool) {
	at := slices.IndexFunc(e.Devices, func(d Device) bool { return d.Name == name })
	if at < 0 {
		return Device{}, false
	}
	return e.Devices[at], true
}

// mapped are the bridges of ovn-bridge-mappings, in order, each once.
func (e *exam) mapped() []string {
	if e.OpenVSwitch == nil {
		return nil
	}
	var out []string
	for _, m := range e.OpenVSwitch.Mappings {
		if !slices.Contains(out, m.Bridge) {
			out = append(out, m.Bridge)
		}
	}
	return out
}

// reachable tells of announced addresses that packets do not get through to, those of one
// reason in one finding. Only a controller knows what it announces.
func (e *exam) reachable() {
	if len(e.Unreachable) == 0 {
		if e.Checked > 0 {
			e.ok("reachable", "packets get through to all %d announced addresses that were checked", e.Checked)
		}
		return
	}
	var told []string
	for _, u := range e.Unreachable {
		if slices.Contains(told, u.Code) {
			continue
		}
		told = append(told, u.Code)
		more := ""
		if n := e.unreachable(u.Code); n > 1 {
			more = fmt.Sprintf(" (and %d more of %d that were checked)", n-1, e.Checked)
		}
		remedy := u.Try
		if remedy == "" {
			remedy = "bgp-ovn trace " + u.Address.String()
		}
		e.fail("reachable", remedy, "%s is announced and not reachable here: %s: %s%s", u.Address, u.Code, u.Text, more)
	}
}

// unreachable counts the addresses of a reason.
func (e *exam) unreachable(code string) (n int) {
	for _, u := range e.Unreachable {
		if u.Code == code {
			n++
		}
	}
	return n
}

// capabilities checks those of this process. A service may have others, so the
// finding says whose they are.
func (e *exam) capabilities() {
	const check = "capabilities"
	if e.CapabilitiesErr != nil {
		e.warn(check, "make sure that /proc is mounted and readable", "not checked: %v", e.CapabilitiesErr)
		return
	}
	need := []string{CapNetAdmin}
	if port := e.Node.ListenPort; port > 0 && port < 1024 {
		need = append(need, CapNetBindService)
	}
	var missing []string
	for _, name := range need {
		if !slices.Contains(e.Capabilities, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		e.ok(check, "%s", strings.Join(need, ", "))
		return
	}
	e.fail(check, "run as root, or give the service AmbientCapabilities="+strings.Join(need, " "),
		"this process lacks %s; a controller started in the same way lacks it, too", strings.Join(missing, ", "))
}
