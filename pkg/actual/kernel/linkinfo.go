package kernel

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// linkFromMessage is false for what is not about the device itself: the kernel
// reports ports of a bridge with the same type of message.
// A port that leaves its bridge causes RTM_DELLINK of family AF_BRIDGE (del_nbp in
// net/bridge/br_if.c): read as one about the device, it would look deleted.
func linkFromMessage(m rtnl.Message) (v link, ok bool, err error) {
	h, attrs, err := m.Link()
	if err != nil || h.Family == unix.AF_BRIDGE {
		return link{}, false, err
	}
	v.index, v.up = h.Index, h.Flags&unix.IFF_UP != 0
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
		// The lower device of a VLAN, the other end of a veth (ndo_get_iflink).
		case unix.IFLA_LINK:
			v.parent = attrs.Uint32()
		case unix.IFLA_MASTER:
			v.master = attrs.Uint32()
		// IFLA_LINK is then an index of that namespace, where it may
		// belong to another device than here.
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		// Counted by the kernel since 4.16: of a carrier that was lost and found again
		// at once the flags show nothing.
		case unix.IFLA_CARRIER_DOWN_COUNT:
			v.losses = attrs.Uint32()
		case unix.IFLA_LINKINFO:
			v.info(&attrs)
		}
	}
	if elsewhere {
		v.parent = 0
	}
	return v, v.name != "", attrs.Err()
}

// portOf is a device with the settings that it has as a port of a bridge: when these change,
// the kernel notifies of nothing else (br_ifinfo_notify in net/bridge/br_netlink.c). It is
// false for what says nothing of them.
func (l *links) portOf(m rtnl.Message) (v link, ok bool, err error) {
	h, attrs, err := m.Link()
	if err != nil || h.Family != unix.AF_BRIDGE || m.Type != unix.RTM_NEWLINK {
		return link{}, false, err
	}
	v, known := l.byIndex[h.Index]
	for attrs.Next() {
		if attrs.Type == unix.IFLA_PROTINFO && known {
			v.bridgePort, ok = true, true
			attrs.Each(v.portSetting)
		}
	}
	return v, ok, attrs.Err()
}

// info reads IFLA_LINKINFO, in which the type comes before what it explains.
// The kernel writes them in that order (rtnl_link_info_fill in
// net/core/rtnetlink.c), as each type of device interprets its data itself.
func (v *link) info(info *rtnl.Attrs) {
	slave := ""
	info.Each(func(a *rtnl.Attrs) {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			v.kind = a.Text()
		case unix.IFLA_INFO_DATA:
			a.Each(v.data)
		case unix.IFLA_INFO_SLAVE_KIND:
			slave = a.Text()
		case unix.IFLA_INFO_SLAVE_DATA:
			if slave == object.LinkBridge {
				v.bridgePort = true
				a.Each(v.portSetting)
			}
		}
	})
}

// portSetting reads one setting of a port of a bridge.
func (v *link) portSetting(a *rtnl.Attrs) {
	switch a.Type {
	case unix.IFLA_BRPORT_LEARNING:
		v.portLearning = a.Uint8() != 0
	case unix.IFLA_BRPORT_NEIGH_SUPPRESS:
		v.suppress = a.Uint8() != 0
	}
}

// data reads one attribute of IFLA_INFO_DATA, where a number means something
// else for each type of device.
func (v *link) data(a *rtnl.Attrs) {
	switch {
	case v.kind == object.LinkVLAN && a.Type == unix.IFLA_VLAN_ID:
		v.vlan = a.Uint16()
	case v.kind == object.LinkVRF && a.Type == unix.IFLA_VRF_TABLE:
		v.table = a.Uint32()
	case v.kind == object.LinkVXLAN:
		v.vxlan(a)
	}
}

func (v *link) vxlan(a *rtnl.Attrs) {
	switch a.Type {
	case unix.IFLA_VXLAN_ID:
		v.vni = a.Uint32()
	case unix.IFLA_VXLAN_LOCAL, unix.IFLA_VXLAN_LOCAL6:
		v.local = a.Addr()
	case unix.IFLA_VXLAN_PORT:
		v.port = a.Uint16BE()
	case unix.IFLA_VXLAN_LEARNING:
		v.learning = a.Uint8() != 0
	}
}
