package kernel

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// link is a network device as the kernel reports it.
type link struct {
	index  uint32
	name   string
	alias  string
	kind   string // IFLA_INFO_KIND
	parent uint32 // IFLA_LINK, the other end of a veth too; 0 when it is in another namespace
	master uint32 // IFLA_MASTER
	mac    object.MAC
	up     bool
	// losses counts how often the device lost its carrier.
	losses uint32

	vlan     uint16
	table    uint32
	vni      uint32
	local    netip.Addr
	port     uint16
	learning bool // of a VXLAN device

	bridgePort, portLearning, suppress bool
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

// Both keys may be taken: an index is reused when its creator asks for it (ip link add
// index N), and a device may get the name of one whose RTM_DELLINK is still queued.
func (l *links) put(v link) {
	l.remove(v.index)
	if old, ok := l.byName[v.name]; ok {
		l.remove(old) // names are unique: that device is gone, or has another one now
	}
	l.byIndex[v.index] = v
	l.byName[v.name] = v.index
}

func (l *links) remove(index uint32) {
	if have, ok := l.byIndex[index]; ok {
		delete(l.byIndex, index)
		if l.byName[have.name] == index {
			delete(l.byName, have.name)
		}
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

// name resolves an index; false for a device that is not in the table of links yet.
func (l *links) name(index uint32) (string, bool) {
	v, ok := l.byIndex[index]
	return v.name, ok
}

// missingDevice is an ordinary outcome: whoever makes the device is late, or
// has just removed it.
func missingDevice(name string) error {
	return fmt.Errorf("device %s does not exist: %w", name, actual.ErrGone)
}

func (b *Backend) readLinks(ctx context.Context) error {
	var fresh links
	request := func(q *rtnl.Batch) {
		q.Begin(unix.RTM_GETLINK, 0, rtnl.IfInfoMsg{})
		q.Uint32(unix.IFLA_EXT_MASK, rtnl.RTEXT_FILTER_SKIP_STATS) // two hundred bytes in every message
	}
	err := b.conn.Dump(ctx, request, func() { fresh = newLinks() }, func(m rtnl.Message) error {
		v, ok, err := linkFromMessage(m)
		if ok && err == nil {
			fresh.put(v)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("read links: %w", err)
	}
	b.links = fresh
	return nil
}
