package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
	"github.com/osrg/gobgp/v4/pkg/server"
)

// manager is what it takes besides to set GoBGP up.
type manager interface {
	StartBgp(context.Context, *api.StartBgpRequest) error
	AddPolicy(context.Context, *api.AddPolicyRequest) error
	AddPolicyAssignment(context.Context, *api.AddPolicyAssignmentRequest) error
}

var (
	_ Calls   = embedded{}
	_ manager = embedded{}
)

// embedded is GoBGP in this process.
type embedded struct {
	*server.BgpServer
	bfd     *detector
	backlog *backlog
}

// Ready is always true: what is in this process answers.
func (embedded) Ready() error { return nil }

// MovePaths hands batches over, for each of which GoBGP interrupts its one loop once.
func (e embedded) MovePaths(ctx context.Context, paths []*apiutil.Path) []error {
	return movePaths(paths, func(paths []*apiutil.Path) (refused bool, err error) {
		for len(paths) > 0 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			n := sameVerb(paths, batch)
			if err := e.move(paths[:n]); err != nil {
				return true, err
			}
			paths = paths[n:]
		}
		return false, nil
	})
}

// move announces or withdraws. GoBGP would take a withdrawal among what is to be added,
// too, but remember an identifier for it for ever.
func (e embedded) move(paths []*apiutil.Path) error {
	e.backlog.count(len(paths))
	if paths[0].Withdrawal {
		return e.DeletePath(apiutil.DeletePathRequest{Paths: paths})
	}
	_, err := e.AddPath(apiutil.AddPathRequest{Paths: paths})
	return err
}

// sameVerb is how many of the paths, up to a limit, are all announced or all withdrawn.
func sameVerb(paths []*apiutil.Path, limit int) int {
	n := 1
	for n < min(limit, len(paths)) && paths[n].Withdrawal == paths[0].Withdrawal {
		n++
	}
	return n
}

// ListPaths stops where the context ends.
func (e embedded) ListPaths(ctx context.Context, req apiutil.ListPathRequest, fn func([]*apiutil.Path)) error {
	err := e.ListPath(req, func(_ bgp.NLRI, paths []*apiutil.Path) {
		if ctx.Err() == nil {
			fn(paths)
		}
	})
	return errors.Join(err, ctx.Err())
}

// AddPeer, UpdatePeer and DeletePeer have BFD follow the peers.
func (e embedded) AddPeer(ctx context.Context, req *api.AddPeerRequest) error {
	defer e.bfd.refresh()
	return e.BgpServer.AddPeer(ctx, req)
}

// UpdatePeer is as AddPeer.
func (e embedded) UpdatePeer(ctx context.Context, req *api.UpdatePeerRequest) (*api.UpdatePeerResponse, error) {
	defer e.bfd.refresh()
	return e.BgpServer.UpdatePeer(ctx, req)
}

// DeletePeer is as AddPeer.
func (e embedded) DeletePeer(ctx context.Context, req *api.DeletePeerRequest) error {
	defer e.bfd.refresh()
	return e.BgpServer.DeletePeer(ctx, req)
}

// ListPeer tells how BFD is besides.
func (e embedded) ListPeer(ctx context.Context, req *api.ListPeerRequest, fn func(*api.Peer)) error {
	return e.BgpServer.ListPeer(ctx, req, func(p *api.Peer) {
		e.bfd.fill(p)
		fn(p)
	})
}

// startServer runs GoBGP in this process.
func startServer(cfg Config, sessions *Sessions) (embedded, error) {
	s := embedded{BgpServer: server.NewBgpServer(server.LoggerOption(slog.New(speakerLog{sessions: sessions}), nil))}
	s.bfd, s.backlog = &detector{server: s.BgpServer, log: cfg.Logger}, newBacklog(cfg.Logger)
	// Every call is served by this loop, the first one too. It never returns.
	go s.Serve()
	ctx := context.Background()
	if err := s.StartBgp(ctx, &api.StartBgpRequest{Global: cfg.global()}); err != nil {
		return s, fmt.Errorf("start the speaker: %w", err)
	}
	return s, exportPolicy(ctx, s)
}

// The numbers of address families in GoBGP's Global: IPv4 and IPv6 unicast, and L2VPN EVPN.
const (
	globalIPv4 = 0
	globalIPv6 = 1
	globalEVPN = 9
)

// global is who the speaker is, as GoBGP takes it. Without a list GoBGP makes the tables of all
// families it knows, which are 9 MB without a path in them.
func (c Config) global() *api.Global {
	g := &api.Global{
		Asn: c.AS, RouterId: c.RouterID.String(), ListenPort: c.ListenPort,
		Families: []uint32{globalIPv4, globalIPv6, globalEVPN},
	}
	for _, addr := range c.Listen {
		g.ListenAddresses = append(g.ListenAddresses, addr.String())
	}
	return g
}

// noPassword returns why the speaker's listening sockets take no password. Go opens
// Multipath TCP sockets unless configured otherwise, and those support no MD5 signature
// (RFC 2385); GoBGP would log a warning and turn every connection away.
func noPassword(listenPort int32) error {
	var lc net.ListenConfig
	if listenPort < 0 || !lc.MultipathTCP() {
		return nil
	}
	return errors.New("listening sockets use Multipath TCP, which takes no password: set GODEBUG=multipathtcp=0")
}

// stopServer ends every session. GoBGP waits for their state machines whatever
// the context allows, hence the goroutine.
//
// The peers go first, each in a call of its own: StopBgp forgets who the speaker is as soon
// as it has told them to end, and one that has just connected would write an OPEN without a
// router ID, which ends the process (GoBGP 4.8.0, outgoingConnManager.run).
func stopServer(ctx context.Context, s embedded) error {
	s.bfd.close()
	done := make(chan error, 1)
	go func() {
		err := deletePeers(ctx, s)
		done <- errors.Join(err, s.StopBgp(ctx, &api.StopBgpRequest{}))
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// deletePeers takes every peer out, each with a CEASE.
func deletePeers(ctx context.Context, s embedded) error {
	var addresses []string
	err := s.BgpServer.ListPeer(ctx, &api.ListPeerRequest{}, func(p *api.Peer) {
		addresses = append(addresses, p.GetConf().GetNeighborAddress())
	})
	for _, addr := range addresses {
		err = errors.Join(err, s.BgpServer.DeletePeer(ctx, &api.DeletePeerRequest{Address: addr}))
	}
	return err
}
