package control

import (
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// VNIOf is what a round has of a VNI as an answer, in which legs, VTEPs and
// stations are text.
func VNIOf(v reconcile.VNI) VNI {
	out := VNI{
		VNI: v.VNI, VXLAN: v.VXLAN, Bridge: v.Bridge, VRF: v.VRF, Table: v.Table, VTEP: v.VTEP.String(),
		RDs: v.RDs, Targets: v.Targets, Imports: v.Imports, Legs: texts(v.Legs),
		Announced: v.Announced, Local: v.Local, Remote: v.Remote,
		VTEPs: texts(v.VTEPs), Stations: texts(v.Stations), Unused: v.Unused, Missing: v.Missing,
	}
	if !v.RouterMAC.IsZero() {
		out.RouterMAC = v.RouterMAC.String()
	}
	return out
}

// texts are the printed forms of a list; an empty one is no null in JSON.
func texts[T fmt.Stringer](list []T) []string {
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = v.String()
	}
	return out
}
