package kernel

import (
	"context"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// proxyToRequest writes p with our protocol.
func proxyToRequest(q *rtnl.Batch, kind uint16, flags int, p object.ProxyNeigh, device uint32, protocol uint8) {
	neighHeader(q, kind, flags, p.Addr, device, unix.NUD_NONE, unix.NTF_PROXY)
	if kind == unix.RTM_NEWNEIGH {
		q.Uint8(rtnl.NDA_PROTOCOL, protocol)
	}
}

// proxy is the inverse of proxyToRequest.
func (n neighbour) proxy() (object.ProxyNeigh, bool) {
	return object.ProxyNeigh{Dev: n.dev, Addr: n.addr}, n.flags&unix.NTF_PROXY != 0
}

// encodeProxyNeigh leaves an entry alone that exists already: creating it
// again would put our mark on what may be another owner's.
// The kernel ignores NLM_F_EXCL here and overwrites flags and protocol of the
// entry that it finds (neigh_add in net/core/neighbour.c).
func (b *Backend) encodeProxyNeigh(q *rtnl.Batch, c object.Change) error {
	there := b.mirror.set.Has(c.Key())
	device, err := b.links.index(c.Key().Name)
	switch {
	case c.After == nil && (gone(err) || !there):
		return nil
	case err != nil:
		return err
	case c.After == nil:
		proxyToRequest(q, unix.RTM_DELNEIGH, 0, c.Before.(object.ProxyNeigh), device, 0)
	case !there, c.Reclaim, c.Before != nil:
		proxyToRequest(q, unix.RTM_NEWNEIGH, unix.NLM_F_CREATE|unix.NLM_F_EXCL,
			c.After.(object.ProxyNeigh), device, b.marks.RouteProtocol)
	}
	return nil
}

// readProxies asks with NTF_PROXY: a plain dump of neighbours leaves them out.
func (b *Backend) readProxies(ctx context.Context) error {
	items, err := b.dumpItems(ctx, proxyDump, func(m rtnl.Message) (object.Item, bool, error) {
		n, ok, err := neighbourFromMessage(m, &b.links)
		if !ok || err != nil {
			return object.Item{}, false, err
		}
		it, ok := b.proxyItem(n)
		return it, ok, nil
	})
	if err != nil {
		return fmt.Errorf("read proxy neighbours: %w", err)
	}
	b.mirror.replace(object.KindProxyNeigh, items)
	return nil
}

func (b *Backend) proxyItem(n neighbour) (object.Item, bool) {
	p, ok := n.proxy()
	it := object.Item{Value: p}
	it.Marked, it.Found = b.owner(n.protocol, n.dev)
	return it, ok && (it.Marked || has(b.scope.devices, n.dev))
}

func (b *Backend) proxyNeighChanged(n neighbour, there bool) {
	if it, ok := b.proxyItem(n); ok || !there {
		b.itemChanged(it, there)
	}
}
