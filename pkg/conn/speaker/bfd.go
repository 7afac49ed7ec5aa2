package speaker

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/server"
	"google.golang.org/grpc"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
	"github.com/bgp-ovn/bgp-ovn/pkg/bfd/engine"
)

// detector runs BFD for the peers of a speaker in this process. What is wanted is in the
// configuration of the peers in the speaker itself (BFDMark), so that a controller in
// another process may come and go.
type detector struct {
	server *server.BgpServer
	log    *slog.Logger

	mu     sync.Mutex // guards what follows
	engine *engine.Engine
	closed bool
}

// refresh makes the sessions those that the peers in the speaker are to have.
func (d *detector) refresh() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	var want []engine.Peer
	err := d.server.ListPeer(context.Background(), &api.ListPeerRequest{}, func(p *api.Peer) {
		if peer, ok := detected(p); ok {
			want = append(want, peer)
		}
	})
	switch {
	case err != nil:
		d.log.Warn("BFD: the peers cannot be listed", slog.Any("err", err))
		return
	case len(want) == 0 && d.engine == nil:
		return
	case d.engine == nil:
		d.engine = engine.New(engine.Config{Logger: d.log, OnChange: d.changed})
	}
	d.engine.Set(want)
}

// detected is the session that a peer is to have; it is not ok if it is to have none.
func detected(p *api.Peer) (engine.Peer, bool) {
	b := BFDOf(p)
	addr, err := netip.ParseAddr(p.GetConf().GetNeighborAddress())
	if err != nil || !b.On {
		return engine.Peer{}, false
	}
	interval := uint32(b.Interval) * 1000
	return engine.Peer{
		Addr: addr, Local: LocalAddressOf(p), Multihop: b.Multihop,
		Profile: bfd.Profile{MinTx: interval, MinRx: interval, Mult: b.Multiplier},
	}, true
}

// bfdReason begins what our NOTIFICATION says of a session that BFD has ended. GoBGP can
// send no "BFD Down" (RFC 9384), so that it is text (RFC 9003) in an Administrative Reset.
const bfdReason = "BFD Down"

// changed is told of each step of a session. Where BFD was lost, BGP goes at once, and with
// it what both ends keep: for BGP, which cannot announce a restart, RFC 5882 section
// 4.3.2.2 has a failure be one of forwarding. A graceful restart under way is left alone,
// because it may be all that has failed: our BFD shares the fate of our BGP.
func (d *detector) changed(addr netip.Addr, c bfd.Change) {
	log := d.log.With(slog.String("peer", addr.String()))
	switch {
	case c.To == bfd.Up:
		log.Info("BFD session is up")
	case c.From == bfd.Up:
		log.Warn("BFD session is down", slog.String("reason", c.Text()), slog.Bool("by_operator", c.ByAdmin))
	}
	if !c.Failed() {
		return
	}
	ctx := context.Background()
	var peer *api.Peer
	err := d.server.ListPeer(ctx, &api.ListPeerRequest{Address: addr.String()}, func(p *api.Peer) { peer = p })
	switch {
	case err != nil || peer == nil:
	case StateOf(peer) == Established:
		err = d.server.ResetPeer(ctx, &api.ResetPeerRequest{
			Address: addr.String(), Communication: bfdReason + ": " + c.Diag.String(),
		})
	}
	if err != nil {
		log.Warn("BFD: the session cannot be ended", slog.Any("err", err))
	}
}

// fill adds how BFD is to what GoBGP tells of a peer.
func (d *detector) fill(p *api.Peer) {
	addr, err := netip.ParseAddr(p.GetConf().GetNeighborAddress())
	d.mu.Lock()
	run := d.engine
	d.mu.Unlock()
	if err != nil || run == nil || p.GetState() == nil {
		return
	}
	st, ok := run.Status(addr)
	if !ok {
		return
	}
	p.State.BfdState = &api.BfdPeerState{
		SessionState: bfdStates[st.State], RemoteSessionState: bfdStates[st.RemoteState],
		FailureTransitions: st.Failures, LocalDiscriminator: st.Local, RemoteDiscriminator: st.Remote,
		LocalDiagnosticCode: api.BfdDiagnosticCode(st.Diag), RemoteDiagnosticCode: api.BfdDiagnosticCode(st.RemoteDiag),
		RemoteMinimumReceiveInterval: st.RemoteMinRx,
		BfdAsync:                     &api.BfdAsyncCounters{TransmittedPackets: st.Sent, ReceivedPackets: st.Received},
	}
	if !st.Failed.IsZero() {
		p.State.BfdState.LastFailureTime = uint64(st.Failed.UnixNano())
	}
	p.State.Description = encodeBFD(st)
}

// close ends BFD without a word to the neighbours, which judge by forwarding.
func (d *detector) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.engine != nil {
		d.engine.Close()
	}
}

// serveBFD has the gRPC server of a speaker process run BFD: what changes a peer changes
// its session, and what lists peers tells of it.
func serveBFD(d func() *detector) []grpc.ServerOption {
	changes := map[string]bool{
		api.GoBgpService_AddPeer_FullMethodName: true, api.GoBgpService_UpdatePeer_FullMethodName: true,
		api.GoBgpService_DeletePeer_FullMethodName: true, api.GoBgpService_StopBgp_FullMethodName: true,
	}
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(
			ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler,
		) (any, error) {
			rsp, err := next(ctx, req)
			if changes[info.FullMethod] {
				d().refresh()
			}
			return rsp, err
		}),
		grpc.ChainStreamInterceptor(func(
			srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler,
		) error {
			if info.FullMethod == api.GoBgpService_ListPeer_FullMethodName {
				stream = filler{stream, d()}
			}
			return next(srv, stream)
		}),
	}
}

// filler adds how BFD is to the peers that are listed.
type filler struct {
	grpc.ServerStream
	detector *detector
}

// SendMsg is called with each peer.
func (f filler) SendMsg(m any) error {
	if rsp, ok := m.(*api.ListPeerResponse); ok {
		f.detector.fill(rsp.GetPeer())
	}
	return f.ServerStream.SendMsg(m)
}

var bfdStates = map[bfd.State]api.BfdSessionState{
	bfd.AdminDown: api.BfdSessionState_BFD_SESSION_STATE_ADMIN_DOWN,
	bfd.Down:      api.BfdSessionState_BFD_SESSION_STATE_DOWN,
	bfd.Init:      api.BfdSessionState_BFD_SESSION_STATE_INIT,
	bfd.Up:        api.BfdSessionState_BFD_SESSION_STATE_UP,
}

// bfdFault is the fault of a NOTIFICATION that tells of BFD, in words.
func bfdFault(f fields) (text string, ok bool) {
	reason := f.text("Communicated-Reason")
	if !strings.HasPrefix(reason, bfdReason) {
		return "", false
	}
	_, why, _ := strings.Cut(reason, ": ")
	return cmp.Or("BFD: "+why, reason), true
}
