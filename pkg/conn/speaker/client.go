package speaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
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
func (r remote) call(ctx context.Context, fn func(context.Context, api.GoBgpServiceClient) error) error {
	l, err := r.line.get()
	if err != nil {
		return err
	}
	return l.call(ctx, fn)
}

func (c client) call(ctx context.Context, fn func(context.Context, api.GoBgpServiceClient) error) error {
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

// movePaths moves the paths together. GoBGP reports only at the end whether it has taken
// them all. Where it refuses, each is tried again by itself: only the one that it
// refuses, a MAC whose sequence number is too low, shall fail.
func movePaths(paths []*apiutil.Path, move func([]*apiutil.Path) (refused bool, err error)) []error {
	errs := make([]error, len(paths))
	refused, err := move(paths)
	for i := range errs {
		errs[i] = err
		if refused && len(paths) > 1 {
			var again bool
			if again, errs[i] = move(paths[i : i+1]); errs[i] != nil && !again {
				err, refused = errs[i], false // the connection is lost: no more attempts
			}
		}
	}
	return errs
}

// MovePaths streams the paths.
func (r remote) MovePaths(ctx context.Context, paths []*apiutil.Path) []error {
	return movePaths(paths, func(paths []*apiutil.Path) (refused bool, err error) {
		err = r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
			err := streamPaths(ctx, c, paths)
			refused = status.Code(err) == codes.Unknown
			return err
		})
		return refused, err
	})
}

func streamPaths(ctx context.Context, c api.GoBgpServiceClient, paths []*apiutil.Path) error {
	stream, err := c.AddPathStream(ctx)
	if err != nil {
		return err
	}
	for len(paths) > 0 {
		n := min(batch, len(paths))
		req := &api.AddPathStreamRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Paths: make([]*api.Path, n)}
		for i, p := range paths[:n] {
			if req.Paths[i], err = pathToAPI(p); err != nil {
				return err
			}
		}
		err := stream.Send(req)
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

// pathToAPI is a path as a message, in octets: its other form, a tree of messages,
// costs more than the path.
func pathToAPI(p *apiutil.Path) (*api.Path, error) {
	o, err := OctetsOf(p)
	return &api.Path{
		Family:     apiutil.ToApiFamily(p.Family.Afi(), p.Family.Safi()),
		NlriBinary: o.NLRI, PattrsBinary: o.Attributes, Identifier: p.RemoteID, IsWithdraw: p.Withdrawal,
	}, err
}

// pathFromAPI is the inverse of pathToAPI for what is listed.
func pathFromAPI(m *api.Path) (*apiutil.Path, error) {
	p, err := Octets{NLRI: m.GetNlriBinary(), Attributes: m.GetPattrsBinary()}.Path(apiutil.ToFamily(m.GetFamily()))
	if err != nil {
		return nil, err
	}
	p.RemoteID, p.Withdrawal, p.Best, p.Stale = m.GetIdentifier(), m.GetIsWithdraw(), m.GetBest(), m.GetStale()
	p.IsNexthopInvalid = m.GetIsNexthopInvalid()
	if from := m.GetNeighborIp(); from != "" {
		p.PeerAddress, err = netip.ParseAddr(from)
	}
	return p, err
}

// ListPaths leaves out a path that cannot be read: it is one of a neighbour, or none of
// ours, and must not keep all others from being known.
func (r remote) ListPaths(ctx context.Context, req apiutil.ListPathRequest, fn func([]*apiutil.Path)) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		stream, err := c.ListPath(ctx, listRequest(req))
		if err != nil {
			return err
		}
		return each(stream.Recv, func(rsp *api.ListPathResponse) {
			paths := make([]*apiutil.Path, 0, len(rsp.GetDestination().GetPaths()))
			for _, m := range rsp.GetDestination().GetPaths() {
				if p, err := pathFromAPI(m); err == nil {
					paths = append(paths, p)
				}
			}
			fn(paths)
		})
	})
}

// listRequest is the question as a message.
func listRequest(req apiutil.ListPathRequest) *api.ListPathRequest {
	out := &api.ListPathRequest{
		TableType: req.TableType, Name: req.Name, EnableOnlyBinary: true,
		Family: apiutil.ToApiFamily(req.Family.Afi(), req.Family.Safi()),
	}
	for _, p := range req.Prefixes {
		kind := api.TableLookupPrefix_TYPE_EXACT
		if p.LookupOption == apiutil.LOOKUP_LONGER {
			kind = api.TableLookupPrefix_TYPE_LONGER
		}
		out.Prefixes = append(out.Prefixes, &api.TableLookupPrefix{Prefix: p.Prefix, Type: kind})
	}
	return out
}

func (r remote) AddPeer(ctx context.Context, req *api.AddPeerRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		_, err := c.AddPeer(ctx, req)
		return err
	})
}

func (r remote) UpdatePeer(ctx context.Context, req *api.UpdatePeerRequest) (rsp *api.UpdatePeerResponse, err error) {
	err = r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		rsp, err = c.UpdatePeer(ctx, req)
		return err
	})
	return rsp, err
}

func (r remote) DeletePeer(ctx context.Context, req *api.DeletePeerRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		_, err := c.DeletePeer(ctx, req)
		return err
	})
}

func (r remote) GetTable(ctx context.Context, req *api.GetTableRequest) (rsp *api.GetTableResponse, err error) {
	err = r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		rsp, err = c.GetTable(ctx, req)
		return err
	})
	return rsp, err
}

func (r remote) ResetPeer(ctx context.Context, req *api.ResetPeerRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		_, err := c.ResetPeer(ctx, req)
		return err
	})
}

func (r remote) AddBmp(ctx context.Context, req *api.AddBmpRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		_, err := c.AddBmp(ctx, req)
		return err
	})
}

func (r remote) DeleteBmp(ctx context.Context, req *api.DeleteBmpRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		_, err := c.DeleteBmp(ctx, req)
		return err
	})
}

func (r remote) ListBmp(ctx context.Context, req *api.ListBmpRequest, fn func(*api.ListBmpResponse_BmpStation)) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		stream, err := c.ListBmp(ctx, req)
		if err != nil {
			return err
		}
		return each(stream.Recv, func(rsp *api.ListBmpResponse) { fn(rsp.GetStation()) })
	})
}

func (r remote) ListPeer(ctx context.Context, req *api.ListPeerRequest, fn func(*api.Peer)) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error { return listPeers(ctx, c, req, fn) })
}

func listPeers(ctx context.Context, c api.GoBgpServiceClient, req *api.ListPeerRequest, fn func(*api.Peer)) error {
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
type client struct{ api api.GoBgpServiceClient }

func (c client) StartBgp(ctx context.Context, req *api.StartBgpRequest) error {
	return c.call(ctx, func(ctx context.Context, a api.GoBgpServiceClient) error {
		_, err := a.StartBgp(ctx, req)
		return err
	})
}

func (c client) AddPolicy(ctx context.Context, req *api.AddPolicyRequest) error {
	return c.call(ctx, func(ctx context.Context, a api.GoBgpServiceClient) error {
		_, err := a.AddPolicy(ctx, req)
		return err
	})
}

func (c client) AddPolicyAssignment(ctx context.Context, req *api.AddPolicyAssignmentRequest) error {
	return c.call(ctx, func(ctx context.Context, a api.GoBgpServiceClient) error {
		_, err := a.AddPolicyAssignment(ctx, req)
		return err
	})
}

// global is who the speaker is; AS 0 if it has not been started.
func (c client) global(ctx context.Context) (g *api.Global, err error) {
	err = c.call(ctx, func(ctx context.Context, a api.GoBgpServiceClient) error {
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
	req := &api.ListPolicyAssignmentRequest{Name: globalTable, Direction: api.PolicyDirection_POLICY_DIRECTION_EXPORT}
	err = c.call(ctx, func(ctx context.Context, a api.GoBgpServiceClient) error {
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
	err = c.call(ctx, func(ctx context.Context, a api.GoBgpServiceClient) error {
		return listPeers(ctx, a, &api.ListPeerRequest{}, func(p *api.Peer) {
			if !IsOurPeer(p) {
				n++
			}
		})
	})
	return n, err
}

func (r remote) EnablePeer(ctx context.Context, req *api.EnablePeerRequest) error {
	return r.call(ctx, func(ctx context.Context, c api.GoBgpServiceClient) error {
		_, err := c.EnablePeer(ctx, req)
		return err
	})
}
