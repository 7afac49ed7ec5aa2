package kernel

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// silent are the parts of the mirror that others change without a notification.
const silent = partProxies | partSysctls

// compareSilent compares, again and again until Close, what the kernel does not notify
// of, and wakes the caller where it differs from the mirror: proxy neighbours and
// most settings.
func (b *Backend) compareSilent(every time.Duration) {
	defer close(b.compared)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-b.closing:
			return
		case <-ticker.C:
			b.compareOnce(context.Background())
		}
	}
}

// compareOnce costs a dump of the proxy neighbours and the files of the settings that
// no message tells of. Entries are compared as they come in, without making values of
// them: there may be 10,000.
func (b *Backend) compareOnce(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.scope.tables == nil {
		return // nobody has read anything yet
	}
	b.drain()
	before := b.mirror.set
	stale := b.stale & silent
	for _, part := range []struct {
		which parts
		same  func(context.Context) (bool, error)
	}{{partProxies, b.sameProxies}, {partSysctls, b.sameSettings}} {
		if stale&part.which != 0 {
			continue
		}
		// What cannot be compared is read by the next round, which reports the error.
		if same, err := part.same(ctx); err != nil || !same {
			b.invalidate(part.which, true)
		}
	}
	// What is stale already, mostly because we have written it ourselves, is read now.
	if stale != 0 && b.refreshOnly(ctx, stale) == nil {
		b.unreported = b.unreported || !sameValues(before, b.mirror.set)
	}
	b.announce()
}

// sameValues compares the values of proxy neighbours and settings. That an entry
// carries our mark is known only once it has been read back.
func sameValues(before, now object.Set) bool {
	for _, kind := range []object.Kind{object.KindProxyNeigh, object.KindSysctl} {
		if before.LenOf(kind) != now.LenOf(kind) {
			return false
		}
		for k, it := range now.AllOf(kind) {
			if was, ok := before.Get(k); !ok || was.Value != it.Value {
				return false
			}
		}
	}
	return true
}

// sameProxies reports whether the kernel has exactly the proxy neighbours of the
// mirror.
func (b *Backend) sameProxies(ctx context.Context) (bool, error) {
	have := b.mirror.set.Only(object.KindProxyNeigh)
	found, same := 0, true
	for _, family := range families {
		before := found
		err := b.dump(ctx, family, func(q *rtnl.Batch) { proxyDump(q, family) }, func() { found, same = before, true },
			func(m rtnl.Message) error {
				n, ok, err := neighbourFromMessage(m, &b.links)
				if !ok || err != nil {
					return err
				}
				p, ok := n.proxy()
				ours, extra := b.owner(n.protocol, n.dev)
				if !ok || !ours && !has(b.scope.devices, n.dev) {
					return nil
				}
				if it, there := have.Get(p.Key()); !there || it.Marked != ours || it.Found != extra {
					same = false
				}
				found++
				return nil
			})
		if err != nil {
			return false, fmt.Errorf("compare proxy neighbours: %w", err)
		}
		if !same {
			return false, nil
		}
	}
	return found == have.Len(), nil
}

func proxyDump(q *rtnl.Batch, family uint8) {
	q.Begin(unix.RTM_GETNEIGH, 0, rtnl.NdMsg{Family: family, Flags: unix.NTF_PROXY})
}

// sameSettings reports whether the settings of which no message tells have the values
// of the mirror.
func (b *Backend) sameSettings(context.Context) (bool, error) {
	same := true
	err := b.ns.Do(func() error {
		for path := range b.scope.sysctls {
			if !same || netconfFamily(path) != 0 {
				continue
			}
			now, there, err := b.readSysctl(path)
			if err != nil {
				return err
			}
			have, known := b.mirror.set.Get(object.Key{Kind: object.KindSysctl, Name: path})
			same = there == known && (!there || have.Value == object.Value(now))
		}
		return nil
	})
	return same, err
}
