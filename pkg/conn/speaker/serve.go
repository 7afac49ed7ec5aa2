package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/osrg/gobgp/v4/pkg/server"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/listen"
)

// serveLimit is how long the socket may take to appear.
const serveLimit = 5 * time.Second

// Serve is a speaker process: GoBGP with its gRPC API on a unix socket of mode
// 0660, and nothing else. BGP itself is started by the first controller
// that dials. ready is called once the socket can be dialled.
//
// Serve returns when ctx ends and leaves the sessions up; the process is
// expected to exit, and neighbours that support graceful restart then keep our
// routes. The peer whose message ends the process is in the [Record] beside the
// socket once the next one serves it.
func Serve(ctx context.Context, socket string, log *slog.Logger, ready func()) error {
	path, err := socketPath(socket)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("create directory of the speaker's socket: %w", err)
	}
	if err := listen.Remove(path); err != nil {
		return err
	}
	// GoBGP makes the socket itself; anybody who may write to it owns the
	// node's announcements. What else this process makes are files of its Record.
	syscall.Umask(0o117)
	RecordBeside(path).Begin(log)
	sessions := newSessions(log)
	sessions.brief = true
	bfd, waiting := &detector{log: log}, newBacklog(log)
	// The server of GoBGP's making answers before it is returned.
	made := make(chan struct{})
	s := server.NewBgpServer(
		server.LoggerOption(slog.New(speakerLog{sessions: sessions}), nil),
		server.GrpcListenAddress("unix://"+path),
		server.GrpcOption(append(append(serverOptions(), waiting.countPaths()), serveBFD(func() *detector {
			<-made
			return bfd
		})...)))
	bfd.server = s
	close(made)
	defer bfd.close()
	go s.Serve()
	if err := logSessions(ctx, s, waiting, sessions); err != nil {
		return err
	}
	go waiting.run(ctx)
	// Who is ended before GoBGP answers waits for it as well: its socket is to be removed.
	if err := awaitSocket(context.WithoutCancel(ctx), path); err == nil {
		own := listen.Identify(path)
		ready()
		<-ctx.Done()
		own.Remove(path)
	} else if ctx.Err() == nil {
		return err
	}
	return nil
}

// awaitSocket waits until GoBGP answers, of which it gives no notice.
func awaitSocket(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, serveLimit)
	defer cancel()
	var d net.Dialer
	for {
		conn, err := d.DialContext(ctx, "unix", path)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("listen on %s: %w", path, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// logSessions logs sessions that come up and go down, with the reason, which only
// this process gets to know.
func logSessions(ctx context.Context, s *server.BgpServer, b *backlog, sessions *Sessions) error {
	err := watchPeers(ctx, s, b, func(address string, state State) {
		sessions.Follow(address)
		sessions.Session(address, state)
	})
	if err != nil {
		return fmt.Errorf("watch the sessions: %w", err)
	}
	return nil
}
