package rtnl

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Filter is which notifications the kernel should not even queue. On a
// gateway with a full table in another daemon's hands this is the difference
// between sleeping and waking for every route of the Internet.
type Filter struct {
	// Port is the connection whose own requests cause no notifications, those
	// about links excepted; see [Conn.Port]. With 0 all are reported: in notifications 0 is
	// the kernel itself.
	Port uint32
	// Protocol and Tables are the routes to be notified of: those with this
	// rtm_protocol, and all in these tables.
	Protocol uint8
	Tables   []uint32
	// Forwarding asks for entries of forwarding databases that were set and not
	// learnt from traffic.
	Forwarding bool
}

// maxTables keeps the jumps of the program within their eight bits; with more
// tables every route is reported.
const maxTables = 100

// Where in a message the filter reads: in struct nlmsghdr, and in the header of
// the type, which begins with the family whatever the type.
const (
	offType     = uint32(unsafe.Offsetof(unix.NlMsghdr{}.Type))
	offPort     = uint32(unsafe.Offsetof(unix.NlMsghdr{}.Pid))
	offFamily   = uint32(unix.SizeofNlMsghdr + unsafe.Offsetof(unix.RtMsg{}.Family))
	offTable    = uint32(unix.SizeofNlMsghdr + unsafe.Offsetof(unix.RtMsg{}.Table))
	offProtocol = uint32(unix.SizeofNlMsghdr + unsafe.Offsetof(unix.RtMsg{}.Protocol))
	offEntry    = uint32(unix.SizeofNlMsghdr + unsafe.Offsetof(unix.NdMsg{}.Flags))
)

// What a filter returns: how many bytes of the message to keep.
const (
	keepAll = ^uint32(0)
	discard = 0
)

// Restrict installs a filter in place of the one before.
func (w *Watch) Restrict(f Filter) error {
	program := f.program()
	fprog := &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	var err error
	controlErr := w.raw.Control(func(fd uintptr) {
		err = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, fprog)
	})
	if controlErr != nil {
		err = controlErr
	}
	if err != nil {
		return fmt.Errorf("filter rtnetlink notifications: %w", err)
	}
	return nil
}

// program is the filter in classic BPF:
//
//	about what a bridge has learnt:                drop
//	about a link:                                  accept
//	caused by Port, if that is set:                drop
//	route of another protocol in another table:    drop
//	everything else:                               accept
func (f Filter) program() []unix.SockFilter {
	accept, drop := ret(keepAll), ret(discard)
	p := []unix.SockFilter{
		load(unix.BPF_B, offFamily),
		jump(unix.AF_BRIDGE, 0, 3),
		load(unix.BPF_H, offType),
		jump(uint32(network16(unix.RTM_NEWLINK)), 1, 0), // settings of a port of a bridge
		drop,
	}
	if f.Forwarding {
		p = []unix.SockFilter{
			load(unix.BPF_B, offFamily),
			jump(unix.AF_BRIDGE, 0, 6),
			load(unix.BPF_H, offType),
			jump(uint32(network16(unix.RTM_NEWNEIGH)), 1, 0),
			jump(uint32(network16(unix.RTM_DELNEIGH)), 0, 3),
			load(unix.BPF_B, offEntry),
			bits(unix.NTF_SELF|unix.NTF_EXT_LEARNED, 1, 0),
			drop,
		}
	}
	p = append(p, []unix.SockFilter{
		load(unix.BPF_H, offType),
		jump(uint32(network16(unix.RTM_NEWLINK)), 1, 0),
		jump(uint32(network16(unix.RTM_DELLINK)), 0, 1),
		accept,
	}...)
	if f.Port != 0 {
		p = append(p, load(unix.BPF_W, offPort), jump(network32(f.Port), 0, 1), drop)
	}
	p = append(p, []unix.SockFilter{
		load(unix.BPF_H, offType),
		jump(uint32(network16(unix.RTM_NEWROUTE)), 2, 0),
		jump(uint32(network16(unix.RTM_DELROUTE)), 1, 0),
		accept,
	}...)
	if len(f.Tables) > maxTables {
		return append(p, accept)
	}
	p = append(p,
		load(unix.BPF_B, offProtocol), jump(uint32(f.Protocol), 0, 1), accept,
		load(unix.BPF_B, offTable))
	for _, table := range f.Tables {
		if table > math.MaxUint8 {
			table = unix.RT_TABLE_COMPAT // the number itself is an attribute then
		}
		p = append(p, jump(table, 0, 1), accept)
	}
	return append(p, drop)
}

func load(size uint16, offset uint32) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_ABS | size, K: offset}
}

func jump(equal uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: yes, Jf: no, K: equal}
}

// bits jumps on whether one of these is set.
func bits(mask uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: yes, Jf: no, K: mask}
}

func ret(n uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: n} }

// The filter machine loads numbers in network byte order, netlink writes them
// in the machine's.
func network16(v uint16) uint16 {
	return binary.BigEndian.Uint16(order.AppendUint16(nil, v))
}

func network32(v uint32) uint32 {
	return binary.BigEndian.Uint32(order.AppendUint32(nil, v))
}
