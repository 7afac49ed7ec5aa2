package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os/user"
	"strconv"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// sockets are those on which the running controller answers.
type sockets struct {
	all  net.Listener
	read net.Listener // nil if nobody is granted reading alone
}

// openSockets listens, without serving yet.
func openSockets(s config.Settings) (sockets, error) {
	group, err := groupID("socket_group", s.SocketGroup)
	if err != nil {
		return sockets{}, err
	}
	readers, err := groupID("read_socket_group", s.ReadSocketGroup)
	if err != nil {
		return sockets{}, err
	}
	var out sockets
	if out.all, err = control.Listen(s.Socket, group); err != nil {
		return sockets{}, err
	}
	if s.ReadSocketGroup != "" {
		if out.read, err = control.Listen(s.ReadSocket, readers); err != nil {
			return sockets{}, errors.Join(fmt.Errorf("read_socket: %w", err), out.all.Close())
		}
	}
	return out, nil
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

// serve answers until ctx ends; done then tells when all has ended.
func (s sockets) serve(ctx context.Context, done *sync.WaitGroup, c control.Controller, metrics http.Handler,
	log *slog.Logger,
) {
	done.Go(func() { control.Serve(ctx, s.all, c, metrics, log) })
	if s.read != nil {
		done.Go(func() { control.ServeReading(ctx, s.read, c, metrics, log) })
	}
}

// close ends listening where nothing was served.
func (s sockets) close() error {
	if s.read == nil {
		return s.all.Close()
	}
	return errors.Join(s.all.Close(), s.read.Close())
}
