package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// ErrNoController says that nobody answers on the control socket. Every other
// error of a [Client] is the controller's answer or trouble with the socket.
var ErrNoController = errors.New("no controller is running")

// errDenied says that this user has no right to a socket.
var errDenied = errors.New("permission denied")

// maxAnswer bounds an answer: a snapshot of 100,000 ports has 80 MB.
const maxAnswer = 1 << 30

// Client asks the controller that listens on a socket. It is a [Controller].
type Client struct {
	socket string
	// read is the client of the socket for those who may only read; nil without one.
	read *Client
	http http.Client
}

// NewClient returns a client for the control socket at path. Nothing is opened
// before the first question.
func NewClient(path string) *Client {
	c := &Client{socket: path}
	c.http.Transport = &http.Transport{
		DisableKeepAlives: true, // a command asks once
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}
	return c
}

// OrRead makes the client use the socket at path for questions that change nothing,
// if it has no right to the first one.
func (c *Client) OrRead(path string) *Client {
	c.read = NewClient(path)
	return c
}

// Running reports whether a controller answers.
func (c *Client) Running(ctx context.Context) (bool, error) {
	_, err := c.Status(ctx)
	if errors.Is(err, ErrNoController) {
		return false, nil
	}
	return err == nil, err
}

// Status asks for [Controller.Status].
func (c *Client) Status(ctx context.Context) (Status, error) {
	return ask[Status](ctx, c, http.MethodGet, "status", nil)
}

// Plan asks for [Service.Plan].
func (c *Client) Plan(ctx context.Context) (Plan, error) {
	return ask[Plan](ctx, c, http.MethodGet, "plan", nil)
}

// Desired asks for [Service.Desired].
func (c *Client) Desired(ctx context.Context) (Desired, error) {
	return ask[Desired](ctx, c, http.MethodGet, "desired", nil)
}

// Explain asks for [Service.Explain].
func (c *Client) Explain(ctx context.Context, target string) (Explanation, error) {
	return ask[Explanation](ctx, c, http.MethodGet, "explain", url.Values{"target": {target}})
}

// Find asks for [Service.Find].
func (c *Client) Find(ctx context.Context, target string) (Found, error) {
	return ask[Found](ctx, c, http.MethodGet, "find", url.Values{"target": {target}})
}

// Trace asks for [Service.Trace].
func (c *Client) Trace(ctx context.Context, q TraceQuestion) (Trace, error) {
	query := url.Values{"to": {q.To.String()}}
	if q.From != "" {
		query.Set("from", q.From)
	}
	if q.Src.IsValid() {
		query.Set("src", q.Src.String())
	}
	return ask[Trace](ctx, c, http.MethodGet, "trace", query)
}

// EVPN asks for [Service.EVPN].
func (c *Client) EVPN(ctx context.Context, vni uint32) (EVPN, error) {
	query := url.Values{}
	if vni != 0 {
		query.Set("vni", strconv.FormatUint(uint64(vni), 10))
	}
	return ask[EVPN](ctx, c, http.MethodGet, "evpn", query)
}

// Kube asks for [Service.Kube].
func (c *Client) Kube(ctx context.Context, q KubeQuery) (Kube, error) {
	return ask[Kube](ctx, c, http.MethodGet, "kube", q.Values())
}

// ExplainService asks for [Service.ExplainService].
func (c *Client) ExplainService(ctx context.Context, service string) (ServiceExplanation, error) {
	return ask[ServiceExplanation](ctx, c, http.MethodGet, "explain-service", url.Values{"service": {service}})
}

// Audit asks for [Service.Audit].
func (c *Client) Audit(ctx context.Context, repair bool) (Audit, error) {
	return ask[Audit](ctx, c, method(repair), "audit", nil)
}

// History asks for [Controller.History].
func (c *Client) History(ctx context.Context, f history.Filter) (History, error) {
	return ask[History](ctx, c, http.MethodGet, "history", historyQuery(f))
}

// PlanWith says what the controller would do with keys set to other values.
func (c *Client) PlanWith(ctx context.Context, set []string) (Reload, error) {
	return ask[Reload](ctx, c, http.MethodGet, "plan-with", url.Values{"set": set})
}

// PlanFile asks for [Controller.PlanFile].
func (c *Client) PlanFile(ctx context.Context) (PlanFile, error) {
	return ask[PlanFile](ctx, c, http.MethodGet, "plan-file", nil)
}

// Apply asks for [Controller.Apply].
func (c *Client) Apply(ctx context.Context, digest string) (Applied, error) {
	return ask[Applied](ctx, c, http.MethodPost, "apply", url.Values{"plan": {digest}})
}

// Rollback asks for [Controller.Rollback].
func (c *Client) Rollback(ctx context.Context, round uint64) (Rollback, error) {
	return ask[Rollback](ctx, c, http.MethodPost, "rollback", url.Values{"round": {strconv.FormatUint(round, 10)}})
}

// Reload asks for [Controller.Reload].
func (c *Client) Reload(ctx context.Context, dryRun bool) (Reload, error) {
	return ask[Reload](ctx, c, method(!dryRun), "reload", nil)
}

// BGPPeers asks for [Controller.BGPPeers].
func (c *Client) BGPPeers(ctx context.Context, address string) (BGPPeers, error) {
	query := url.Values{}
	if address != "" {
		query.Set("peer", address)
	}
	return ask[BGPPeers](ctx, c, http.MethodGet, "bgp/peers", query)
}

// Advertised asks for [Controller.Advertised].
func (c *Client) Advertised(ctx context.Context, q RouteQuery) (BGPAdvertised, error) {
	return ask[BGPAdvertised](ctx, c, http.MethodGet, "bgp/advertised", q.Values())
}

// Received asks for [Controller.Received].
func (c *Client) Received(ctx context.Context, q RouteQuery, rejected bool) (BGPReceived, error) {
	name := "bgp/received"
	if rejected {
		name = "bgp/rejected"
	}
	return ask[BGPReceived](ctx, c, http.MethodGet, name, q.Values())
}

// Drain asks for [Controller.Drain].
func (c *Client) Drain(ctx context.Context, force bool) (Drain, error) {
	return ask[Drain](ctx, c, http.MethodPost, "drain", url.Values{"force": {strconv.FormatBool(force)}})
}

// Undrain asks for [Controller.Undrain].
func (c *Client) Undrain(ctx context.Context) (Drain, error) {
	return ask[Drain](ctx, c, http.MethodPost, "undrain", nil)
}

// Verify asks for [Controller.Verify].
func (c *Client) Verify(ctx context.Context, q RouteQuery, all bool) (Verify, error) {
	values := q.Values()
	if all {
		values.Set("all", "true")
	}
	return ask[Verify](ctx, c, http.MethodGet, "verify", values)
}

// Retry asks for [Controller.Retry].
func (c *Client) Retry(ctx context.Context, object string) (Retried, error) {
	return ask[Retried](ctx, c, http.MethodPost, "retry", url.Values{"object": {object}})
}

// ReleasePeer asks for [Controller.ReleasePeer].
func (c *Client) ReleasePeer(ctx context.Context, address string) (Released, error) {
	return ask[Released](ctx, c, http.MethodPost, "peer/release", url.Values{"address": {address}})
}

// Snapshot asks for [Service.Snapshot].
func (c *Client) Snapshot(ctx context.Context) ([]byte, error) {
	return c.get(ctx, http.MethodGet, "snapshot", nil)
}

// method is that of a question that changes something, or of one that does not.
func method(changes bool) string {
	if changes {
		return http.MethodPost
	}
	return http.MethodGet
}

// ask asks a question and reads the answer.
func ask[T any](ctx context.Context, c *Client, method, name string, query url.Values) (T, error) {
	var v T
	raw, err := c.get(ctx, method, name, query)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("answer of the controller on %s cannot be read: %w", c.socket, err)
	}
	return v, nil
}

// get asks a question and returns the answer as it came.
func (c *Client) get(ctx context.Context, method, name string, query url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://bgp-ovn/v1/"+name+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%w (control socket %s)", ErrNoController, c.socket)
	case errors.Is(err, os.ErrPermission):
		return c.getReading(ctx, method, name, query)
	case err != nil:
		return nil, fmt.Errorf("ask the controller on %s: %w", c.socket, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if api := resp.Header.Get(headerAPI); api != protocolAPI {
		return nil, fmt.Errorf("control socket %s is not answered by a bgp-ovn of this version: "+
			"use the command of the version that runs, or restart the controller", c.socket)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read the answer of the controller on %s: %w", c.socket, err)
	case len(raw) > maxAnswer:
		return nil, fmt.Errorf("the answer of the controller on %s has more than %d MiB", c.socket, maxAnswer>>20)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the controller says: %s", strings.TrimRight(string(raw), "\n"))
	}
	return raw, nil
}

// getReading asks on the socket for reading what was denied on the other one.
func (c *Client) getReading(ctx context.Context, method, name string, query url.Values) ([]byte, error) {
	if c.read != nil && method == http.MethodGet {
		raw, err := c.read.get(ctx, method, name, query)
		if !errors.Is(err, ErrNoController) && !errors.Is(err, errDenied) {
			return raw, err
		}
	}
	return nil, fmt.Errorf("control socket %s: %w; run as root or join the socket's group", c.socket, errDenied)
}
