package kernel

import (
	"encoding/binary"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// linkFromMessage is false for what is not about the device itself: the kernel
// reports ports of a bridge with the same type of message.
func linkFromMessage(m rtnl.Message) (link, bool) {
	header, attrs, ok := m.Header(unix.SizeofIfInfomsg)
	if !ok || header[0] == unix.AF_BRIDGE {
		return link{}, false
	}
	v := link{
		index: rtnl.Uint32At(header, 4),
		up:    rtnl.Uint32At(header, 8)&unix.IFF_UP != 0,
	}
	elsewhere := false
	for attrs.Next() {
		switch attrs.Type {
		case unix.IFLA_IFNAME:
			v.name = attrs.Text()
		case unix.IFLA_IFALIAS:
			v.alias = attrs.Text()
		case unix.IFLA_ADDRESS:
			if len(attrs.Data) == len(v.mac) {
				v.mac = object.MAC(attrs.Data)
			}
		case unix.IFLA_LINK:
			v.parent = attrs.Uint32()
		case unix.IFLA_MASTER:
			v.master = attrs.Uint32()
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_LINKINFO:
			v.info(attrs.Data)
		}
	}
	if elsewhere {
		v.parent = 0
	}
	return v, v.name != ""
}

// info reads IFLA_LINKINFO, in which the type comes before what it explains.
func (v *link) info(b []byte) {
	slave := ""
	for a := rtnl.AttrsOf(b); a.Next(); {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			v.kind = a.Text()
		case unix.IFLA_INFO_DATA:
			v.data(a.Data)
		case unix.IFLA_INFO_SLAVE_KIND:
			slave = a.Text()
		case unix.IFLA_INFO_SLAVE_DATA:
			if slave == object.LinkBridge {
				v.bridgePort = true
				v.portSettings(a.Data)
			}
		}
	}
}

// portSettings reads the settings of a port of a bridge.
func (v *link) portSettings(b []byte) {
	for a := rtnl.AttrsOf(b); a.Next(); {
		switch a.Type {
		case unix.IFLA_BRPORT_LEARNING:
			v.portLearning = a.Uint8() != 0
		case unix.IFLA_BRPORT_NEIGH_SUPPRESS:
			v.suppress = a.Uint8() != 0
		}
	}
}

// data reads IFLA_INFO_DATA, whose attributes mean something else for each type.
func (v *link) data(b []byte) {
	for a := rtnl.AttrsOf(b); a.Next(); {
		switch {
		case v.kind == object.LinkVLAN && a.Type == unix.IFLA_VLAN_ID:
			v.vlan = a.Uint16()
		case v.kind == object.LinkVRF && a.Type == unix.IFLA_VRF_TABLE:
			v.table = a.Uint32()
		case v.kind == object.LinkVXLAN:
			v.vxlan(a)
		}
	}
}

func (v *link) vxlan(a rtnl.Attrs) {
	switch a.Type {
	case unix.IFLA_VXLAN_ID:
		v.vni = a.Uint32()
	case unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6:
		v.local, _ = netip.AddrFromSlice(a.Data)
	case unix.IFLA_VXLAN_PORT:
		if len(a.Data) >= 2 {
			v.port = binary.BigEndian.Uint16(a.Data)
		}
	case unix.IFLA_VXLAN_LEARNING:
		v.learning = a.Uint8() != 0
	}
}
