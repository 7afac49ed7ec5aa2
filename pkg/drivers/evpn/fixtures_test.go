package evpn_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

const fixtures = "../../observe/file/testdata"

// reference is what the predecessor makes of a snapshot.
type reference struct {
	VRFs []struct {
		Name  string
		Table uint32
	}
	VXLANs []struct {
		Name    string
		VNI     uint32
		DstPort uint16
	} `json:"vxlans"`
	VLANPorts []struct {
		Bridge, Port string
		Tag          uint16
	} `json:"ovs_vlan_ports"`
	LoIPs  map[string][]string `json:"lo_ips"`
	Routes []struct {
		Dst, Dev, Mask, Via string
		Table               uint32
	}
	Neighbours []struct{ IP, MAC, Dev string }
	Flows      []struct {
		Bridge, Cookie, Output string
		Source                 string `json:"dl_src"`
		Net                    string `json:"src_net"`
		Strip                  bool   `json:"strip_vlan"`
	}
}

// lines are what the reference wants, in words that ours can be put into too.
// What differs, and why that is intended:
//
//   - its dummy device and the addresses on it are there so that FRR announces
//     them; they are compared with our IP Prefix routes,
//   - it masks no subnet (10.60.0.1/24); the kernel does, and so do we,
//   - its VRF in FRR has no counterpart: the speaker needs none,
//   - its flows do not name the VLAN that they take off, which bridges that speak
//     only newer versions of OpenFlow refuse,
//   - beyond what it makes we have the bridge, unreachable default routes,
//     settings and an NDP proxy, none of which its record has.
func (r reference) lines() []string {
	var out []string
	for _, v := range r.VRFs {
		out = append(out, fmt.Sprintf("vrf %s table %d", v.Name, v.Table))
	}
	for _, v := range r.VXLANs {
		out = append(out, fmt.Sprintf("vxlan %s vni %d port %d", v.Name, v.VNI, v.DstPort))
	}
	for _, p := range r.VLANPorts {
		out = append(out, fmt.Sprintf("port %s on %s tag %d", p.Port, p.Bridge, p.Tag))
	}
	for dev, addrs := range r.LoIPs {
		for _, a := range addrs {
			out = append(out, fmt.Sprintf("announce %s vni %s", a, strings.TrimPrefix(dev, "lo-")))
		}
	}
	for _, rt := range r.Routes {
		dst := netip.MustParseAddr(rt.Dst)
		prefix := netip.PrefixFrom(dst, dst.BitLen())
		if rt.Mask != "" {
			prefix = netip.MustParsePrefix(rt.Dst + "/" + rt.Mask).Masked()
		}
		out = append(out, fmt.Sprintf("route %s table %d dev %s via %s", prefix, rt.Table, rt.Dev, rt.Via))
	}
	for _, n := range r.Neighbours {
		out = append(out, fmt.Sprintf("neigh %s mac %s dev %s", n.IP, n.MAC, n.Dev))
	}
	for _, f := range r.Flows {
		out = append(out, fmt.Sprintf("flow %s cookie %s from %s net %s strip %v", f.Bridge, f.Cookie, f.Source, f.Net,
			f.Strip))
	}
	slices.Sort(out)
	return out
}

// ours puts what we want into the same words.
func ours(s object.Set) []string {
	var out []string
	for _, it := range s.Sorted() {
		switch v := it.Value.(type) {
		case object.Link:
			switch v.Type {
			case object.LinkVRF:
				out = append(out, fmt.Sprintf("vrf %s table %d", v.Name, v.Table))
			case object.LinkVXLAN:
				out = append(out, fmt.Sprintf("vxlan %s vni %d port %d", v.Name, v.VNI, v.Port))
			}
		case object.OVSPort:
			out = append(out, fmt.Sprintf("port %s on %s tag %d", v.Name, v.Bridge, v.Tag))
		case object.EVPNPath:
			out = append(out, fmt.Sprintf("announce %s vni %d", v.Prefix.Addr(), v.VNI))
		case object.Route:
			if !v.Unreachable {
				via := ""
				if v.Via.IsValid() {
					via = v.Via.String()
				}
				out = append(out, fmt.Sprintf("route %s table %d dev %s via %s", v.Dst, v.Table, v.Dev, via))
			}
		case object.Neigh:
			out = append(out, fmt.Sprintf("neigh %s mac %s dev %s", v.Addr, v.MAC, v.Dev))
		case object.Flow:
			match := map[string]string{}
			for _, field := range strings.Split(v.Match, ",") {
				name, value, _ := strings.Cut(field, "=")
				match[name] = value
			}
			out = append(out, fmt.Sprintf("flow %s cookie %d from %s net %s strip %v",
				v.Bridge, v.Cookie, match["dl_src"], match["nw_src"]+match["ipv6_src"], strings.Contains(v.Actions, "strip_vlan")))
		}
	}
	slices.Sort(out)
	return out
}

// TestFixture compares with what the predecessor made of a real OVN's database,
// on every chassis, before and after Open vSwitch has made our port.
func TestFixture(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(fixtures, "expected-evpn.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string]reference
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for name, nodes := range all {
		snap, err := file.Read(filepath.Join(fixtures, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if len(nodes) != 3 {
			t.Errorf("%s: %d nodes are expected, the fixture has 3", name, len(nodes))
		}
		for node, want := range nodes {
			for _, made := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/made=%v", name, node, made), func(t *testing.T) { compare(t, snap, node, made, want) })
			}
		}
	}
}

func compare(t *testing.T, snap *file.File, node string, made bool, want reference) {
	view, err := snap.Snapshot(node)
	if err != nil {
		t.Fatal(err)
	}
	view.Learned = &observe.Learned{}
	if made {
		vswitch := *view.OVS
		vswitch.Bridges = slices.Clone(vswitch.Bridges)
		for i := range vswitch.Bridges {
			for _, p := range want.VLANPorts {
				if p.Bridge == vswitch.Bridges[i].Name {
					vswitch.Bridges[i].Made = []observe.MadePort{{Name: p.Port, OFPort: 99}}
				}
			}
		}
		view.OVS = &vswitch
	}
	res := desired.Compute(view, nil, evpn.New(defaultConfig()))
	sound(t, res.Want)
	if diff := cmp.Diff(want.lines(), ours(res.Want)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, s := range res.Skipped {
		t.Errorf("skipped: %s", s)
	}
	for _, it := range res.Want.SortedOf(object.KindEVPN) {
		if blocked := it.Block != nil; blocked == made {
			t.Errorf("%s: blocked %v, with the port made %v", it.Value.Key().Text(), it.Block, made)
		}
	}
}
