package agent

import (
	"context"
	"fmt"
	"net"
	"os/user"
	"strconv"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// listen opens the control socket, that of readers and the address of the metrics, and
// serves on them until ctx ends; done tells when all has ended. Traffic does not depend on
// them, and one that cannot be opened is tried again.
func (n *Node) listen(ctx context.Context, done *sync.WaitGroup) {
	s, log, metrics := n.settings, n.opts.Log, n.metrics.Handler()
	n.openings.log, n.openings.done = log, done
	// Before the socket is served: a reload that somebody asks for there uses it.
	n.listener = newMetricsListener(ctx, metrics, log)
	n.listener.want(s.MetricsListen)
	n.openings.open(ctx, keyMetrics, func() (net.Listener, error) { return n.listener.open(s.MetricsListen) },
		func(l net.Listener) { n.listener.takeUp(l, s.MetricsListen) },
		func() bool { return n.listener.wants(s.MetricsListen) })
	serve := func(how func(context.Context, net.Listener)) func(net.Listener) {
		return func(l net.Listener) { done.Go(func() { how(ctx, l) }) }
	}
	n.openings.open(ctx, "socket", func() (net.Listener, error) {
		return listenAs("socket_group", s.SocketGroup, s.Socket)
	}, serve(func(ctx context.Context, l net.Listener) { control.Serve(ctx, l, n, metrics, log) }), nil)
	n.listenWeb(ctx, done)
	if s.ReadSocketGroup == "" {
		return
	}
	n.openings.open(ctx, "read_socket", func() (net.Listener, error) {
		return listenAs("read_socket_group", s.ReadSocketGroup, s.ReadSocket)
	}, serve(func(ctx context.Context, l net.Listener) { control.ServeReading(ctx, l, n, metrics, log) }), nil)
}

// listenAs listens on a socket that the group of a key may use.
func listenAs(key, group, path string) (net.Listener, error) {
	id, err := groupID(key, group)
	if err != nil {
		return nil, err
	}
	return control.Listen(path, id)
}

// groupID is the number of a group that a key names; -1 if it names none.
func groupID(key, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	if id, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(id), nil
	}
	group, err := user.LookupGroup(name)
	if err != nil {
		return -1, fmt.Errorf("%s: this node has no group %q; create it (groupadd --system %s), or name another",
			key, name, name)
	}
	return strconv.Atoi(group.Gid)
}
