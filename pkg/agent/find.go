package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// mostRouted bounds the addresses of a device, bridge or VNI in one answer.
const mostRouted = 100

// Find says what a name, an address or a number stands for.
func (a *answers) Find(ctx context.Context, target string) (control.Found, error) {
	if err := control.CheckTarget("find", target); err != nil {
		return control.Found{Version: control.Version, Target: target}, err
	}
	r, err := a.ctl.Plan(ctx, false)
	if err != nil {
		return control.Found{Version: control.Version, Target: target}, err
	}
	return a.find(r, target), nil
}

// find is what a target stands for in a round.
func (a *answers) find(r reconcile.Round, target string) control.Found {
	out := control.Found{Version: control.Version, Target: target}
	out.Result = names.Find(r.Snapshot, target)
	a.findVNI(&out, r)
	for i := range out.Matches {
		m := &out.Matches[i]
		if m.Kind == names.KindBridge || m.Kind == names.KindDevice {
			m.Addresses = routed(r, func(v object.Route) bool { return v.Dev == m.Name })
		}
		for n := range m.Addresses {
			addr := &m.Addresses[n]
			addr.Announced = a.announced(r, addr.Addr)
		}
	}
	return out
}

// announced reports whether there is a path of an address, or would be.
func (a *answers) announced(r reconcile.Round, addr netip.Addr) bool {
	k := object.NewPath(netip.PrefixFrom(addr, addr.BitLen()), object.OriginIncomplete).Key()
	if !a.hypothetical {
		return r.Have.Has(k)
	}
	it, ok := r.Want.Get(k)
	return ok && it.Block == nil
}

// findVNI adds the VNI that is asked for.
func (a *answers) findVNI(out *control.Found, r reconcile.Round) {
	vnis := a.ctl.VNIs(r)
	out.Looked = append(out.Looked, names.Looked{What: "VNIs", Count: len(vnis)})
	for _, v := range vnis {
		if fmt.Sprint(v.VNI) != out.Target {
			continue
		}
		m := names.Match{
			Kind: names.KindVNI, Name: fmt.Sprint(v.VNI), ID: v.Bridge, By: "number", Addresses: []names.Address{},
			Terms: slices.DeleteFunc([]string{v.VXLAN, v.Bridge, v.VRF}, func(s string) bool { return s == "" }),
		}
		if v.Table != 0 {
			m.Addresses = routed(r, func(route object.Route) bool { return route.Table == v.Table })
		}
		out.Matches = append(out.Matches, m)
		out.Total++
	}
}

// routed are the single addresses to which this node wants routes of a kind, some of
// them if they are many.
func routed(r reconcile.Round, is func(object.Route) bool) []names.Address {
	out := []names.Address{}
	for _, it := range r.Want.SortedOf(object.KindRoute) {
		v := it.Value.(object.Route)
		if v.Dst.IsSingleIP() && is(v) && len(out) < mostRouted {
			out = append(out, names.Address{Addr: v.Dst.Addr(), Relation: names.Routed})
		}
	}
	return out
}
