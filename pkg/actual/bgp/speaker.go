package bgp

import (
	"context"
	"errors"
	"fmt"
	"net"

	api "github.com/osrg/gobgp/v3/api"
	"github.com/osrg/gobgp/v3/pkg/server"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// speaker is the part of GoBGP that a backend needs, in the messages of its
// gRPC API, so that it does not matter on which side of a socket GoBGP runs.
type speaker interface {
	AddPath(context.Context, *api.AddPathRequest) (*api.AddPathResponse, error)
	DeletePath(context.Context, *api.DeletePathRequest) error
	ListPath(context.Context, *api.ListPathRequest, func(*api.Destination)) error

	AddPeer(context.Context, *api.AddPeerRequest) error
	UpdatePeer(context.Context, *api.UpdatePeerRequest) (*api.UpdatePeerResponse, error)
	DeletePeer(context.Context, *api.DeletePeerRequest) error
	ListPeer(context.Context, *api.ListPeerRequest, func(*api.Peer)) error

	WatchEvent(context.Context, *api.WatchEventRequest, func(*api.WatchEventResponse)) error
}

var _ speaker = (*server.BgpServer)(nil)

// startServer runs GoBGP in this process.
func startServer(cfg Config, words *journal) (*server.BgpServer, error) {
	s := server.NewBgpServer(server.LoggerOption(words))
	// Every call is served by this loop, the first one too. It never returns.
	go s.Serve()
	global := &api.Global{Asn: cfg.AS, RouterId: cfg.RouterID.String(), ListenPort: cfg.ListenPort}
	for _, addr := range cfg.Listen {
		global.ListenAddresses = append(global.ListenAddresses, addr.String())
	}
	ctx := context.Background()
	if err := s.StartBgp(ctx, &api.StartBgpRequest{Global: global}); err != nil {
		return nil, fmt.Errorf("start the speaker: %w", err)
	}
	if err := exportPolicy(ctx, s); err != nil {
		return nil, fmt.Errorf("set the export policy: %w", err)
	}
	return s, nil
}

// exportPolicy keeps learned paths from being announced. Without it GoBGP
// passes on what one neighbour announces to the next, and a node with two top
// of rack switches offers itself as transit between them.
//
// Nor does it announce IPv6 with ourselves as next hop over an IPv4 session:
// GoBGP would put in the IPv4 address as ::ffff:192.0.2.1, which FRR takes for
// valid and nobody can forward to.
func exportPolicy(ctx context.Context, s *server.BgpServer) error {
	policy := &api.Policy{Name: "bgp-ovn-export", Statements: []*api.Statement{{
		Name: "no-mapped-next-hop",
		Conditions: &api.Conditions{
			AfiSafiIn:     []*api.Family{familyToAPI(object.IPv6Unicast)},
			NextHopInList: []string{"0.0.0.0/0"},
		},
		Actions: &api.Actions{RouteAction: api.RouteAction_REJECT},
	}, {
		Name:       "local-only",
		Conditions: &api.Conditions{RouteType: api.Conditions_ROUTE_TYPE_LOCAL},
		Actions:    &api.Actions{RouteAction: api.RouteAction_ACCEPT},
	}}}
	if err := s.AddPolicy(ctx, &api.AddPolicyRequest{Policy: policy}); err != nil {
		return err
	}
	return s.AddPolicyAssignment(ctx, &api.AddPolicyAssignmentRequest{Assignment: &api.PolicyAssignment{
		Name:          "global",
		Direction:     api.PolicyDirection_EXPORT,
		Policies:      []*api.Policy{{Name: policy.Name}},
		DefaultAction: api.RouteAction_REJECT,
	}})
}

// keyless says why the speaker's listening sockets take no password. Go opens
// Multipath TCP sockets unless told otherwise, and those know no MD5 signature
// (RFC 2385); GoBGP would log a warning and turn every connection away.
func keyless(listenPort int32) error {
	var lc net.ListenConfig
	if listenPort < 0 || !lc.MultipathTCP() {
		return nil
	}
	return errors.New("listening sockets use Multipath TCP, which takes no password: set GODEBUG=multipathtcp=0")
}

// stopServer ends every session. GoBGP waits for their state machines whatever
// the context says, hence the goroutine.
func stopServer(ctx context.Context, s *server.BgpServer) error {
	done := make(chan error, 1)
	go func() { done <- s.StopBgp(ctx, &api.StopBgpRequest{}) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// deletePath withdraws one path. GoBGP takes a request without a path and
// without an identifier for an order to delete every local path, so this is
// the only place that makes one.
func deletePath(ctx context.Context, s speaker, path *api.Path) error {
	if path == nil || len(path.NlriBinary) == 0 || path.Family == nil {
		return fmt.Errorf("refused to delete a path without a prefix")
	}
	return s.DeletePath(ctx, &api.DeletePathRequest{TableType: api.TableType_GLOBAL, Path: path})
}
