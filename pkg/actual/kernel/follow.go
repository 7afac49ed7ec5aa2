package kernel

import (
	"context"
	"errors"
	"os"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// follow applies notifications between rounds, until the watch is closed.
func (b *Backend) follow() {
	defer close(b.done)
	for {
		if err := b.watch.Wait(); err != nil {
			if !errors.Is(err, os.ErrClosed) {
				b.log.Error("notifications of the kernel have ended; changes are seen by audits only from now on", "error", err)
			}
			return
		}
		b.mu.Lock()
		b.drain()
		b.checkSysctls()
		b.checkRules()
		b.announce()
		b.mu.Unlock()
	}
}

// checkSysctls reads the settings again when the kernel has said that one of
// its network settings was changed. The message does not say which one, nor
// whether it is one of ours. Forwarding, rp_filter and the proxies are notified; for
// others see silent.go.
func (b *Backend) checkSysctls() {
	if !b.settings {
		return
	}
	b.settings = false
	before := b.mirror.set
	if err := b.readSysctls(context.Background()); err != nil {
		b.invalidate(partSysctls, true)
	}
	b.unreported = b.unreported || !before.Same(b.mirror.set)
}

// announce signals the caller if something came up that it has not seen.
func (b *Backend) announce() {
	if b.unreported {
		b.unreported = false
		b.signal()
	}
}

func (b *Backend) signal() {
	select {
	case b.changed <- struct{}{}:
	default:
	}
}

// drain brings the mirror up to date: with our own writes first, then with what
// is queued, which came later or concerned other keys. After a loss nothing in
// the mirror is sure. Whoever takes the lock begins with it.
func (b *Backend) drain() {
	b.record()
	// ENOBUFS is how the kernel reports a queue that was full (netlink(7)). It
	// does not report which messages it dropped.
	lost, err := b.watch.Drain(b.notified)
	if lost || err != nil {
		b.stale = everything
		b.unreported = true
	}
}

// notified applies one notification. One that cannot be read is as good as lost.
func (b *Backend) notified(m rtnl.Message) error {
	b.culprits.port = m.Port
	switch m.Type {
	case unix.RTM_NEWLINK, unix.RTM_DELLINK:
		return b.linkChanged(m)
	case unix.RTM_NEWADDR, unix.RTM_DELADDR:
		return b.addressChanged(m)
	case unix.RTM_NEWNEIGH, unix.RTM_DELNEIGH:
		return b.neighChanged(m)
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		return b.routeChanged(m)
	case unix.RTM_NEWRULE, unix.RTM_DELRULE:
		return b.ruleChanged(m)
	case unix.RTM_NEWNETCONF, unix.RTM_DELNETCONF:
		b.settings = true
		b.invalidate(partSysctls, false)
	}
	return nil
}

// itemChanged applies that an object exists (or not) whose key is enough.
func (b *Backend) itemChanged(it object.Item, there bool) {
	k := it.Value.Key()
	if b.flight.has(k) {
		b.invalidate(partOf(k.Kind), !b.flight.leadsTo(it.Value, there))
		return
	}
	have, _ := b.mirror.set.Get(k)
	var report bool
	if there {
		// That it is ours is no change to report: the kernel may notify of our own IPv6
		// address some time after it took it.
		report = b.mirror.put(it) && (have.Value != it.Value || have.Deviates() != it.Deviates())
	} else {
		report = b.mirror.remove(k)
	}
	// What is deleted with a device that we are replacing is our own change.
	if report && (it.Marked || have.Marked || b.scope.wants(k)) && !b.flight.concernsLink(deviceOf(it.Value)) {
		b.unreported = true
		b.culprits.blame(k)
	}
}

// deviceOf is the device that an object is on; empty for rules.
func deviceOf(v object.Value) string {
	switch v := v.(type) {
	case object.Route:
		return v.Dev
	case object.Rule:
		return ""
	default:
		return v.Key().Name
	}
}

// invalidate has parts of the mirror read again before they are used.
func (b *Backend) invalidate(p parts, report bool) {
	b.stale |= p
	b.unreported = b.unreported || report
}

// linkChanged keeps the table of links and finds out what a change of a device
// has done to what is on it. The kernel drops the IPv4 routes of a device
// that goes down without a notification, and proxy neighbours always, of one that loses
// its carrier too: a bridge of Open vSwitch does whenever ovs-vswitchd is restarted.
// The first is fib_sync_down_dev in net/ipv4/fib_semantics.c, the second
// pneigh_ifdown and neigh_carrier_down in net/core/neighbour.c. IPv6 notifies of the routes it drops, unless
// net.ipv6.route.skip_notify_on_dev_down is set; it is not relied on.
func (b *Backend) linkChanged(m rtnl.Message) error {
	now, ok, err := linkFromMessage(m)
	if err == nil && !ok {
		now, ok, err = b.links.portOf(m)
	}
	if !ok || err != nil {
		return err
	}
	before, existed := b.links.byIndex[now.index]
	gone := m.Type == unix.RTM_DELLINK
	if !gone && before == now {
		return nil
	}
	if gone {
		b.links.remove(now.index)
	} else {
		b.links.put(now)
	}
	ours := m.Port == b.culprits.own
	concerned := b.concerns(now) || existed && b.concerns(before)
	if b.invalidate(partDevices, concerned); concerned && !ours {
		b.blameDevice(now.name)
	}
	// Everything in the mirror refers to devices by name, and a device that
	// is renamed keeps all that is on it.
	if existed && !gone && before.name != now.name {
		b.invalidate(everything, b.unreported)
		return nil
	}
	if gone || existed && (before.up && !now.up || before.losses != now.losses) {
		b.deviceDown(now.name)
		if !ours {
			b.culprits.lostDevice(now, gone)
		}
	}
	// See cycle_netdev in drivers/net/vrf.c and del_nbp in net/bridge/br_if.c.
	if existed && before.master != now.master {
		// It loses its routes and IPv6 addresses to a VRF, and its forwarding
		// entries with the bridge.
		b.deviceDown(now.name)
		b.invalidate(partFDB, false)
	}
	if !gone && (!existed || before.up != now.up) && has(b.scope.devices, now.name) {
		b.invalidate(onDevices, false)
	}
	return nil
}

// blameDevice notes who changed a device. Most kernels do not say that of all changes, so
// that no port does not mean that it was the kernel itself.
func (b *Backend) blameDevice(name string) {
	if b.culprits.port == 0 {
		return
	}
	for _, kind := range []object.Kind{object.KindDevice, object.KindLink} {
		b.culprits.blame(object.Key{Kind: kind, Name: name})
	}
	b.culprits.blame(object.Master{Dev: name}.Key())
}

func (b *Backend) deviceDown(name string) {
	if has(b.scope.devices, name) || has(b.mirror.devs, name) {
		b.invalidate(onDevices|partRoutes, !b.flight.concernsLink(name))
	}
}

// concerns reports whether a change of the device is to be reported to the caller: it is
// in focus or ours, and it is not we who are changing it.
func (b *Backend) concerns(l link) bool {
	return (has(b.scope.devices, l.name) || l.alias == b.marks.Alias) && !b.flight.concernsLink(l.name)
}

// flight is a run of changes that is being applied. What the kernel reports
// about the same keys meanwhile cannot be put in order with our own writes,
// whose notifications are kept from us.
type flight struct {
	changes []object.Change
	keys    map[object.Key]object.Value // what each is to become; nil for nothing
}

// has reports whether a key is being changed. The keys are collected only when
// another owner's change comes in at all, which is rare.
func (f *flight) has(k object.Key) bool {
	if f == nil {
		return false
	}
	if f.keys == nil {
		f.keys = make(map[object.Key]object.Value, len(f.changes))
		for _, c := range f.changes {
			f.keys[c.Key()] = c.After
		}
	}
	_, ok := f.keys[k]
	return ok
}

// leadsTo reports whether a notification about a key in flight is just what
// we want: then it does not matter which came first.
func (f *flight) leadsTo(v object.Value, there bool) bool {
	want := f.keys[v.Key()]
	if !there {
		return want == nil
	}
	return want == v
}

func (f *flight) concernsLink(name string) bool {
	return f.has(object.Key{Kind: object.KindDevice, Name: name}) || f.has(object.Key{Kind: object.KindLink, Name: name})
}
