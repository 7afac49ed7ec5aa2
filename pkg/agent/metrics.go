package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/listen"
)

// maxMetricsClients is how many clients of metrics.listen are served at once. All
// others wait to be accepted.
const maxMetricsClients = 64

// metricsListener serves Prometheus on metrics.listen, which a reload can change.
type metricsListener struct {
	handler http.Handler
	log     *slog.Logger

	mu      sync.Mutex
	serving *http.Server // nil while it does not listen
	address string       // the one of the configuration
}

// want says which address the configuration has, and wants whether it is that one.
func (m *metricsListener) want(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.address = address
}

func (m *metricsListener) wants(address string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.address == address
}

// newMetricsListener returns one that does not listen yet, and stops when ctx
// ends.
func newMetricsListener(ctx context.Context, h http.Handler, log *slog.Logger) *metricsListener {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", h)
	m := &metricsListener{handler: mux, log: log}
	go func() {
		<-ctx.Done()
		m.serve(nil)
	}()
	return m
}

// open listens without serving yet; nil for no address.
func (m *metricsListener) open(address string) (net.Listener, error) {
	if address == "" {
		return nil, nil
	}
	l, err := listen.TCP(address, maxMetricsClients)
	if err != nil {
		return nil, fmt.Errorf("metrics.listen: %w", err)
	}
	return l, nil
}

// takeUp serves on a listener that was opened late, unless a reload has named another
// address meanwhile.
func (m *metricsListener) takeUp(l net.Listener, address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.address == address {
		m.swap(l)
	} else if l != nil {
		_ = l.Close()
	}
}

// serve takes up a listener in place of the one before it; nil ends serving.
func (m *metricsListener) serve(l net.Listener) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swap(l)
}

// swap is serve for a caller that holds mu.
func (m *metricsListener) swap(l net.Listener) {
	if m.serving != nil {
		_ = m.serving.Close() // with its listener; whoever reads asks again
	}
	m.serving = nil
	if l == nil {
		return
	}
	srv := listen.Server(m.handler)
	m.serving = srv
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			m.log.Error("metrics listener", "err", err)
		}
	}()
}
