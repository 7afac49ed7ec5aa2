package unnumbered

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"

	"github.com/mdlayher/ndp"
	"golang.org/x/net/ipv6"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

const (
	// eager is for how many seconds a link that has come up is told of us each second, and
	// the other end asked for itself (MAX_INITIAL_RTR_ADVERTISEMENTS of RFC 4861 is 3).
	eager = 3
	// interval is how many seconds pass between advertisements later; FRR has the same.
	interval = 10
	// reviewed is after how many seconds a second router is forgotten, unless it is heard.
	reviewed = 60
	// hopLimit is what hosts are told to use, the default of RFC 1700 and of FRR.
	hopLimit = 64
)

var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
)

// heard is one message that arrived on a link, or with err the end of its socket.
type heard struct {
	index   int
	conn    *ndp.Conn
	message ndp.Message
	from    netip.Addr
	err     error
}

// link is one interface that is up.
type link struct {
	source  *Source
	dev     device
	machine machine
	// conn sends from, and is bound to, own; nil while that cannot be.
	conn    *ndp.Conn
	own     netip.Addr
	trouble string
	// age is in seconds since the link came up.
	age int
	// told is set once an advertisement went out in this second.
	told bool
}

// meet takes up what an interface is like now.
func (l *link) meet(d device) {
	l.dev = d
	if l.conn != nil && slices.Contains(d.own, l.own) {
		return
	}
	l.close()
	l.trouble = l.open()
	if l.trouble == "" {
		l.solicit()
		l.advertise()
	}
}

// open begins to listen, or says why it cannot.
func (l *link) open() string {
	if len(l.dev.own) == 0 {
		return fmt.Sprintf("%s has no IPv6 link-local address: is net.ipv6.conf.%s.disable_ipv6 set?", l.dev.Name, l.dev.Name)
	}
	var err error
	var conn *ndp.Conn
	dev := l.dev.Interface // the connection keeps it, and l.dev is another one with each survey
	bad := l.source.ns.Do(func() error {
		conn, _, err = ndp.Listen(&dev, ndp.Addr(l.dev.own[0].String()))
		return err
	})
	if bad != nil {
		// An address that is still being checked for duplicates cannot be bound to.
		text := fmt.Sprintf("cannot listen for router advertisements on %s: %v", l.dev.Name, bad)
		if errors.Is(bad, os.ErrPermission) {
			text += "; bgp-ovn needs CAP_NET_RAW for neighbours without an address, see docs/unnumbered.md"
		}
		return text
	}
	if err := prepare(conn); err != nil {
		_ = conn.Close() // nothing was sent
		return fmt.Sprintf("cannot listen on %s: %v", l.dev.Name, err)
	}
	l.conn, l.own = conn, l.dev.own[0]
	l.source.ended.Add(1)
	go l.source.receive(conn, l.dev.Index)
	return ""
}

func prepare(conn *ndp.Conn) error {
	var filter ipv6.ICMPFilter
	filter.SetAll(true)
	for _, t := range []ipv6.ICMPType{
		ipv6.ICMPTypeRouterAdvertisement, ipv6.ICMPTypeRouterSolicitation, ipv6.ICMPTypeNeighborAdvertisement,
	} {
		filter.Accept(t)
	}
	if err := conn.SetICMPFilter(&filter); err != nil {
		return err
	}
	if err := conn.SetControlMessage(ipv6.FlagHopLimit, true); err != nil {
		return err
	}
	if err := conn.JoinGroup(allNodes); err != nil {
		return err
	}
	return conn.JoinGroup(allRouters)
}

// receive reads until the socket is closed. What a router has forwarded is not from this
// link: its hop limit is less than 255 (RFC 4861 section 6.1).
func (s *Source) receive(conn *ndp.Conn, index int) {
	defer s.ended.Done()
	for {
		m, control, from, err := conn.ReadFrom()
		if err == nil && (control == nil || control.HopLimit != ndp.HopLimit || !from.IsLinkLocalUnicast()) {
			continue
		}
		select {
		case s.heard <- heard{index: index, conn: conn, message: m, from: from.WithZone(""), err: err}:
		case <-s.stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// take is told of a message.
func (l *link) take(h heard) {
	if h.conn != l.conn || l.conn == nil {
		return // from a socket that has been replaced
	}
	if h.err != nil {
		l.trouble = fmt.Sprintf("cannot receive on %s: %v", l.dev.Name, h.err)
		l.close()
		return
	}
	switch m := h.message.(type) {
	case *ndp.RouterSolicitation:
		l.advertise()
	case *ndp.RouterAdvertisement:
		if l.machine.advertisement(h.from) {
			l.ask()
		}
	case *ndp.NeighborAdvertisement:
		if m.Solicited {
			l.machine.answer(m.TargetAddress)
		}
	}
}

// second lets a second pass. table are the neighbours that the kernel knows.
func (l *link) second(table []netip.Addr) {
	l.age++
	l.told = false
	if l.conn == nil {
		return
	}
	if l.age%reviewed == 0 {
		l.machine.review()
	}
	// Our own addresses get there by what is sent to multicast groups.
	table = slices.DeleteFunc(table, func(a netip.Addr) bool { return slices.Contains(l.dev.own, a) })
	if l.machine.second(table) {
		l.ask()
	}
	if !l.machine.addr.IsValid() && (l.age <= eager || l.age%interval == 0) {
		l.solicit()
	}
	if l.age <= eager || l.age%interval == 0 {
		l.advertise()
	}
}

// wantsTable reports whether the kernel's table is to be looked at.
func (l *link) wantsTable() bool { return !l.machine.advertised }

// advertise tells the other end of us, at most once a second. A lifetime of 0 says that we
// are no default router.
func (l *link) advertise() {
	if !l.told && !l.source.quiet {
		l.told = true
		l.send(&ndp.RouterAdvertisement{CurrentHopLimit: hopLimit, Options: l.linkLayer()}, allNodes)
	}
}

// solicit asks routers to advertise themselves.
func (l *link) solicit() { l.send(&ndp.RouterSolicitation{Options: l.linkLayer()}, allRouters) }

// ask asks the neighbour whether it is still there.
func (l *link) ask() {
	l.send(&ndp.NeighborSolicitation{TargetAddress: l.machine.addr, Options: l.linkLayer()}, l.machine.addr)
}

// linkLayer is our address on layer 2, where there is one.
func (l *link) linkLayer() []ndp.Option {
	if len(l.dev.HardwareAddr) != len(net.HardwareAddr{0, 0, 0, 0, 0, 0}) {
		return nil
	}
	return []ndp.Option{&ndp.LinkLayerAddress{Direction: ndp.Source, Addr: l.dev.HardwareAddr}}
}

func (l *link) send(m ndp.Message, to netip.Addr) {
	if l.conn == nil {
		return
	}
	if err := l.conn.WriteTo(m, nil, to); err != nil {
		l.trouble = fmt.Sprintf("cannot send on %s: %v", l.dev.Name, err)
		l.source.log.Debug("router advertisement not sent", "interface", l.dev.Name, "error", err)
		return
	}
	l.trouble = ""
}

func (l *link) close() {
	if l.conn != nil {
		_ = l.conn.Close() // its reader ends
		l.conn = nil
	}
}

// observed is the link as others see it. Trouble of the first seconds is not worth telling:
// an address has to be checked for duplicates first.
func (l *link) observed() observe.UnnumberedLink {
	out := observe.UnnumberedLink{Dev: l.dev.Name, Neighbour: l.machine.addr, Other: l.machine.other}
	if l.age > eager {
		out.Trouble = l.trouble
	}
	return out
}
