package speaker

import (
	"context"
	"errors"
	"fmt"
	"net"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"
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
type embedded struct{ *server.BgpServer }

// Ready is always true: what is in this process answers.
func (embedded) Ready() error { return nil }

// MovePaths moves one after the other: there is no call to save.
func (e embedded) MovePaths(ctx context.Context, paths []*api.Path) []error {
	errs := make([]error, len(paths))
	for i, p := range paths {
		if errs[i] = ctx.Err(); errs[i] != nil {
			continue
		}
		if p == nil || p.GetIsWithdraw() {
			errs[i] = e.deletePath(ctx, p)
			continue
		}
		_, errs[i] = e.AddPath(ctx, &api.AddPathRequest{TableType: api.TableType_GLOBAL, Path: p})
	}
	return errs
}

// deletePath withdraws one path. GoBGP takes a request without a path and
// without an identifier for an order to delete every local path, so this is
// the only place that makes one.
func (e embedded) deletePath(ctx context.Context, path *api.Path) error {
	if path == nil || len(path.NlriBinary) == 0 || path.Family == nil {
		return errors.New("refused to delete a path without a prefix: GoBGP would delete all")
	}
	return e.DeletePath(ctx, &api.DeletePathRequest{TableType: api.TableType_GLOBAL, Path: path})
}

// startServer runs GoBGP in this process.
func startServer(cfg Config, sessions *Sessions) (embedded, error) {
	s := embedded{server.NewBgpServer(server.LoggerOption(speakerLog{sessions: sessions}))}
	// Every call is served by this loop, the first one too. It never returns.
	go s.Serve()
	ctx := context.Background()
	if err := s.StartBgp(ctx, &api.StartBgpRequest{Global: cfg.global()}); err != nil {
		return s, fmt.Errorf("start the speaker: %w", err)
	}
	return s, exportPolicy(ctx, s)
}

// global is who the speaker is, as GoBGP takes it.
func (c Config) global() *api.Global {
	g := &api.Global{Asn: c.AS, RouterId: c.RouterID.String(), ListenPort: c.ListenPort}
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
func stopServer(ctx context.Context, s embedded) error {
	done := make(chan error, 1)
	go func() { done <- s.StopBgp(ctx, &api.StopBgpRequest{}) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
