package speaker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"

	api "github.com/osrg/gobgp/v4/api"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

// line is one connection to a speaker process, and to no other: gRPC would
// connect again by itself, behind the back of a change under way, to a speaker
// that has forgotten everything.
type line struct {
	client
	conn   *grpc.ClientConn
	events api.GoBgpService_WatchEventClient
	cancel context.CancelFunc // ends events
}

// dialLine connects and begins to watch. limited bounds that, ctx the line.
func dialLine(ctx, limited context.Context, socket string) (*line, error) {
	path, err := socketPath(socket)
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	raw, err := d.DialContext(limited, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connect to the speaker: %w", err)
	}
	conn, err := grpc.NewClient("passthrough:///"+path, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(once(raw)), grpc.WithIdleTimeout(0))
	if err == nil {
		if err = awaitReady(limited, conn); err != nil {
			err = errors.Join(err, conn.Close())
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("speak gRPC with %s: %w", path, err), raw.Close())
	}
	l := &line{client: client{api.NewGoBgpServiceClient(conn)}, conn: conn}
	ctx, l.cancel = context.WithCancel(ctx)
	if l.events, err = l.api.WatchEvent(ctx, peersOnly()); err != nil {
		return nil, errors.Join(fmt.Errorf("watch the sessions: %w", plainError(err)), l.close())
	}
	return l, nil
}

// awaitReady makes a connection speak gRPC. One that fails is not made again: that is the
// business of reconnect.go.
func awaitReady(ctx context.Context, conn *grpc.ClientConn) error {
	conn.Connect()
	for {
		state := conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.TransientFailure, connectivity.Shutdown:
			return errors.New("what listens there does not speak it, or serves too many already")
		}
		if !conn.WaitForStateChange(ctx, state) {
			return ctx.Err()
		}
	}
}

// once hands one connection out, once.
func once(raw net.Conn) func(context.Context, string) (net.Conn, error) {
	give := make(chan net.Conn, 1)
	give <- raw
	return func(context.Context, string) (net.Conn, error) {
		select {
		case c := <-give:
			return c, nil
		default:
			return nil, errors.New("the connection to the speaker was lost")
		}
	}
}

func (l *line) close() error {
	l.cancel()
	return l.conn.Close()
}

// socketPath takes unix: off, with or without the slashes of a URL.
func socketPath(socket string) (string, error) {
	path, ok := strings.CutPrefix(socket, "unix:")
	if !ok || !filepath.IsAbs(path) {
		return "", fmt.Errorf("speaker %q: use unix:/absolute/path", socket)
	}
	return filepath.Clean(path), nil
}

// lineHolder is the line that there is now, or why there is none.
type lineHolder struct {
	mu   sync.Mutex
	line *line
	why  error
}

func (h *lineHolder) get() (*line, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.line, h.why
}

// set puts a line or the reason in. It reports whether the reason is news.
func (h *lineHolder) set(l *line, why error) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	news := why != nil && (h.why == nil || h.why.Error() != why.Error())
	h.line, h.why = l, why
	return news
}
