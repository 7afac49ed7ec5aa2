package host

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"golang.org/x/sys/unix"
)

// attr is an attribute as it stands in a message.
func attr(kind uint16, data ...byte) []byte {
	b := slices.Concat(rtnl.Native16(uint16(len(data)+4)), rtnl.Native16(kind), data)
	return append(b, make([]byte, -len(b)&3)...)
}

// A VRF tells its table, which kernels without VRFs cannot be asked for; an
// attribute of that number of another type of device is no table.
func TestLinksFromMessages(t *testing.T) {
	s := &Source{cfg: Config{Alias: "bgp-ovn"}}
	header := make([]byte, unix.SizeofIfInfomsg)
	copy(header[4:], binary.NativeEndian.AppendUint32(nil, 4))
	table := attr(unix.IFLA_INFO_DATA, attr(vrfTableAttr, binary.NativeEndian.AppendUint32(nil, 1001)...)...)
	for _, c := range []struct {
		kind, alias string
		want        observe.Link
	}{
		{"vrf", "bgp-ovn", observe.Link{Name: "dev", Index: 4, Table: 1001, Ours: true}},
		{"vrf", "somebody", observe.Link{Name: "dev", Index: 4, Table: 1001}},
		{"macvlan", "", observe.Link{Name: "dev", Index: 4}},
	} {
		info := slices.Concat(attr(unix.IFLA_INFO_KIND, []byte(c.kind+"\x00")...), table)
		body := slices.Concat(header, attr(unix.IFLA_IFNAME, []byte("dev\x00")...), attr(unix.IFLA_LINKINFO, info...))
		if c.alias != "" {
			body = append(body, attr(unix.IFLA_IFALIAS, []byte(c.alias+"\x00")...)...)
		}
		got, ok := s.linkFromMessage(rtnl.Message{Type: unix.RTM_NEWLINK, Body: body})
		if !ok || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", c.kind, got, ok, c.want)
		}
	}
}

// The host address of the device that VXLAN is sent from is one of ours to know,
// and our alias on a device is seen.
func TestDeviceOfVTEP(t *testing.T) {
	l := newLab(t, "d0", "d1")
	l.ip("addr add 192.0.2.1/32 dev d0")
	l.ip("addr add 192.0.2.2/32 dev d1")
	l.open(Config{VTEP: "d0"})
	l.ip("link set d1 alias bgp-ovn")
	l.ip("link set d1 up") // the kernel tells of the alias of a device that is up
	l.await("the address and the alias", func(h *observe.Host) bool {
		d1, _ := h.Link("d1")
		return d1.Ours && slices.Equal(texts(h), []string{"d0 192.0.2.1 192.0.2.1/32"})
	})
}
