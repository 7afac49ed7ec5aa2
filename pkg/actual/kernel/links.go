package kernel

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel/rtnl"
	"golang.org/x/sys/unix"
)

// link is a network device as the kernel reports it.
type link struct {
	index  uint32
	name   string
	alias  string
	kind   string // IFLA_INFO_KIND
	parent uint32 // IFLA_LINK; 0 when it is in another namespace
	vlan   uint16
	up     bool
}

// links are all devices of the namespace. Every other object refers to them by
// index; we refer to them by name.
type links struct {
	byIndex map[uint32]link
	byName  map[string]uint32
}

func newLinks() links {
	return links{byIndex: make(map[uint32]link), byName: make(map[string]uint32)}
}

func (l *links) put(v link) {
	l.remove(v.index)
	l.byIndex[v.index] = v
	l.byName[v.name] = v.index
}

func (l *links) remove(index uint32) {
	if have, ok := l.byIndex[index]; ok {
		delete(l.byIndex, index)
		delete(l.byName, have.name)
	}
}

func (l *links) named(name string) (link, bool) {
	index, ok := l.byName[name]
	return l.byIndex[index], ok
}

// index resolves a name for writing.
func (l *links) index(name string) (uint32, error) {
	index, ok := l.byName[name]
	if !ok {
		return 0, missingDevice(name)
	}
	return index, nil
}

// name resolves an index; false for a device we have not been told of.
func (l *links) name(index uint32) (string, bool) {
	v, ok := l.byIndex[index]
	return v.name, ok
}

// missingDevice is an ordinary outcome: whoever makes the device is late, or
// has just removed it.
func missingDevice(name string) error {
	return fmt.Errorf("device %s does not exist: %w", name, actual.ErrGone)
}

// skipStats keeps two hundred bytes of counters out of every link message
// (RTEXT_FILTER_SKIP_STATS).
const skipStats = 1 << 3

func (b *Backend) readLinks(ctx context.Context) error {
	var fresh links
	request := func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETLINK, 0, make([]byte, unix.SizeofIfInfomsg)...)
		q.Uint32(unix.IFLA_EXT_MASK, skipStats)
	}
	err := b.conn.Dump(ctx, request, func() { fresh = newLinks() }, func(m rtnl.Message) error {
		if v, ok := linkFromMessage(m); ok {
			fresh.put(v)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	b.links = fresh
	return nil
}

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
		case unix.IFLA_LINK:
			v.parent = attrs.Uint32()
		case unix.IFLA_LINK_NETNSID:
			elsewhere = true
		case unix.IFLA_LINKINFO:
			v.kind, v.vlan = linkInfo(attrs.Data)
		}
	}
	if elsewhere {
		v.parent = 0
	}
	return v, v.name != ""
}

func linkInfo(b []byte) (kind string, vlan uint16) {
	for a := rtnl.AttrsOf(b); a.Next(); {
		switch a.Type {
		case unix.IFLA_INFO_KIND:
			kind = a.Text()
		case unix.IFLA_INFO_DATA:
			if kind == vlanKind {
				vlan = vlanID(a.Data)
			}
		}
	}
	return kind, vlan
}

func vlanID(b []byte) uint16 {
	for a := rtnl.AttrsOf(b); a.Next(); {
		if a.Type == unix.IFLA_VLAN_ID {
			return a.Uint16()
		}
	}
	return 0
}
