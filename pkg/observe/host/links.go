package host

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// linksRequest asks for all devices without their counters.
// IFLA_STATS and IFLA_STATS64 are about 300 bytes of each answer, for every device.
func linksRequest(q *rtnl.Batch) {
	q.Begin(unix.RTM_GETLINK, 0, rtnl.IfInfoMsg{})
	q.Uint32(unix.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_SKIP_STATS)
}

// readLinks reads all devices and their addresses again. The caller holds mu, or is alone.
func (s *Source) readLinks(ctx context.Context) error {
	var links map[int]observe.Link
	err := s.conn.Dump(ctx, linksRequest, func() { links = make(map[int]observe.Link) }, func(m rtnl.Message) error {
		l, ok, err := s.linkFromMessage(m)
		if ok && err == nil {
			links[l.Index] = l
		}
		return err
	})
	if err != nil {
		s.lost = true
		return fmt.Errorf("read links: %w", err)
	}
	s.links, s.lost = links, false
	return s.readAddrs(ctx)
}

// drain applies the queued notifications. The caller holds mu.
func (s *Source) drain() {
	lost, err := s.watch.Drain(s.notified)
	s.lost = s.lost || lost || err != nil
	// ENOBUFS does not say what was dropped (netlink(7)): everything is read.
	if s.lost {
		if err := s.readLinks(context.Background()); err != nil {
			s.log.Warn("devices cannot be read, the last known state stays in force", "error", err)
		}
		// What was queued while reading is newer than what was read of it.
		if _, err := s.watch.Drain(s.notified); err != nil {
			s.log.Warn("devices may be out of date until the next audit", "error", err)
		}
	}
	s.publish()
}

// notified applies one notification. One that cannot be read is as good as lost.
func (s *Source) notified(m rtnl.Message) error {
	if m.Type == unix.RTM_NEWADDR || m.Type == unix.RTM_DELADDR {
		return s.addressChanged(m)
	}
	l, ok, err := s.linkFromMessage(m)
	switch {
	case !ok || err != nil:
		return err
	case m.Type == unix.RTM_NEWLINK:
		s.links[l.Index] = l
	case m.Type == unix.RTM_DELLINK:
		delete(s.links, l.Index)
	}
	return nil
}

// linkFromMessage returns false for what is not about the device itself: the
// kernel reports ports of a bridge with the same type of message.
// A port that leaves its bridge causes RTM_DELLINK of family AF_BRIDGE (del_nbp in
// net/bridge/br_if.c), although the device stays.
func (s *Source) linkFromMessage(m rtnl.Message) (l observe.Link, ok bool, err error) {
	h, attrs, err := m.Link()
	if err != nil || h.Family == unix.AF_BRIDGE {
		return l, false, err
	}
	l.Index, l.Up = int(h.Index), h.Flags&unix.IFF_UP != 0
	// IFF_LOWER_UP follows the carrier; IFF_RUNNING waits for the operational
	// state too (RFC 2863), which a device may keep at "dormant".
	l.NoCarrier = l.Up && h.Flags&unix.IFF_LOWER_UP == 0
	for attrs.Next() {
		switch attrs.Type {
		case unix.IFLA_IFNAME:
			l.Name = attrs.Text()
		case unix.IFLA_MTU:
			l.MTU = int(attrs.Uint32())
		case unix.IFLA_ADDRESS:
			if len(attrs.Data) == len(object.MAC{}) {
				l.MAC = object.MAC(attrs.Data)
			}
		case unix.IFLA_MASTER:
			l.Master = int(attrs.Uint32())
		case unix.IFLA_IFALIAS:
			l.Ours = s.cfg.Alias != "" && attrs.Text() == s.cfg.Alias
		case unix.IFLA_LINKINFO:
			l.Table = vrfTable(&attrs)
		}
	}
	return l, l.Name != "", attrs.Err()
}

// vrfTable is the routing table of a VRF device, from IFLA_LINKINFO; 0 for other
// types, of which the same attribute means something else.
// The kernel writes the type before the data (rtnl_link_info_fill in
// net/core/rtnetlink.c), so one pass is enough.
func vrfTable(info *rtnl.Attrs) (table uint32) {
	vrf := false
	info.Each(func(a *rtnl.Attrs) {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			vrf = a.Text() == object.LinkVRF
		case unix.IFLA_INFO_DATA:
			a.Each(func(d *rtnl.Attrs) {
				if vrf && d.Type == unix.IFLA_VRF_TABLE {
					table = d.Uint32()
				}
			})
		}
	})
	return table
}
