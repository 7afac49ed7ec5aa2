package kernel

import (
	"bytes"
	"errors"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// unconnected is a backend without a kernel, for what it makes of notifications.
func unconnected() *Backend {
	b := &Backend{marks: actual.DefaultMarks(), links: newLinks(), scope: newScope(), mirror: newMirror()}
	for i, name := range []string{"d0", "d1"} {
		b.links.put(link{index: uint32(i + 1), name: name, up: true})
		b.scope.devices[name] = struct{}{}
		b.scope.fdb[name] = struct{}{}
		b.scope.links[name] = struct{}{}
	}
	b.scope.tables[201] = struct{}{}
	return b
}

// written are values in messages as the backend writes them, and as the kernel
// notifies of them.
func written(t testing.TB, b *Backend) (values []object.Value, datagrams [][]byte) {
	t.Helper()
	for _, line := range []string{
		"address 169.254.1.1/32 dev d0",
		"address fd53:d91e:400:7f17::1:1/128 dev d0",
		"neigh 172.24.4.146 dev d0  lladdr fa:16:3e:74:e6:3b",
		"proxy 2001:db8:: dev d0",
		"fdb self 52:54:00:aa:bb:02 dev d0 dst 192.0.2.2",
		"fdb master 52:54:00:aa:bb:02 dev d1",
		"route 10.0.0.5/32 table 201 metric 0  dev d0",
		"route 10.0.1.0/24 table 201 metric 7  dev d0 via 10.0.0.5 src 169.254.1.1",
		"route 10.0.2.0/24 table 1000 metric 7  dev d0 via fe80::1",
		"route 2001:db8::5/128 table 201 metric 1024  nexthop fe80::1 dev d0 nexthop fe80::2 dev d1",
		"route 0.0.0.0/0 table 201 metric 20  nexthop 192.0.2.1 dev d0 nexthop fe80::1 dev d1",
		"route 10.0.3.0/24 table 201 metric 0  unreachable",
	} {
		v := parse(t, line)
		var q rtnl.Batch
		if err := b.encoder(v.Key().Kind)(&q, create(v)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		values, datagrams = append(values, v), append(datagrams, bytes.Clone(q.Encode(1)))
	}
	return values, datagrams
}

// TestNotificationsAreWhatWasWritten: every value comes back as it was written, and a
// message that is cut off within a field is an error and no other value.
func TestNotificationsAreWhatWasWritten(t *testing.T) {
	values, datagrams := written(t, unconnected())
	for i, datagram := range datagrams {
		b := unconnected()
		err := rtnl.EachMessage(datagram, func(m rtnl.Message) error {
			whole := m.Body
			for size := range whole {
				cut, padded := unconnected(), unconnected()
				m.Body = whole[:size]
				err := cut.notified(m)
				// Without the zeros behind its last attribute it is the same message.
				m.Body = whole[:(size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)]
				same := padded.notified(m) == nil && text(cut.mirror.set) == text(padded.mirror.set)
				if !errors.Is(err, rtnl.ErrMalformed) && !same {
					t.Errorf("%d of %d bytes of %s: %v", size, len(whole), object.Text(values[i]), err)
				}
			}
			m.Body = whole
			return b.notified(m)
		})
		have, ok := b.mirror.set.Get(values[i].Key())
		if err != nil || !ok || have.Value != values[i] {
			t.Errorf("got %v, %v, want %s", have.Value, err, object.Text(values[i]))
		}
	}
}

// TestMalformedNotification: what cannot be read is as good as lost, so that the
// next read asks for everything.
func TestMalformedNotification(t *testing.T) {
	var q rtnl.Batch
	q.Begin(unix.RTM_NEWROUTE, 0, rtnl.RtMsg{
		Family: unix.AF_INET, DstLen: 33, Table: 201, Protocol: 98,
		Type: unix.RTN_UNICAST,
	})
	q.Uint32(unix.RTA_OIF, 1)
	if err := rtnl.EachMessage(q.Encode(1), unconnected().notified); !errors.Is(err, rtnl.ErrMalformed) {
		t.Errorf("an IPv4 prefix of 33 bits: %v", err)
	}
}

// Whatever the kernel sends, nothing panics, what is wrong is called so, and
// what is taken in can be printed.
func FuzzNotifications(f *testing.F) {
	_, datagrams := written(f, unconnected())
	for _, d := range datagrams {
		f.Add(d)
	}
	var q rtnl.Batch
	ruleToRequest(&q, unix.RTM_NEWRULE, 0, object.NewRule(32000, 201, false), 98)
	q.Begin(unix.RTM_NEWRULE, 0, rtnl.FibRuleHdr{
		Family: unix.AF_INET, SrcLen: 8, Flags: unix.FIB_RULE_INVERT,
		Action: unix.FR_ACT_GOTO,
	})
	q.Bytes(unix.FRA_SPORT_RANGE, 80, 0, 90, 0)
	q.Bytes(unix.FRA_UID_RANGE, 0, 0, 0, 0, 5, 0, 0, 0)
	f.Add(bytes.Clone(q.Encode(1)))
	for _, line := range []string{"link vx-7 type vxlan id 7 local 192.0.2.2 port 4789 master d1 nolearning " +
		"neigh_suppress up", "link br-7 type bridge up"} {
		var q rtnl.Batch
		if err := unconnected().linkToRequest(&q, parse(f, line).(object.Link), 2); err != nil {
			f.Fatal(err)
		}
		f.Add(q.Encode(1))
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		b := unconnected()
		err := rtnl.EachMessage(datagram, func(m rtnl.Message) error {
			return errors.Join(b.notified(m), b.settingsFromMessage(m, map[string]string{}))
		})
		if err != nil && !errors.Is(err, rtnl.ErrMalformed) {
			t.Errorf("got %v", err)
		}
		if err := b.readDevices(t.Context()); err != nil {
			t.Errorf("got %v", err)
		}
		for _, it := range b.mirror.set.Sorted() {
			if object.Text(it.Value) == "" {
				t.Errorf("%v has no text", it.Value)
			}
		}
	})
}
