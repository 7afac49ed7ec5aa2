package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// headerAPI carries the version of the protocol on the socket. It is not that of
// the answers: a client of another protocol must not take what it gets for an
// answer.
const (
	headerAPI   = "X-Bgp-Ovn-Api"
	protocolAPI = "2"
)

// The limits of one connection: a client that goes away or says nothing must not
// keep a descriptor.
const (
	headerTimeout = 5 * time.Second
	idleTimeout   = 60 * time.Second
)

// Listen opens the control socket at path with mode 0660, in a directory that is
// made if it is missing. The socket of a controller that was killed is removed;
// one that answers is an error.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create directory of control socket: %w", err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on control socket: %w", err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket %s: %w", path, err), l.Close())
	}
	return l, nil
}

// removeStale removes a socket on which nobody listens.
func removeStale(path string) error {
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("control socket %s: another bgp-ovn answers there; stop it or set socket", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
			return fmt.Errorf("control socket %s: a file that is not a socket exists there; set socket to another path", path)
		}
		return os.Remove(path)
	default:
		return nil // not there; or Listen will say what is wrong
	}
}

// Serve answers on l until ctx ends, and returns then. metrics is served as
// /metrics. Closing the listener removes the socket.
func Serve(ctx context.Context, l net.Listener, c Controller, metrics http.Handler, log *slog.Logger) {
	mux := http.NewServeMux()
	mux.Handle("/v1/", Handler(c))
	mux.Handle("GET /metrics", metrics)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout}
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("control socket cannot be served", "err", err)
	}
}

// Handler is the table of what can be asked.
func Handler(c Controller) http.Handler {
	mux := http.NewServeMux()
	answer(mux, "GET /v1/status", func(r *http.Request) (any, error) { return c.Status(r.Context()) })
	answer(mux, "GET /v1/plan", func(r *http.Request) (any, error) { return c.Plan(r.Context()) })
	answer(mux, "GET /v1/desired", func(r *http.Request) (any, error) { return c.Desired(r.Context()) })
	answer(mux, "GET /v1/explain", func(r *http.Request) (any, error) {
		return c.Explain(r.Context(), r.URL.Query().Get("target"))
	})
	answer(mux, "GET /v1/evpn", func(r *http.Request) (any, error) {
		vni, err := ParseVNI(r.URL.Query().Get("vni"))
		if err != nil {
			return nil, err
		}
		return c.EVPN(r.Context(), vni)
	})
	answer(mux, "GET /v1/audit", func(r *http.Request) (any, error) { return c.Audit(r.Context(), false) })
	answer(mux, "POST /v1/audit", func(r *http.Request) (any, error) { return c.Audit(r.Context(), true) })
	answer(mux, "GET /v1/reload", func(r *http.Request) (any, error) { return c.Reload(r.Context(), true) })
	answer(mux, "POST /v1/reload", func(r *http.Request) (any, error) { return c.Reload(r.Context(), false) })
	mux.HandleFunc("GET /v1/snapshot", func(w http.ResponseWriter, r *http.Request) {
		raw, err := c.Snapshot(r.Context())
		write(w, raw, err)
	})
	return mux
}

// answer adds one question whose answer is JSON.
func answer(mux *http.ServeMux, pattern string, ask func(*http.Request) (any, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := ask(r)
		var raw []byte
		if err == nil {
			raw, err = json.Marshal(v)
		}
		write(w, raw, err)
	})
}

// write sends an answer, or an error as text with status 409.
func write(w http.ResponseWriter, raw []byte, err error) {
	w.Header().Set(headerAPI, protocolAPI)
	if err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(raw) // the client is gone if this fails
}

// MaxVNI is the largest VXLAN network identifier (RFC 7348 section 5).
const MaxVNI = 1<<24 - 1

// ParseVNI reads a VNI; empty text is 0, which stands for all.
func ParseVNI(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	vni, err := strconv.ParseUint(text, 10, 24)
	if err != nil || vni == 0 {
		return 0, fmt.Errorf("evpn %q: give a VNI, 1 to %d", text, MaxVNI)
	}
	return uint32(vni), nil
}
