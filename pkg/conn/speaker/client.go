package speaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// remote is GoBGP in another process, behind its gRPC API.
type remote struct{ line *lineHolder }

var (
	_ Calls   = remote{}
	_ manager = client{}
)

const (
	// callLimit bounds one call: a speaker that was stopped, and does not
	// answer, must not hold up the node's other affairs for ever. Listing
	// 100,000 paths takes 2 s.
	callLimit = 30 * time.Second
	// batch is how many paths go in one message, for each of which GoBGP
	// interrupts its one loop once. More gain nothing.
	batch = 500
)

// Ready is the reason why there is no connection, if so.
func (r remote) Ready() error {
	_, err := r.line.get()
	return err
}

// call gives one call its client and its time.
func (r remote) call(ctx context.Context, fn func(context.Context, api.GobgpApiClient) error) error {
	l, err := r.line.get()
	if err != nil {
		return err
	}
	return l.call(ctx, fn)
}

func (c client) call(ctx context.Context, fn func(context.Context, api.GobgpApiClient) error) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	return plainError(fn(ctx, c.api))
}

// plainError is the error without what gRPC puts around it.
func plainError(err error) error {
	if s, ok := status.FromError(err); ok && err != nil {
		return errors.New(s.Message())
	}
	return err
}

// MovePaths streams the paths. GoBGP reports only at the end whether it has taken
// them all. Where it refuses, each is tried again by itself: only the one that it
// refuses, a MAC whose sequence number is too low, shall fail.
func (r remote) MovePaths(ctx context.Context, paths []*api.Path) []error {
	errs := make([]error, len(paths))
	refused, err := r.move(ctx, paths)
	for i := range errs {
		errs[i] = err
		if refused && len(paths) > 1 {
			var again bool
			if again, errs[i] = r.move(ctx, paths[i:i+1]); errs[i] != nil && !again {
				err, refused = errs[i], false // the connection is lost: no more attempts
			}
		}
	}
	return errs
}

// move streams the paths once. Refused is an error that GoBGP itself returned.
func (r remote) move(ctx context.Context, paths []*api.Path) (refused bool, err error) {
	err = r.call(ctx, func(ctx context.Context, c api.GobgpApiClient) error {
		err := streamPaths(ctx, c, paths)
		refused = status.Code(err) == codes.Unknown
		return err
	})
	return refused, err
}

func streamPaths(ctx context.Context, c api.GobgpApiClient, paths []*api.Path) error {
	stream, err := c.AddPathStream(ctx)
	if err != nil {
		return err
	}
	for len(paths) > 0 {
		n := min(batch, len(paths))
		err := stream.Send(&api.AddPathStreamRequest{TableType: api.TableType_GLOBAL, Paths: paths[:n]})
		if errors.Is(err, io.EOF) {
			break // the reason comes with the answer
		}
		if err != nil {
			return err
		}
		paths = paths[n:]
	}
	_, err = stream.CloseAndRecv()
	return err
}

func (r remote) ListPath(ctx context.Context, req *api.ListPathRequest, fn func(*api.Destination)) error {
	return r.call(ctx, func(ctx context.Context, c api.GobgpApiClient) error {
		stream, err := c.ListPath(ctx, req)
		if err != nil {
			return err
		}
		return each(stream.Recv, func(rsp *api.ListPathResponse) { fn(rsp.GetDestination()) })
	})
}

func (r remote) AddPeer(ctx context.Context, req *api.AddPeerRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GobgpApiClient) error {
		_, err := c.AddPeer(ctx, req)
		return err
	})
}

func (r remote) UpdatePeer(ctx context.Context, req *api.UpdatePeerRequest) (rsp *api.UpdatePeerResponse, err error) {
	err = r.call(ctx, func(ctx context.Context, c api.GobgpApiClient) error {
		rsp, err = c.UpdatePeer(ctx, req)
		return err
	})
	return rsp, err
}

func (r remote) DeletePeer(ctx context.Context, req *api.DeletePeerRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GobgpApiClient) error {
		_, err := c.DeletePeer(ctx, req)
		return err
	})
}

func (r remote) ListPeer(ctx context.Context, req *api.ListPeerRequest, fn func(*api.Peer)) error {
	return r.call(ctx, func(ctx context.Context, c api.GobgpApiClient) error { return listPeers(ctx, c, req, fn) })
}

func listPeers(ctx context.Context, c api.GobgpApiClient, req *api.ListPeerRequest, fn func(*api.Peer)) error {
	stream, err := c.ListPeer(ctx, req)
	if err != nil {
		return err
	}
	return each(stream.Recv, func(rsp *api.ListPeerResponse) { fn(rsp.GetPeer()) })
}

// each receives to the end of a stream.
func each[T any](recv func() (T, error), fn func(T)) error {
	for {
		rsp, err := recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		fn(rsp)
	}
}

// client is one connection's.
type client struct{ api api.GobgpApiClient }

func (c client) StartBgp(ctx context.Context, req *api.StartBgpRequest) error {
	return c.call(ctx, func(ctx context.Context, a api.GobgpApiClient) error {
		_, err := a.StartBgp(ctx, req)
		return err
	})
}

func (c client) AddPolicy(ctx context.Context, req *api.AddPolicyRequest) error {
	return c.call(ctx, func(ctx context.Context, a api.GobgpApiClient) error {
		_, err := a.AddPolicy(ctx, req)
		return err
	})
}

func (c client) AddPolicyAssignment(ctx context.Context, req *api.AddPolicyAssignmentRequest) error {
	return c.call(ctx, func(ctx context.Context, a api.GobgpApiClient) error {
		_, err := a.AddPolicyAssignment(ctx, req)
		return err
	})
}

// global is who the speaker is; AS 0 if it has not been started.
func (c client) global(ctx context.Context) (g *api.Global, err error) {
	err = c.call(ctx, func(ctx context.Context, a api.GobgpApiClient) error {
		rsp, err := a.GetBgp(ctx, &api.GetBgpRequest{})
		g = rsp.GetGlobal()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the AS and router id of the speaker: %w", err)
	}
	return g, nil
}

// exportPolicies lists what is assigned for export.
func (c client) exportPolicies(ctx context.Context) (names []string, action api.RouteAction, err error) {
	req := &api.ListPolicyAssignmentRequest{Name: globalTable, Direction: api.PolicyDirection_EXPORT}
	err = c.call(ctx, func(ctx context.Context, a api.GobgpApiClient) error {
		stream, err := a.ListPolicyAssignment(ctx, req)
		if err != nil {
			return err
		}
		return each(stream.Recv, func(rsp *api.ListPolicyAssignmentResponse) {
			for _, p := range rsp.GetAssignment().GetPolicies() {
				names = append(names, p.GetName())
			}
			action = rsp.GetAssignment().GetDefaultAction()
		})
	})
	return names, action, err
}

// foreignPeers counts the peers of others.
func (c client) foreignPeers(ctx context.Context) (n int, err error) {
	err = c.call(ctx, func(ctx context.Context, a api.GobgpApiClient) error {
		return listPeers(ctx, a, &api.ListPeerRequest{}, func(p *api.Peer) {
			if !IsOurPeer(p) {
				n++
			}
		})
	})
	return n, err
}
