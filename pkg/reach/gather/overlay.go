package gather

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// entries are the names of the devices by which packets come in to be routed: those of the
// uplinks, or the bridge of a VNI. A bridged VNI routes nothing.
func (q Question) entries() []string {
	switch o := q.Overlay; {
	case o == nil:
		return q.Uplinks
	case o.VRF == "":
		return nil
	default:
		return []string{o.Bridge}
	}
}

// tunnel reads what concerns the VNI by which packets come in.
func (s *session) tunnel(q Question, f *reach.Facts) {
	o := q.Overlay
	t := &reach.Tunnel{Bridge: s.device(o.Bridge).Device, VXLAN: s.device(o.VXLAN).Device}
	if o.VRF != "" {
		t.VRF = s.device(o.VRF).Device
	}
	if o.Port != "" {
		t.Port = s.device(o.Port).Device
	}
	vteps := nextVTEPs(o.Bridge, f.Back)
	ask := []reach.Lookup{{Dst: o.Local}}
	for _, via := range vteps {
		ask = append(ask, reach.Lookup{Dst: via.Unmap()})
	}
	s.ask(ask)
	t.Local = ask[0]
	for i, via := range vteps {
		r := reach.Remote{VTEP: via.Unmap(), Out: ask[i+1], Neighbour: s.neighbour(o.Bridge, via)}
		if n := r.Neighbour; n != nil && n.MAC != "" {
			r.At = s.forwarding(o.VXLAN, n.MAC)
		}
		t.Remotes = append(t.Remotes, r)
	}
	f.Tunnel = t
}

// nextVTEPs are the next hops of answers by the bridge of a VNI.
func nextVTEPs(bridge string, back []reach.Lookup) []netip.Addr {
	var out []netip.Addr
	for _, l := range back {
		for _, h := range l.Route.Hops {
			if l.Refused == "" && h.Dev == bridge && h.Via.IsValid() && !slices.Contains(out, h.Via) {
				out = append(out, h.Via)
			}
		}
	}
	return out
}

// forwarding is the VTEP to which a VXLAN device sends frames for a MAC address; invalid if
// it has no entry.
func (s *session) forwarding(dev, mac string) netip.Addr {
	var out netip.Addr
	d := s.device(dev)
	hw := hardware(mac)
	if d.Missing || hw == nil {
		return out
	}
	var b rtnl.Batch
	b.Begin(unix.RTM_GETNEIGH, unix.NLM_F_ACK, rtnl.NdMsg{Family: unix.AF_BRIDGE, Index: d.index, Flags: unix.NTF_SELF})
	b.Bytes(unix.NDA_LLADDR, hw...)
	err := s.conn.Ask(s.ctx, &b, func(_ int, m rtnl.Message) {
		_, attrs, err := m.Neigh()
		for err == nil && attrs.Next() {
			if attrs.Type == unix.NDA_DST {
				out = attrs.Addr()
			}
		}
	}, func(int, *rtnl.Error) {})
	if err != nil {
		s.failed("forwarding table of "+dev, err)
	}
	return out
}

// hardware reads what macText wrote.
func hardware(mac string) []byte {
	out := make([]byte, 6)
	n, err := fmt.Sscanf(mac, "%02x:%02x:%02x:%02x:%02x:%02x", &out[0], &out[1], &out[2], &out[3], &out[4], &out[5])
	if err != nil || n != len(out) {
		return nil
	}
	return out
}

// info reads IFLA_LINKINFO, in which the type comes before what it explains.
func (d *device) info(info *rtnl.Attrs) {
	info.Each(func(a *rtnl.Attrs) {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			d.Kind = a.Text()
		case unix.IFLA_INFO_DATA:
			a.Each(d.data)
		}
	})
}

// data reads one attribute of IFLA_INFO_DATA, where a number means something else for each
// type of device.
func (d *device) data(a *rtnl.Attrs) {
	switch {
	case d.Kind == "vrf" && a.Type == unix.IFLA_VRF_TABLE:
		d.Table = a.Uint32()
	case d.Kind != "vxlan":
	case a.Type == unix.IFLA_VXLAN_ID:
		d.VNI = a.Uint32()
	case a.Type == unix.IFLA_VXLAN_LOCAL:
		d.Local = a.Addr()
	case a.Type == unix.IFLA_VXLAN_LEARNING:
		d.Learning = a.Uint8() != 0
	}
}
