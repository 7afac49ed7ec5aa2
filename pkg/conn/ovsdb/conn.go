package ovsdb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// writeTimeout bounds sending a request; all of ours are small.
const writeTimeout = 30 * time.Second

// progress is how much of a message must come within a probe interval for the server
// to count as alive although the message is not complete: a whole copy takes longer
// than an interval on a slow line, and a server that lets single octets drip is hung
// or hostile.
const progress = 64 << 10

// conn speaks JSON-RPC 1.0 as OVSDB uses it (RFC 7047 section 4). One goroutine
// reads and writes: requests are made one after the other, and notifications
// that come in between are handled as they come.
type conn struct {
	net    net.Conn
	dec    *wire.Decoder
	bytes  *atomic.Uint64
	limit  int64 // of one message, in octets
	lastID int
	// notify reads the parameters of a notification; false for methods that
	// it does not know, whose parameters it leaves.
	notify func(method string, d *wire.Decoder) bool

	// later is called with the outcome of the request that post made last; nil if none is on
	// its way.
	later func(error)
	// poked is called between two messages after poke was.
	poked func()
	wake  atomic.Bool

	probe  time.Duration
	since  time.Time // of the last sign of life, or of the question for one
	asked  bool      // an echo is on its way
	inside bool      // a message has begun
	came   int       // octets of it since the last sign of life
}

// newConn begins to read; bytes that arrive are counted where status can see them.
func newConn(n net.Conn, cfg *Config, count *atomic.Uint64) *conn {
	c := &conn{net: n, probe: cfg.Probe, limit: cfg.MaxSize, bytes: count, since: time.Now()}
	c.dec = wire.NewDecoder(c)
	return c
}

// Read is where the decoder's bytes come from. No sign of life for as long as probe
// makes us ask for one, and again as long ends the session.
func (c *conn) Read(p []byte) (int, error) {
	for {
		var silent time.Time
		if c.probe > 0 {
			silent = c.since.Add(c.probe)
		}
		if err := c.net.SetReadDeadline(silent); err != nil {
			return 0, err
		}
		// After the deadline: poke sets wake first, then a deadline that has passed.
		if !c.inside && c.wake.Swap(false) && c.poked != nil {
			c.poked()
		}
		n, err := c.net.Read(p)
		c.bytes.Add(uint64(n))
		if n > 0 {
			c.received(n)
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return 0, err
		}
		if silent.IsZero() || time.Now().Before(silent) {
			continue // poked
		}
		if c.asked {
			return 0, fmt.Errorf("no answer from the server for %v, echo requests included", 2*c.probe)
		}
		c.asked, c.since, c.came = true, time.Now(), 0
		if err := c.send(request{Method: "echo", Params: []any{}, ID: "probe"}); err != nil {
			return 0, err
		}
	}
}

// received counts octets inside of a message. Those between two messages, which can
// only be white space, are no sign of life.
func (c *conn) received(n int) {
	if !c.inside {
		return
	}
	if c.came += n; c.came >= progress {
		c.alive()
	}
}

// expect changes after how much silence the server is asked for a sign of life; 0 or less
// is never.
func (c *conn) expect(probe time.Duration) {
	c.probe = probe
	c.alive()
	if probe <= 0 {
		_ = c.net.SetReadDeadline(time.Time{}) // it fails where the next read does
	}
}

// alive notes a sign of life: a message that was complete and well-formed, such as
// the answer to an echo request, or enough of a long one.
func (c *conn) alive() { c.asked, c.since, c.came = false, time.Now(), 0 }

// send writes one message. Servers that do not read ours within writeTimeout are hung.
func (c *conn) send(message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if err := c.net.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := c.net.Write(text); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// rpcError is an error that the server answered with.
type rpcError struct{ method, text string }

// Error reads "monitor: unknown method".
func (e *rpcError) Error() string { return e.method + ": " + e.text }

// request is a JSON-RPC request (RFC 7047 section 4).
type request struct {
	Method string `json:"method"`
	Params any    `json:"params"`
	ID     any    `json:"id"`
}

// response answers a request of the server. Both members are always there: of a
// success the error is null, and the reverse.
type response struct {
	ID     json.RawMessage `json:"id"`
	Result any             `json:"result"`
	Error  any             `json:"error"`
}

// call makes a request and waits for the reply, whose result it hands to read.
func (c *conn) call(method string, params any, read func(*wire.Decoder)) error {
	c.lastID++
	if err := c.send(request{Method: method, Params: params, ID: c.lastID}); err != nil {
		return err
	}
	want := fmt.Sprint(c.lastID)
	for {
		m := message{conn: c, want: want, read: read}
		if err := m.receive(); err != nil {
			return err
		}
		switch {
		case m.answered && m.failed != "":
			return &rpcError{method, m.failed}
		case m.answered:
			return nil
		}
	}
}

// laterID is the id of the requests of post.
const laterID = `"later"`

// post makes a request whose reply may come at any time: whoever waits for messages
// receives it. There may be one at a time.
func (c *conn) post(method string, params any, done func(error)) error {
	c.later = func(err error) {
		var refused *rpcError
		if errors.As(err, &refused) {
			refused.method = method
		}
		done(err)
	}
	return c.send(request{Method: method, Params: params, ID: json.RawMessage(laterID)})
}

// poke makes the goroutine that waits for messages call poked before it goes on waiting. It
// may be called by any other.
func (c *conn) poke() {
	c.wake.Store(true)
	_ = c.net.SetReadDeadline(time.Unix(1, 0)) // it fails on a connection that has ended
}

// receive handles one message while no reply is expected.
func (c *conn) receive() error {
	m := message{conn: c}
	return m.receive()
}

// message is one JSON-RPC message on its way in. Servers send "id" before
// "result" and "method" before "params", so that both can be read as they
// come; otherwise they wait in early.
type message struct {
	conn *conn
	want string // id of the reply that is expected
	read func(*wire.Decoder)

	id       string
	method   string
	failed   string
	early    []byte // params or result that came too early
	result   bool   // the message is a reply
	answered bool
	handled  bool   // notify knew the method
	params   []byte // of a request that notify did not know
}

// receive reads one message to its end. An early part is read again once it is known
// what it belongs to; of OVSDB servers only foreign ones send any.
func (m *message) receive() error {
	d := m.conn.dec
	d.Bound(0)
	m.conn.inside = false
	if !d.Wait() {
		return ended(d.Err())
	}
	m.conn.inside = true
	d.Bound(m.conn.limit)
	for d.Open('{'); d.More(); {
		m.member(d)
	}
	d.Must("message")
	if d.Err() != nil {
		return ended(d.Err())
	}
	m.conn.alive()
	if m.early != nil {
		late := wire.NewDecoder(bytes.NewReader(m.early))
		if err := m.readEarly(late); err != nil {
			return err
		}
	}
	if m.result && m.id == m.want {
		m.answered = true
	}
	if done := m.conn.later; m.result && m.id == laterID && done != nil {
		m.conn.later = nil
		if m.failed != "" {
			done(&rpcError{text: m.failed})
		} else {
			done(nil)
		}
	}
	return m.reply()
}

// member reads one member of the message, by name, in whatever order they come.
func (m *message) member(d *wire.Decoder) {
	switch key := d.Key(); string(key) {
	case "id":
		m.id = string(d.Raw())
	case "method":
		m.method = d.String()
	case "params":
		if m.method == "" {
			m.early = d.Raw()
			return
		}
		m.readParams(d)
	case "result":
		m.result = true
		if m.id == "" {
			m.early = d.Raw()
			return
		}
		m.readResult(d)
	case "error":
		m.result = true
		m.readError(d)
	default:
		d.Skip()
	}
}

func (m *message) readEarly(d *wire.Decoder) error {
	if m.method != "" {
		m.readParams(d)
	} else {
		m.readResult(d)
	}
	return d.Err()
}

func (m *message) readParams(d *wire.Decoder) {
	if m.conn.notify != nil && m.conn.notify(m.method, d) {
		m.handled = true
		return
	}
	m.params = d.Raw()
}

// readResult leaves results of requests that nobody waits for, such as of an echo.
func (m *message) readResult(d *wire.Decoder) {
	if m.id != m.want || m.read == nil || d.IsNull() {
		d.Skip()
		return
	}
	m.read(d)
}

// readError keeps the server's reason for a refusal.
func (m *message) readError(d *wire.Decoder) {
	if d.IsNull() {
		d.Skip()
		return
	}
	text := d.Raw()
	var refusal struct{ Error, Details string }
	switch {
	case json.Unmarshal(text, &m.failed) == nil:
	case json.Unmarshal(text, &refusal) == nil && refusal.Error != "":
		m.failed = refusal.Error
		if refusal.Details != "" {
			m.failed += ": " + refusal.Details
		}
	default:
		m.failed = string(text)
	}
}

// reply answers a request of the server: echo (RFC 7047 section 4.1.11), and
// notifications that come with an id, which is how libovsdb's server sends
// them and waits.
func (m *message) reply() error {
	if m.method == "" || m.id == "" || m.id == "null" {
		return nil
	}
	answer := response{ID: json.RawMessage(m.id), Result: []any{}}
	switch {
	case m.method == "echo":
		answer.Result = json.RawMessage(m.params)
	case !m.handled:
		answer.Result, answer.Error = nil, "unknown method"
	}
	return m.conn.send(answer)
}

// ended replaces io.EOF by an error that an operator understands.
func ended(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the server closed the connection")
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		return errClosed
	}
	return err
}
