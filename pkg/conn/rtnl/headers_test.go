package rtnl

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// decode reads the only message of a batch.
func decode(t testing.TB, q *Batch) Message {
	t.Helper()
	m, rest, err := parseMessage(q.Encode(1))
	if err != nil || len(rest) != 0 {
		t.Fatalf("%v, %d bytes left", err, len(rest))
	}
	return m
}

// readers has what reads each header, and how long the kernel's struct is.
var readers = []struct {
	header Header
	size   int
	read   func(Message) (Header, Attrs, error)
}{
	{
		IfInfoMsg{Family: 1, Type: 0x203, Index: 0x4050607, Flags: 0x8090a0b, Change: 0xc0d0e0f},
		unix.SizeofIfInfomsg,
		func(m Message) (Header, Attrs, error) { h, a, err := m.Link(); return h, a, err },
	}, {
		IfAddrMsg{Family: 1, PrefixLen: 2, Flags: 3, Scope: 4, Index: 0x5060708},
		unix.SizeofIfAddrmsg,
		func(m Message) (Header, Attrs, error) { h, a, err := m.Addr(); return h, a, err },
	}, {
		RtMsg{Family: 1, DstLen: 2, SrcLen: 3, TOS: 4, Table: 5, Protocol: 6, Scope: 7, Type: 8, Flags: 0x90a0b0c},
		unix.SizeofRtMsg,
		func(m Message) (Header, Attrs, error) { h, a, err := m.Route(); return h, a, err },
	}, {
		FibRuleHdr{Family: 1, DstLen: 2, SrcLen: 3, TOS: 4, Table: 5, Action: 8, Flags: 0x90a0b0c},
		unix.SizeofRtMsg,
		func(m Message) (Header, Attrs, error) { h, a, err := m.Rule(); return h, a, err },
	}, {
		NdMsg{Family: 1, Index: 0x2030405, State: 0x607, Flags: 8, Type: 9},
		unix.SizeofNdMsg,
		func(m Message) (Header, Attrs, error) { h, a, err := m.Neigh(); return h, a, err },
	}, {
		NetconfMsg{Family: 1},
		unix.NLMSG_ALIGNTO,
		func(m Message) (Header, Attrs, error) { h, a, err := m.Netconf(); return h, a, err },
	},
}

// What is written of a header is read back, is as long as the kernel's struct,
// and one byte less is an error.
func TestHeadersRoundTrip(t *testing.T) {
	for _, r := range readers {
		var q Batch
		q.Begin(unix.RTM_NEWROUTE, 0, r.header)
		q.Uint32(unix.RTA_PRIORITY, 77)
		m := decode(t, &q)
		got, attrs, err := r.read(m)
		if err != nil || got != r.header {
			t.Errorf("%T: got %+v, %v", r.header, got, err)
		}
		if !attrs.Next() || attrs.Type != unix.RTA_PRIORITY || attrs.Uint32() != 77 || attrs.Next() || attrs.Err() != nil {
			t.Errorf("%T: the attribute behind it is not read: %v", r.header, attrs.Err())
		}
		if size := len(m.Body) - unix.SizeofRtAttr - 4; size != r.size {
			t.Errorf("%T has %d bytes, the kernel's %d", r.header, size, r.size)
		}
		m.Body = m.Body[:r.size-1]
		if _, _, err := r.read(m); !errors.Is(err, ErrMalformed) {
			t.Errorf("%T, truncated: %v", r.header, err)
		}
	}
}

// as reads bytes as the struct of package unix, which is generated from the
// kernel's headers.
func as[T any](b []byte) T { return *(*T)(unsafe.Pointer(unsafe.SliceData(b))) }

// The fields are where package unix has them.
func TestHeadersAreTheKernels(t *testing.T) {
	encoded := func(h Header) []byte { return appendHeader(nil, h) }
	l := readers[0].header.(IfInfoMsg)
	u := as[unix.IfInfomsg](encoded(l))
	if got := (IfInfoMsg{u.Family, u.Type, uint32(u.Index), u.Flags, u.Change}); got != l {
		t.Errorf("ifinfomsg: %+v", got)
	}
	a := readers[1].header.(IfAddrMsg)
	if u := as[unix.IfAddrmsg](encoded(a)); (IfAddrMsg{u.Family, u.Prefixlen, u.Flags, u.Scope, u.Index}) != a {
		t.Errorf("ifaddrmsg: %+v", u)
	}
	r := readers[2].header.(RtMsg)
	if u := as[unix.RtMsg](encoded(r)); (RtMsg{
		u.Family, u.Dst_len, u.Src_len, u.Tos, u.Table, u.Protocol, u.Scope,
		u.Type, u.Flags,
	}) != r {
		t.Errorf("rtmsg: %+v", u)
	}
	// Rules have no struct there; the kernel lays fib_rule_hdr over rtmsg.
	f := readers[3].header.(FibRuleHdr)
	if u := as[unix.RtMsg](encoded(f)); (FibRuleHdr{
		u.Family, u.Dst_len, u.Src_len, u.Tos, u.Table, u.Type,
		u.Flags,
	}) != f {
		t.Errorf("fib_rule_hdr: %+v", u)
	}
	n := readers[4].header.(NdMsg)
	if u := as[unix.NdMsg](encoded(n)); (NdMsg{u.Family, uint32(u.Ifindex), u.State, u.Flags, u.Type}) != n {
		t.Errorf("ndmsg: %+v", u)
	}
	var q Batch
	q.Begin(0x102, 0, NetconfMsg{})
	q.Header(l) // to have some length
	wire := q.Encode(0x3040506)
	h := as[unix.NlMsghdr](wire)
	want := unix.NlMsghdr{Len: uint32(len(wire)), Type: 0x102, Flags: unix.NLM_F_REQUEST | unix.NLM_F_ACK, Seq: 0x3040506}
	if h != want {
		t.Errorf("nlmsghdr: %+v, want %+v", h, want)
	}
	if m := decode(t, &q); m.Type != h.Type || m.Flags != h.Flags || len(m.Body) != len(wire)-unix.SizeofNlMsghdr {
		t.Errorf("nlmsghdr is read as %+v", m)
	}
}

// Next hops with their attributes are read back, and package unix agrees.
func TestNexthops(t *testing.T) {
	want := []RtNexthop{{Flags: unix.RTNH_F_ONLINK, Weight: 2, Index: 7}, {Index: 9}}
	vias := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}
	var q Batch
	q.Begin(unix.RTM_NEWROUTE, 0, RtMsg{})
	end := q.Group(unix.RTA_MULTIPATH)
	for i, h := range want {
		hop := q.Nexthop(h)
		q.Via(unix.RTA_VIA, vias[i])
		hop()
	}
	end()
	_, attrs, err := decode(t, &q).Route()
	if err != nil || !attrs.Next() || attrs.Type != unix.RTA_MULTIPATH {
		t.Fatalf("%v, attribute %d", err, attrs.Type)
	}
	u := as[unix.RtNexthop](attrs.Data)
	if (RtNexthop{u.Flags, u.Hops, uint32(u.Ifindex)}) != want[0] ||
		int(u.Len) != unix.SizeofRtNexthop+unix.SizeofRtAttr+8 {
		t.Errorf("rtnexthop: %+v", u)
	}
	i := 0
	attrs.Nexthops(func(h RtNexthop, a *Attrs) {
		if !a.Next() || h != want[i] || a.Via() != vias[i] {
			t.Errorf("got %+v via %v, want %+v via %v", h, a.Via(), want[i], vias[i])
		}
		i++
	})
	if i != len(want) || attrs.Next() || attrs.Err() != nil {
		t.Errorf("%d next hops, %v", i, attrs.Err())
	}
	for size := 1; size < len(attrs.Data); size++ {
		cut := Attrs{Data: attrs.Data[:size]}
		cut.Nexthops(func(_ RtNexthop, a *Attrs) {
			for a.Next() {
				a.Via()
			}
		})
		// After the first of two it is one next hop and no lie.
		if (cut.Err() == nil) != (size == int(u.Len)) {
			t.Errorf("cut to %d bytes: %v", size, cut.Err())
		}
	}
}

// One of each attribute is read back.
func TestAttributesRoundTrip(t *testing.T) {
	v4, v6 := netip.MustParseAddr("192.0.2.5"), netip.MustParseAddr("2001:db8::6")
	tests := []struct {
		write func(q *Batch)
		read  func(a *Attrs) any
		want  any
	}{
		{func(q *Batch) { q.Uint8(1, 0x11) }, func(a *Attrs) any { return a.Uint8() }, uint8(0x11)},
		{func(q *Batch) { q.Uint16(1, 0x2222) }, func(a *Attrs) any { return a.Uint16() }, uint16(0x2222)},
		{func(q *Batch) { q.Uint16BE(1, 4789) }, func(a *Attrs) any { return a.Uint16BE() }, uint16(4789)},
		{func(q *Batch) { q.Bytes(1, 0x12, 0xb5) }, func(a *Attrs) any { return a.Uint16BE() }, uint16(4789)},
		{func(q *Batch) { q.Uint32(1, 0x33333333) }, func(a *Attrs) any { return a.Uint32() }, uint32(0x33333333)},
		{func(q *Batch) { q.Text(1, "four") }, func(a *Attrs) any { return a.Text() }, "four"},
		{func(q *Batch) { q.Addr(1, v4) }, func(a *Attrs) any { return a.Addr() }, v4},
		{func(q *Batch) { q.Addr(1, v6) }, func(a *Attrs) any { return a.Addr() }, v6},
		{func(q *Batch) { q.Via(1, v4) }, func(a *Attrs) any { return a.Via() }, v4},
		{func(q *Batch) { q.Via(1, v6) }, func(a *Attrs) any { return a.Via() }, v6},
		{func(q *Batch) {
			end := q.Nest(1)
			q.Bytes(2, 1, 2, 3)
			q.Uint8(3, 4)
			end()
		}, func(a *Attrs) any {
			var got []byte
			a.Each(func(a *Attrs) { got = append(append(got, byte(a.Type)), a.Data...) })
			return string(got)
		}, "\x02\x01\x02\x03\x03\x04"},
	}
	for i, tt := range tests {
		var q Batch
		q.Begin(1, 0, NetconfMsg{})
		tt.write(&q)
		q.Uint8(9, 9) // what comes behind is found: lengths and padding are right
		_, a, err := decode(t, &q).Netconf()
		if err != nil || !a.Next() || a.Type != 1 {
			t.Fatalf("%d: %v, attribute %d", i, err, a.Type)
		}
		if got := tt.read(&a); got != tt.want {
			t.Errorf("%d: got %v, want %v", i, got, tt.want)
		}
		if !a.Next() || a.Type != 9 || a.Uint8() != 9 || a.Next() || a.Err() != nil {
			t.Errorf("%d: the attribute behind it is not found: %v", i, a.Err())
		}
	}
	ports := Attrs{Data: order.AppendUint16(order.AppendUint16(nil, 80), 90)}
	if first, last := ports.PortRange(); first != 80 || last != 90 {
		t.Errorf("ports %d-%d", first, last)
	}
	uids := Attrs{Data: order.AppendUint32(order.AppendUint32(nil, 5), 1<<20)}
	if first, last := uids.UIDRange(); first != 5 || last != 1<<20 {
		t.Errorf("uids %d-%d", first, last)
	}
}

// What is too short or claims too much is an error, with every way of reading.
func TestMalformedAttributes(t *testing.T) {
	v4 := []byte{192, 0, 2, 1}
	for name, read := range map[string]func(a *Attrs){
		"number of 1 byte": func(a *Attrs) { a.Uint8() }, "number of 2 bytes": func(a *Attrs) { a.Uint16() },
		"port": func(a *Attrs) { a.Uint16BE() }, "number of 4 bytes": func(a *Attrs) { a.Uint32() },
		"address": func(a *Attrs) { a.Addr() }, "via": func(a *Attrs) { a.Via() },
		"ports": func(a *Attrs) { a.PortRange() }, "uids": func(a *Attrs) { a.UIDRange() },
	} {
		empty := Attrs{}
		read(&empty)
		if !errors.Is(empty.Err(), ErrMalformed) {
			t.Errorf("%s: %v", name, empty.Err())
		}
	}
	for name, b := range map[string][]byte{
		"shorter than its header": {3, 0, 1, 0},
		"longer than the message": {9, 0, 1, 0, 1, 2, 3, 4},
		"no room for a header":    {8, 0, 1},
		"inside":                  {12, 0, 1, 0, 200, 0, 1, 0, 0, 0, 0, 0},
	} {
		a := AttrsOf(b)
		for a.Next() {
			a.Each(func(*Attrs) {})
		}
		if !errors.Is(a.Err(), ErrMalformed) {
			t.Errorf("%s: %v", name, a.Err())
		}
	}
	padded := AttrsOf(append([]byte{5, 0, 1, 0, 7, 0, 0, 0}, 0, 0))
	if !padded.Next() || padded.Uint8() != 7 || padded.Next() || padded.Err() != nil {
		t.Errorf("zeros behind the last attribute: %v", padded.Err())
	}
	addr, _ := netip.AddrFromSlice(v4)
	if _, err := Prefix(addr, 33); !errors.Is(err, ErrMalformed) {
		t.Errorf("a prefix of 33 bits: %v", err)
	}
	if p, err := Prefix(addr, 32); err != nil || p.String() != "192.0.2.1/32" {
		t.Errorf("got %s, %v", p, err)
	}
}

// Whatever comes, nothing panics, every walk ends, and whatever is wrong is
// called so.
func FuzzMessages(f *testing.F) {
	f.Add(message(24, 0, 1, 2, 32, 0, 0, 201, 98, 0, 1, 0, 0, 0, 0, 8, 0, 1, 0, 10, 0, 0, 1))
	f.Add(message(unix.NLMSG_ERROR, unix.NLM_F_ACK_TLVS, 1, append(make([]byte, unix.SizeofNlMsgerr), 6, 0, 1, 0, 'n',
		'o', 0, 0)...))
	for _, r := range readers {
		var q Batch
		q.Begin(unix.RTM_NEWROUTE, 0, r.header)
		end := q.Group(unix.RTA_MULTIPATH)
		hop := q.Nexthop(RtNexthop{Index: 4})
		q.Via(unix.RTA_VIA, netip.IPv6Loopback())
		hop()
		end()
		end = q.Nest(unix.IFLA_LINKINFO)
		q.Text(unix.IFLA_INFO_KIND, "vrf")
		end()
		f.Add(bytes.Clone(q.Encode(1)))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		err := EachMessage(datagram, func(m Message) error {
			_, err := m.Refusal()
			errs := []error{err}
			for _, r := range readers {
				_, a, err := r.read(m)
				for a.Next() {
					_, _, _, _, _, _ = a.Uint8(), a.Uint16(), a.Uint16BE(), a.Uint32(), a.Text(), a.Addr()
					a.Via()
					a.PortRange()
					a.UIDRange()
					a.Nexthops(func(_ RtNexthop, a *Attrs) {
						for a.Next() {
							a.Via()
						}
					})
					a.Each(func(a *Attrs) { a.Each(func(a *Attrs) { a.Uint32() }) })
				}
				errs = append(errs, err, a.Err())
			}
			return errors.Join(errs...)
		})
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Errorf("got %v", err)
		}
	})
}
