package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strconv"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/listen"
)

// headerAPI carries the version of the protocol on the socket. It is not that of
// the answers: a client of another protocol must not take what it gets for an
// answer.
const (
	headerAPI   = "X-Bgp-Ovn-Api"
	protocolAPI = "2"
)

// MaxClients is how many clients a control socket serves at once.
const MaxClients = 64

// Listen opens the control socket at path with mode 0660, in a directory that is
// made if it is missing, for the group (-1: that of the process). The socket of a
// controller that was killed is replaced; one that answers is an error, and so is
// whatever else exists there.
func Listen(path string, group int) (net.Listener, error) {
	l, err := listen.Unix(listen.Socket{Path: path, Mode: 0o660, Group: group, Limit: MaxClients})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return l, nil
}

// Serve answers on l until ctx ends, and returns then. metrics is served as
// /metrics. Closing the listener removes the socket.
func Serve(ctx context.Context, l net.Listener, c Controller, metrics http.Handler, log *slog.Logger) {
	serve(ctx, l, Handler(c), metrics, log)
}

// ServeReading is [Serve] for those who may read and change nothing: it refuses to
// repair, to reload, to release a peer, and whatever else changes something.
func ServeReading(ctx context.Context, l net.Listener, c Controller, metrics http.Handler, log *slog.Logger) {
	serve(ctx, l, readingOnly(Handler(c)), metrics, log)
}

func serve(ctx context.Context, l net.Listener, questions, metrics http.Handler, log *slog.Logger) {
	mux := http.NewServeMux()
	mux.Handle("/v1/", questions)
	mux.Handle("GET /metrics", metrics)
	srv := listen.Server(mux)
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		log.Error("control socket cannot be served", "socket", l.Addr(), "err", err)
	}
}

// readingOnly lets only questions pass that change nothing. A reload is none even as a
// dry run: it reads the configuration, which has passwords.
func readingOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path == "/v1/reload" || r.URL.Path == "/v1/plan-with" {
			w.Header().Set(headerAPI, protocolAPI)
			http.Error(w, "this socket answers questions and changes nothing: it needs the right to write to the control "+
				"socket (key socket)", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
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
	answer(mux, "GET /v1/find", func(r *http.Request) (any, error) {
		return c.Find(r.Context(), r.URL.Query().Get("target"))
	})
	answer(mux, "GET /v1/trace", func(r *http.Request) (any, error) {
		query := r.URL.Query()
		q, err := ParseTrace(query.Get("to"), query.Get("from"), query.Get("src"))
		if err != nil {
			return nil, err
		}
		return c.Trace(r.Context(), q)
	})
	answer(mux, "GET /v1/evpn", func(r *http.Request) (any, error) {
		vni, err := ParseVNI(r.URL.Query().Get("vni"))
		if err != nil {
			return nil, err
		}
		return c.EVPN(r.Context(), vni)
	})
	kubeAnswers(mux, c)
	answer(mux, "GET /v1/audit", func(r *http.Request) (any, error) { return c.Audit(r.Context(), false) })
	answer(mux, "POST /v1/audit", func(r *http.Request) (any, error) { return c.Audit(r.Context(), true) })
	answer(mux, "GET /v1/history", func(r *http.Request) (any, error) {
		f, err := parseHistory(r.URL.Query())
		if err != nil {
			return nil, err
		}
		return c.History(r.Context(), f)
	})
	answer(mux, "GET /v1/reload", func(r *http.Request) (any, error) { return c.Reload(r.Context(), true) })
	answer(mux, "GET /v1/plan-with", func(r *http.Request) (any, error) {
		return c.PlanWith(r.Context(), r.URL.Query()["set"])
	})
	answer(mux, "GET /v1/plan-file", func(r *http.Request) (any, error) { return c.PlanFile(r.Context()) })
	answer(mux, "POST /v1/apply", func(r *http.Request) (any, error) {
		return c.Apply(r.Context(), r.URL.Query().Get("plan"))
	})
	answer(mux, "POST /v1/rollback", func(r *http.Request) (any, error) {
		round, err := ParseRound(r.URL.Query().Get("round"))
		if err != nil {
			return nil, err
		}
		return c.Rollback(r.Context(), round)
	})
	answer(mux, "POST /v1/reload", func(r *http.Request) (any, error) { return c.Reload(r.Context(), false) })
	bgpAnswers(mux, c)
	answer(mux, "POST /v1/peer/release", func(r *http.Request) (any, error) {
		return c.ReleasePeer(r.Context(), r.URL.Query().Get("address"))
	})
	answer(mux, "POST /v1/drain", func(r *http.Request) (any, error) {
		force, err := parseForce(r.URL.Query().Get("force"))
		if err != nil {
			return nil, err
		}
		return c.Drain(r.Context(), force)
	})
	answer(mux, "POST /v1/undrain", func(r *http.Request) (any, error) { return c.Undrain(r.Context()) })
	answer(mux, "POST /v1/retry", func(r *http.Request) (any, error) {
		return c.Retry(r.Context(), r.URL.Query().Get("object"))
	})
	mux.HandleFunc("GET /v1/record", func(w http.ResponseWriter, r *http.Request) { record(w, r, c) })
	mux.HandleFunc("GET /v1/snapshot", func(w http.ResponseWriter, r *http.Request) {
		raw, err := c.Snapshot(r.Context())
		write(w, raw, err)
	})
	return mux
}

// bgpAnswers are the tables of BGP.
func bgpAnswers(mux *http.ServeMux, c Controller) {
	answer(mux, "GET /v1/verify", func(r *http.Request) (any, error) {
		query := r.URL.Query()
		q, err := ParseRouteQuery(query)
		if err != nil {
			return nil, err
		}
		return c.Verify(r.Context(), q, query.Get("all") == "true")
	})
	answer(mux, "GET /v1/bgp/peers", func(r *http.Request) (any, error) {
		return c.BGPPeers(r.Context(), r.URL.Query().Get("peer"))
	})
	answer(mux, "GET /v1/bgp/advertised", func(r *http.Request) (any, error) {
		q, err := ParseRouteQuery(r.URL.Query())
		if err != nil {
			return nil, err
		}
		return c.Advertised(r.Context(), q)
	})
	for pattern, rejected := range map[string]bool{"GET /v1/bgp/received": false, "GET /v1/bgp/rejected": true} {
		answer(mux, pattern, func(r *http.Request) (any, error) {
			q, err := ParseRouteQuery(r.URL.Query())
			if err != nil {
				return nil, err
			}
			return c.Received(r.Context(), q, rejected)
		})
	}
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

// ParseAddress reads the address that is asked for.
func ParseAddress(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return addr, fmt.Errorf("explain %.80q: give an IP address, such as 203.0.113.7 or 2001:db8::7", text)
	}
	return addr.Unmap(), nil
}
