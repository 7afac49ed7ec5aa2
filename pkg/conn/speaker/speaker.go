// Package speaker is the connection to a GoBGP speaker in its two forms: in this
// process (Start), or in another one (Dial) that keeps the sessions up while this
// one restarts, one of ours (Serve) or any other gobgpd. What is put into the
// speaker is the business of package bgp under actual, what is learned from it that
// of package rib under observe; both share the calls, the event stream and the
// forms on the wire that are here.
//
// It refuses to be a router: what a neighbour announces is never passed on to
// another one (policy.go). It also refuses to end the sessions when it is closed,
// because neighbours that support graceful restart (RFC 4724) then keep forwarding
// to this node until it is back.
//
// Read next: inprocess.go and client.go for the forms, reconnect.go for the life of
// a connection, evpnnlri.go for the octets, culprit.go for a message that ends it.
package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// Config is the identity of the speaker and where to reach it.
type Config struct {
	// Socket is where Dial finds the speaker: unix: and an absolute path.
	Socket string
	// Attach takes the speaker that Dial finds as it is, whoever it is, and
	// does not start BGP in it. Nothing below is needed then.
	Attach bool
	// AS is the local autonomous system number (RFC 6793).
	AS uint32
	// RouterID is the BGP Identifier, an IPv4 address (RFC 6286).
	RouterID netip.Addr
	// Listen are the addresses to accept sessions on; none means all.
	Listen []netip.Addr
	// ListenPort is the TCP port to accept sessions on: 0 is 179, -1 is none.
	ListenPort int32
	// Logger takes the speaker's messages; nil is slog.Default.
	Logger *slog.Logger
}

// validate finds what GoBGP would refuse later, or take for something else.
func (c Config) validate() error {
	switch {
	case c.Attach:
		return nil
	case c.AS == 0:
		return fmt.Errorf("local AS 0 is reserved (RFC 7607)")
	case !c.RouterID.Is4() || c.RouterID.IsUnspecified():
		return fmt.Errorf("router id %s is not an IPv4 address", c.RouterID)
	case c.ListenPort < -1 || c.ListenPort > 65535:
		return fmt.Errorf("listen port %d is out of range", c.ListenPort)
	}
	return nil
}

// Calls is the part of GoBGP that is needed of either form, so that it does not matter
// on which side of a socket GoBGP runs. Paths are its own values, which cost nothing
// inside this process; peers, of which there are few, are messages of its gRPC API.
type Calls interface {
	// Ready returns why the speaker cannot be queried now, or nil.
	Ready() error
	// MovePaths announces paths, and withdraws those with Withdrawal, in order.
	// It returns an error, or nil, for each.
	MovePaths(context.Context, []*apiutil.Path) []error
	// ListPaths calls fn with the paths for each NLRI, the best one first. What is
	// listed belongs to the speaker and must not be changed.
	ListPaths(ctx context.Context, req apiutil.ListPathRequest, fn func([]*apiutil.Path)) error

	// GetTable counts the paths in a table.
	GetTable(context.Context, *api.GetTableRequest) (*api.GetTableResponse, error)

	AddPeer(context.Context, *api.AddPeerRequest) error
	UpdatePeer(context.Context, *api.UpdatePeerRequest) (*api.UpdatePeerResponse, error)
	DeletePeer(context.Context, *api.DeletePeerRequest) error
	ResetPeer(context.Context, *api.ResetPeerRequest) error
	EnablePeer(context.Context, *api.EnablePeerRequest) error
	ListPeer(context.Context, *api.ListPeerRequest, func(*api.Peer)) error

	AddBmp(context.Context, *api.AddBmpRequest) error
	DeleteBmp(context.Context, *api.DeleteBmpRequest) error
	ListBmp(context.Context, *api.ListBmpRequest, func(*api.ListBmpResponse_BmpStation)) error
}

// Owner is the one backend over a connection, which is notified of its changes.
type Owner interface {
	// Renew is called where a connection to another process begins: what was
	// recorded of the speaker before it is void. begin sets the speaker up
	// and reports whether it is idle, that is without BGP; the owner must not use the
	// connection meanwhile.
	Renew(begin func() (idle bool, err error)) error
	// Wake signals that there is something to be read, or nothing any more.
	Wake()
	// Session reports a step of a session's state machine.
	Session(address string, state State)
}

// Conn is a connection to a speaker.
//
// GoBGP keeps some settings in package variables, so a program starts one speaker and
// keeps it.
type Conn struct {
	Calls
	// Sessions is what is remembered of the neighbours' sessions.
	Sessions *Sessions

	cfg Config
	log *slog.Logger
	// server is the speaker in this process, line the connection to one in
	// another; the other one of the two is nil.
	server *embedded
	line   *lineHolder
	// ctx ends with cancel; done is closed when nothing follows events any more.
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	// stopped is done once the speaker in this process has been stopped.
	stopped sync.Once
}

func newConn(cfg Config) (*Conn, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	c := &Conn{Sessions: newSessions(cfg.Logger), cfg: cfg, log: cfg.Logger, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Start runs a speaker without paths or peers in this process.
func Start(cfg Config) (*Conn, error) {
	c, err := newConn(cfg)
	if err != nil {
		return nil, err
	}
	server, err := startServer(c.cfg, c.Sessions)
	if err != nil {
		return nil, err
	}
	c.Calls, c.server = server, &server
	return c, nil
}

// Dial describes a connection to a speaker in another process; Connect makes it.
func Dial(cfg Config) (*Conn, error) {
	if _, err := socketPath(cfg.Socket); err != nil {
		return nil, err
	}
	c, err := newConn(cfg)
	if err != nil {
		return nil, err
	}
	c.line = &lineHolder{}
	c.Calls = remote{c.line}
	return c, nil
}

// InProcess reports whether the speaker lives and dies with this process.
func (c *Conn) InProcess() bool { return c.server != nil }

// NoPassword returns why neighbours that connect to a speaker in this process cannot
// use a password, if so.
func (c *Conn) NoPassword() error {
	if c.server == nil {
		return nil
	}
	return noPassword(c.cfg.ListenPort)
}

// Peers lists the neighbours; with an address that one alone, or none.
func (c *Conn) Peers(ctx context.Context, address string) ([]*api.Peer, error) {
	var out []*api.Peer
	err := c.ListPeer(ctx, &api.ListPeerRequest{Address: address}, func(p *api.Peer) { out = append(out, p) })
	// GoBGP's listing stops in the middle when the context ends, and reports success.
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, fmt.Errorf("list peers: %w", err)
	}
	return out, nil
}

// Close stops following the speaker and leaves it as it is. Where it is inside this
// process, that is expected to exit: its sessions then end without a CEASE, which
// is what makes neighbours keep the routes (RFC 4724 section 4.2).
func (c *Conn) Close() {
	c.cancel()
	if c.line != nil {
		<-c.done
	}
}

// Stop ends every session of a speaker in this process: each neighbour gets a
// CEASE (RFC 4486) and drops our routes at once. Stopping it again does nothing.
func (c *Conn) Stop(ctx context.Context) (err error) {
	c.cancel() // a watcher may hold up the end
	c.stopped.Do(func() { err = stopServer(ctx, *c.server) })
	return err
}
