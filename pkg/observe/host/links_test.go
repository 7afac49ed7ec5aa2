package host

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// message is what build writes, as it would be received.
func message(t *testing.T, build func(*rtnl.Batch)) (out rtnl.Message) {
	t.Helper()
	var q rtnl.Batch
	build(&q)
	if err := rtnl.EachMessage(q.Encode(1), func(m rtnl.Message) error { out = m; return nil }); err != nil {
		t.Fatal(err)
	}
	return out
}

// A VRF has its table in its message, which kernels without VRFs cannot be asked for; an
// attribute of that number of another type of device is no table.
func TestLinksFromMessages(t *testing.T) {
	s := &Source{cfg: Config{Alias: "bgp-ovn"}}
	for _, c := range []struct {
		kind, alias string
		want        observe.Link
	}{
		{"vrf", "bgp-ovn", observe.Link{Name: "dev", Index: 4, Table: 1001, Ours: true}},
		{"vrf", "somebody", observe.Link{Name: "dev", Index: 4, Table: 1001}},
		{"macvlan", "", observe.Link{Name: "dev", Index: 4}},
	} {
		m := message(t, func(q *rtnl.Batch) {
			q.Begin(unix.RTM_NEWLINK, 0, rtnl.IfInfoMsg{Index: 4})
			q.Text(unix.IFLA_IFNAME, "dev")
			info := q.Nest(unix.IFLA_LINKINFO)
			q.Text(unix.IFLA_INFO_KIND, c.kind)
			data := q.Nest(unix.IFLA_INFO_DATA)
			q.Uint32(unix.IFLA_VRF_TABLE, 1001)
			data()
			info()
			if c.alias != "" {
				q.Text(unix.IFLA_IFALIAS, c.alias)
			}
		})
		got, ok, err := s.linkFromMessage(m)
		if err != nil || !ok || got != c.want {
			t.Errorf("%s: got %+v, %v, %v, want %+v", c.kind, got, ok, err, c.want)
		}
	}
}

// A notification that cannot be read is an error, which counts as a loss.
func TestTruncatedNotifications(t *testing.T) {
	s := &Source{links: map[int]observe.Link{}, addrs: map[address]int{}}
	for _, build := range []func(*rtnl.Batch){
		func(q *rtnl.Batch) {
			q.Begin(unix.RTM_NEWLINK, 0, rtnl.IfInfoMsg{Index: 4})
			q.Text(unix.IFLA_IFNAME, "dev")
			q.Uint32(unix.IFLA_MTU, 1500)
		},
		func(q *rtnl.Batch) {
			q.Begin(unix.RTM_NEWADDR, 0, rtnl.IfAddrMsg{Family: unix.AF_INET, PrefixLen: 24, Index: 4})
			q.Addr(unix.IFA_ADDRESS, netip.MustParseAddr("192.0.2.1"))
		},
	} {
		m := message(t, build)
		whole := m.Body
		for size := range len(whole) {
			m.Body = whole[:size]
			// Cut off between two attributes a message is a shorter one.
			err := s.notified(m)
			if size%4 != 0 && !errors.Is(err, rtnl.ErrMalformed) {
				t.Errorf("type %d, %d of %d bytes: %v", m.Type, size, len(whole), err)
			}
		}
		m.Body = whole
		if err := s.notified(m); err != nil {
			t.Error(err)
		}
	}
	if len(s.links) != 1 || len(s.addrs) != 1 {
		t.Errorf("got %v, %v", s.links, s.addrs)
	}
}

// Whatever the kernel sends, nothing panics.
func FuzzNotifications(f *testing.F) {
	var q rtnl.Batch
	q.Begin(unix.RTM_NEWLINK, 0, rtnl.IfInfoMsg{Index: 4, Flags: unix.IFF_UP})
	q.Text(unix.IFLA_IFNAME, "dev")
	info := q.Nest(unix.IFLA_LINKINFO)
	q.Text(unix.IFLA_INFO_KIND, "vxlan")
	data := q.Nest(unix.IFLA_INFO_DATA)
	q.Uint16BE(unix.IFLA_VXLAN_PORT, 4789)
	data()
	info()
	q.Begin(unix.RTM_NEWADDR, 0, rtnl.IfAddrMsg{Family: unix.AF_INET6, PrefixLen: 64, Index: 4})
	q.Addr(unix.IFA_ADDRESS, netip.MustParseAddr("2001:db8::1"))
	q.Begin(unix.RTM_NEWROUTE, 0, rtnl.RtMsg{Family: unix.AF_INET, DstLen: 32, Type: unix.RTN_UNICAST})
	q.Uint32(unix.RTA_OIF, 4)
	metrics := q.Nest(unix.RTA_METRICS)
	q.Uint32(unix.RTAX_MTU, 1300)
	metrics()
	f.Add(q.Encode(1))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		s := &Source{links: map[int]observe.Link{}, addrs: map[address]int{}}
		err := rtnl.EachMessage(datagram, func(m rtnl.Message) error {
			var route RouteTo
			_, attrs, linkErr := m.Link()
			if linkErr == nil {
				deviceFromAttributes(&attrs, "bgp-ovn")
			}
			return errors.Join(s.notified(m), route.read(m, nil))
		})
		if err != nil && !errors.Is(err, rtnl.ErrMalformed) {
			t.Errorf("got %v", err)
		}
		s.publish()
	})
}

// The host address of the device that VXLAN is sent from is one of ours to know,
// and our alias on a device is seen.
func TestDeviceOfVTEP(t *testing.T) {
	l := newLab(t, "d0", "d1")
	l.ip("addr add 192.0.2.1/32 dev d0")
	l.ip("addr add 192.0.2.2/32 dev d1")
	l.open(Config{VTEP: "d0"})
	l.ip("link set d1 alias bgp-ovn")
	l.ip("link set d1 up") // the kernel notifies of the alias of a device that is up
	l.await("the address and the alias", func(h *observe.Host) bool {
		d1, _ := h.Link("d1")
		return d1.Ours && slices.Equal(texts(h), []string{"d0 192.0.2.1 192.0.2.1/32"})
	})
}
