package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// vrfs checks what all VRFs of the node have in common.
func (e *exam) vrfs() {
	if e.NetworkErr != nil {
		return // network has reported it
	}
	tables := map[uint32][]string{} // VRFs by table
	for _, d := range e.Devices {
		if d.Type == object.LinkVRF {
			tables[d.Table] = append(tables[d.Table], d.Name)
		}
	}
	e.strictMode(tables)
	for i, family := range []string{"ipv4", "ipv6"} {
		e.l3mdevRule(family, e.L3mdev[i], len(tables) > 0)
	}
}

// strictMode checks that no two VRFs share a table. The kernel permits it
// unless the sysctl is 1, which we leave to the operator: it is not ours alone.
func (e *exam) strictMode(tables map[uint32][]string) {
	name := SysctlName(SysctlStrict)
	value, exists := e.Sysctls[SysctlStrict]
	var shared []string
	for table, names := range tables {
		if len(names) > 1 {
			shared = append(shared, fmt.Sprintf("%s share table %d", strings.Join(names, " and "), table))
		}
	}
	slices.Sort(shared)
	switch {
	case len(shared) > 0:
		e.fail(name, "give each VRF a table of its own (evpn.table_offset moves ours), then sysctl -w "+name+"=1",
			"%s: the networks of one can reach those of the other", strings.Join(shared, "; "))
	case !exists:
		e.ok(name, "the VRF module is not loaded; no two VRFs share a table")
	default:
		e.ok(name, "%s; no two VRFs share a table", value)
	}
}

// l3mdevRule checks the ip rule that looks up the table of a packet's VRF. The
// kernel adds it with the first VRF of a namespace, at priority 1000, and never
// again once somebody has deleted it.
func (e *exam) l3mdevRule(family string, priorities []uint32, anyVRF bool) {
	check := "l3mdev rule " + family
	option := ""
	if family == "ipv6" {
		option = "-6 "
	}
	add := fmt.Sprintf("ip %srule add priority 1000 l3mdev", option)
	switch {
	case len(priorities) == 0 && !anyVRF:
		e.ok(check, "the kernel adds it with the first VRF")
	case len(priorities) == 0:
		e.fail(check, add, "no rule looks up the tables of VRFs: packets of tenants take the node's own routes")
	case slices.Min(priorities) >= e.Node.RulePriority:
		e.warn(check, add,
			"priority %d comes after the rules of provider bridges (routing.rule_priority %d), "+
				"whose routes win over those of VRFs",
			slices.Min(priorities), e.Node.RulePriority)
	default:
		e.ok(check, "priority %d", slices.Min(priorities))
	}
}
