package kernel

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// Trial is how it went to make a device of one type.
type Trial struct {
	// Type is object.LinkVRF and so on.
	Type string
	// Err is what the kernel said, nil if it made the device.
	Err error
}

// ErrNotTried says that there was nothing to make the device on.
var ErrNotTried = errors.New("the device it needs below it could not be created")

// TryLinks makes a device of each type that drivers use in a network namespace
// of its own, which ends with the call. The kernel loads missing modules as it
// would for the real thing. An error means that nothing could be tried: most
// often that the caller may not make namespaces.
// Unshare changes the namespace of the calling thread alone, so the work is done by a
// goroutine that is locked to its thread.
func TryLinks(ctx context.Context) ([]Trial, error) {
	type result struct {
		trials []Trial
		err    error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread()
		home, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			runtime.UnlockOSThread()
			done <- result{err: fmt.Errorf("open the current network namespace: %w", err)}
			return
		}
		defer unix.Close(home)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- result{err: fmt.Errorf("make a network namespace: %w", err)}
			return
		}
		trials, err := tryLinksHere(ctx)
		// A thread that cannot come back ends with the goroutine, unless it is the
		// main one, whose namespace others take for that of the process.
		if unix.Setns(home, unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- result{trials, err}
	}()
	r := <-done
	return r.trials, r.err
}

func tryLinksHere(ctx context.Context) (_ []Trial, err error) {
	ns, err := rtnl.OpenNamespace("")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, ns.Close()) }()
	conn, err := rtnl.Dial(ns)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	var trials []Trial
	var parent uint32
	for i, kind := range []string{object.LinkBridge, object.LinkVeth, object.LinkVRF, object.LinkVXLAN, object.LinkVLAN} {
		t := Trial{Type: kind}
		if kind == object.LinkVLAN && parent == 0 {
			t.Err = ErrNotTried
			trials = append(trials, t)
			continue
		}
		index := uint32(100 + i)
		var b rtnl.Batch
		trialRequest(&b, index, kind, parent)
		if err := conn.Execute(ctx, &b, func(_ int, err *rtnl.Error) { t.Err = err }); err != nil {
			return nil, fmt.Errorf("try a device of type %s: %w", kind, err)
		}
		if t.Err == nil && (kind == object.LinkBridge || kind == object.LinkVeth) {
			parent = index
		}
		trials = append(trials, t)
	}
	return trials, nil
}

// trialRequest asks for a device in the form in which those of drivers are asked
// for. The numbers are arbitrary.
func trialRequest(b *rtnl.Batch, index uint32, kind string, parent uint32) {
	b.Begin(unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL, rtnl.IfInfoMsg{Index: index})
	b.Text(unix.IFLA_IFNAME, "try-"+kind)
	if kind == object.LinkVLAN {
		b.Uint32(unix.IFLA_LINK, parent)
	}
	info := b.Nest(unix.IFLA_LINKINFO)
	b.Text(unix.IFLA_INFO_KIND, kind)
	data := b.Nest(unix.IFLA_INFO_DATA)
	switch kind {
	case object.LinkVRF:
		b.Uint32(unix.IFLA_VRF_TABLE, 1001)
	case object.LinkVXLAN:
		b.Uint32(unix.IFLA_VXLAN_ID, 1001)
		b.Uint16BE(unix.IFLA_VXLAN_PORT, 4789)
		b.Uint8(unix.IFLA_VXLAN_LEARNING, 0)
	case object.LinkVLAN:
		b.Uint16(unix.IFLA_VLAN_ID, 101)
	}
	data()
	info()
}
