package host

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// skipStats keeps counters out of link messages (RTEXT_FILTER_SKIP_STATS).
const skipStats = 1 << 3

// readLinks reads all devices and their addresses anew. The caller holds mu, or is alone.
func (s *Source) readLinks(ctx context.Context) error {
	var links map[int]observe.Link
	err := s.conn.Dump(ctx, func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETLINK, 0, make([]byte, unix.SizeofIfInfomsg)...)
		q.Uint32(unix.IFLA_EXT_MASK, skipStats)
	}, func() { links = make(map[int]observe.Link) }, func(m rtnl.Message) error {
		if l, ok := s.linkFromMessage(m); ok {
			links[l.Index] = l
		}
		return nil
	})
	if err != nil {
		s.lost = true
		return fmt.Errorf("read links: %w", err)
	}
	s.links, s.lost = links, false
	return s.readAddrs(ctx)
}

// drain takes in what is queued. The caller holds mu.
func (s *Source) drain() {
	lost, err := s.watch.Drain(s.note)
	s.lost = s.lost || lost || err != nil
	if s.lost {
		if err := s.readLinks(context.Background()); err != nil {
			s.log.Warn("devices are held as last known", "error", err)
		}
		// What was queued while reading is newer than what was read of it.
		if _, err := s.watch.Drain(s.note); err != nil {
			s.log.Warn("devices may be out of date until the next audit", "error", err)
		}
	}
	s.publish()
}

func (s *Source) note(m rtnl.Message) {
	if m.Type == unix.RTM_NEWADDR || m.Type == unix.RTM_DELADDR {
		s.noteAddress(m)
		return
	}
	l, ok := s.linkFromMessage(m)
	switch {
	case !ok:
	case m.Type == unix.RTM_NEWLINK:
		s.links[l.Index] = l
	case m.Type == unix.RTM_DELLINK:
		delete(s.links, l.Index)
	}
}

// linkFromMessage returns false for what is not about the device itself: the
// kernel reports ports of a bridge with the same type of message.
func (s *Source) linkFromMessage(m rtnl.Message) (observe.Link, bool) {
	header, attrs, ok := m.Header(unix.SizeofIfInfomsg)
	if !ok || header[0] == unix.AF_BRIDGE {
		return observe.Link{}, false
	}
	flags := rtnl.Uint32At(header, 8)
	l := observe.Link{Index: int(rtnl.Uint32At(header, 4)), Up: flags&unix.IFF_UP != 0}
	l.NoCarrier = l.Up && flags&unix.IFF_LOWER_UP == 0
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
		case unix.IFLA_IFALIAS:
			l.Ours = s.cfg.Alias != "" && attrs.Text() == s.cfg.Alias
		case unix.IFLA_LINKINFO:
			l.Table = vrfTable(attrs.Data)
		}
	}
	return l, l.Name != ""
}

// vrfTable is the routing table of a VRF device; 0 for other types.
func vrfTable(info []byte) uint32 {
	vrf := false
	for a := rtnl.AttrsOf(info); a.Next(); {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			vrf = a.Text() == object.LinkVRF
		case unix.IFLA_INFO_DATA:
			for d := rtnl.AttrsOf(a.Data); vrf && d.Next(); {
				if d.Type == vrfTableAttr {
					return d.Uint32()
				}
			}
		}
	}
	return 0
}

// vrfTableAttr is IFLA_VRF_TABLE of <linux/if_link.h>.
const vrfTableAttr = 1
