package prom

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// address is where the server listens, in its own namespace alone.
const address = "127.0.0.1:9090"

// most bounds an answer.
const most = 16 << 20

// Server is a Prometheus in a namespace of a lab.
type Server struct {
	node   *lab.Node
	client http.Client
}

// Targets are what is scraped: the address by the name that its series have as instance.
type Targets map[string]string

// Start runs a server on the node that scrapes job bgp-ovn once a second, and evaluates the
// rules as often.
func Start(ctx context.Context, node *lab.Node, rules []byte, targets Targets) (*Server, error) {
	program, err := Program("prometheus")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(node.Dir, "prometheus-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "rules.yml"), rules, 0o600); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte(configuration(targets)), 0o600); err != nil {
		return nil, err
	}
	s := &Server{node: node}
	s.client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: s.dial}
	d := node.Daemon("prometheus", s.ready, program, "--config.file="+config, "--web.listen-address="+address,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--log.level=warn")
	return s, d.Start(ctx)
}

func configuration(targets Targets) string {
	var b strings.Builder
	b.WriteString("global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n" +
		"rule_files: [rules.yml]\nscrape_configs:\n  - job_name: bgp-ovn\n    static_configs:\n")
	for name, addr := range targets {
		fmt.Fprintf(&b, "      - {targets: [%q], labels: {instance: %q}}\n", addr, name)
	}
	return b.String()
}

// dial connects inside of the namespace.
func (s *Server) dial(ctx context.Context, _, _ string) (c net.Conn, err error) {
	err = s.node.Do(func() error {
		var d net.Dialer
		c, err = d.DialContext(ctx, "tcp", address)
		return err
	})
	return c, err
}

func (s *Server) ready(ctx context.Context) (bool, error) {
	_, err := s.Query(ctx, "1")
	return err == nil, err
}

// Sample is one series of an answer.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Query asks for the present value of an expression.
func (s *Server) Query(ctx context.Context, expr string) ([]Sample, error) {
	var data struct {
		ResultType string
		Result     json.RawMessage
	}
	if err := s.get(ctx, "/api/v1/query?query="+url.QueryEscape(expr), &data); err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	if data.ResultType != "vector" {
		return nil, nil
	}
	var rows []struct {
		Metric map[string]string
		Value  [2]any
	}
	if err := json.Unmarshal(data.Result, &rows); err != nil {
		return nil, fmt.Errorf("%s: %w", expr, err)
	}
	out := make([]Sample, len(rows))
	for i, r := range rows {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", expr, err)
		}
		out[i] = Sample{r.Metric, v}
	}
	return out, nil
}

// Alert is one that is pending or fires.
type Alert struct {
	Labels, Annotations map[string]string
	State               string
}

// Firing lists the alerts that fire.
func (s *Server) Firing(ctx context.Context) ([]Alert, error) {
	var data struct{ Alerts []Alert }
	if err := s.get(ctx, "/api/v1/alerts", &data); err != nil {
		return nil, err
	}
	var out []Alert
	for _, a := range data.Alerts {
		if a.State == "firing" {
			out = append(out, a)
		}
	}
	return out, nil
}

func (s *Server) get(ctx context.Context, path string, data any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		return err
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %.300s", answer.Status, text)
	}
	return json.Unmarshal(text, &struct{ Data any }{data})
}
