package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// exitHeader carries a command's exit status over the control socket.
const exitHeader = "Bgp-Ovn-Exit"

// serve answers commands on the control socket until ctx ends. The socket has
// mode 0660: whoever may open it may ask for a repair.
func (a *app) serve(ctx context.Context, metrics http.Handler) (wait func(), err error) {
	path := a.cfg.Socket
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
		return nil, errors.Join(err, l.Close())
	}
	srv := &http.Server{Handler: a.mux(metrics), ReadHeaderTimeout: 5 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("control socket", "err", err)
		}
	}()
	go func() {
		<-ctx.Done()
		_ = srv.Close() // it closes the listener, which removes the socket
	}()
	return func() { <-done }, nil
}

// removeStale removes the socket of a controller that was killed. One that
// answers is an error.
func removeStale(path string) error {
	conn, err := net.DialTimeout("unix", path, time.Second)
	switch {
	case err == nil:
		_ = conn.Close()
		return fmt.Errorf("control socket %s: another bgp-ovn answers there; stop it or set socket", path)
	case errors.Is(err, syscall.ECONNREFUSED):
		if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
			return fmt.Errorf("control socket %s: a file that is not a socket stands there; set socket to another path", path)
		}
		return os.Remove(path)
	default:
		return nil // not there; or Listen will say what is wrong
	}
}

// mux is the table of what the socket answers.
func (a *app) mux(metrics http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	get := func(path string, f func(context.Context, url.Values) (answer, error)) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			ans, err := f(r.Context(), r.URL.Query())
			if err != nil {
				http.Error(w, oneLine(err), http.StatusConflict)
				return
			}
			w.Header().Set(exitHeader, strconv.Itoa(ans.exit))
			_, _ = w.Write(ans.body) // the client is gone if this fails
		})
	}
	get("GET /v1/status", func(ctx context.Context, q url.Values) (answer, error) { return a.answerStatus(ctx, q.Get("output")) })
	get("GET /v1/plan", func(ctx context.Context, q url.Values) (answer, error) { return a.answerPlan(ctx, q.Get("output")) })
	get("GET /v1/desired", func(ctx context.Context, q url.Values) (answer, error) {
		return a.answerDesired(ctx, q.Get("output"))
	})
	get("GET /v1/snapshot", func(ctx context.Context, _ url.Values) (answer, error) { return a.answerSnapshot(ctx) })
	get("GET /v1/explain", func(ctx context.Context, q url.Values) (answer, error) {
		return a.answerExplain(ctx, q.Get("output"), q.Get("target"))
	})
	get("GET /v1/evpn", func(ctx context.Context, q url.Values) (answer, error) {
		return a.answerEVPN(ctx, q.Get("output"), q.Get("vni"))
	})
	get("GET /v1/audit", func(ctx context.Context, q url.Values) (answer, error) {
		return a.answerAudit(ctx, q.Get("output"), false)
	})
	get("POST /v1/audit", func(ctx context.Context, q url.Values) (answer, error) {
		return a.answerAudit(ctx, q.Get("output"), true)
	})
	get("GET /v1/reload", func(ctx context.Context, q url.Values) (answer, error) {
		return a.answerReloadPreview(ctx, q.Get("output"))
	})
	get("POST /v1/reload", func(_ context.Context, q url.Values) (answer, error) { return a.answerReload(q.Get("output")) })
	mux.Handle("GET /metrics", metrics)
	return mux
}

// errNoController says that nobody answers on the control socket.
var errNoController = errors.New("no controller is running")

// ask sends a command to the running controller. errNoController means that
// there is none; every other error is the controller's answer.
func (c *cli) ask(ctx context.Context, cfg *Config, method, path string, query url.Values) (answer, error) {
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", cfg.Socket)
		},
	}}
	if query == nil {
		query = url.Values{}
	}
	query.Set("output", c.output)
	req, err := http.NewRequestWithContext(ctx, method, "http://bgp-ovn"+path+"?"+query.Encode(), nil)
	if err != nil {
		return answer{}, err
	}
	resp, err := client.Do(req)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return answer{}, fmt.Errorf("%w (control socket %s)", errNoController, cfg.Socket)
	}
	if errors.Is(err, os.ErrPermission) {
		return answer{}, fmt.Errorf("control socket %s: permission denied; run as root or join the socket's group", cfg.Socket)
	}
	if err != nil {
		return answer{}, fmt.Errorf("ask the controller: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, fmt.Errorf("read the controller's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("the controller says: %s", trimNewline(body))
	}
	exit, err := strconv.Atoi(resp.Header.Get(exitHeader))
	if err != nil {
		return answer{}, fmt.Errorf("control socket %s is not answered by bgp-ovn", cfg.Socket)
	}
	return answer{exit: exit, body: body}, nil
}

func trimNewline(b []byte) string {
	for len(b) > 0 && b[len(b)-1] == '\n' {
		b = b[:len(b)-1]
	}
	return string(b)
}

// remoteOnly runs a command that only a running controller can answer.
func (c *cli) remoteOnly(ctx context.Context, cfg *Config, path string, query url.Values) error {
	ans, err := c.ask(ctx, cfg, http.MethodGet, path, query)
	if err != nil {
		return err
	}
	return c.print(ans)
}

// warn tells of a bad configuration where a running controller, which has a
// good one, can still be asked.
func (c *cli) warn(bad error) {
	if bad != nil {
		fmt.Fprintln(c.stderr, "bgp-ovn: warning, the configuration is not valid:", oneLine(bad))
	}
}

func (c *cli) print(ans answer) error {
	c.exit = ans.exit
	if _, err := c.stdout.Write(ans.body); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
