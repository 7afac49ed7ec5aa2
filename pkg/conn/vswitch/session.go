package vswitch

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-org/libovsdb/cache"
	"github.com/ovn-org/libovsdb/client"
	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"
)

// The rows of one transaction reach the cache one by one. quiet is how long
// nothing must have come before it is read, settleCap when it is read anyway:
// together they delay the binding of a port by two milliseconds.
const (
	quiet     = 2 * time.Millisecond
	settleCap = 20 * time.Millisecond
	// danglingCap is how long a reference to a row that is not there is taken
	// for the first half of a transaction.
	danglingCap = 100 * time.Millisecond
)

// Session is one established connection. It is safe for concurrent use.
type Session struct {
	client  client.Client
	rows    *cache.TableCache
	timeout time.Duration
	dirty   chan struct{}
	drop    chan error

	mu     sync.Mutex
	moment uint64
}

// session connects and follows the database until the connection is lost, and
// reports whether it was established; the error is why it ended.
func (c *Connection) session(ctx context.Context) (connected bool, err error) {
	log := logr.FromSlogHandler(c.cfg.Logger.Handler())
	cl, err := client.NewOVSDBClient(Model(),
		client.WithEndpoint(c.cfg.Endpoint), client.WithTLSConfig(c.cfg.TLS), client.WithLogger(&log))
	if err != nil {
		return false, fmt.Errorf("make client: %w", err)
	}
	lost, stop := watchDisconnect(cl)
	defer stop()
	defer cl.Close()

	s := &Session{client: cl, timeout: c.cfg.Timeout, dirty: make(chan struct{}, 1), drop: make(chan error, 1)}
	if err := s.subscribe(ctx); err != nil {
		return false, err
	}
	for _, f := range c.followers {
		f.Connected(s)
	}
	return true, c.follow(ctx, s, lost)
}

// watchDisconnect returns a channel that is closed when the connection is
// lost. The library sends its notification without waiting for a receiver, so
// that one has to be ready all the time.
func watchDisconnect(c client.Client) (lost <-chan struct{}, stop func()) {
	closed, done := make(chan struct{}), make(chan struct{})
	go func() {
		select {
		case <-c.DisconnectNotify():
			close(closed)
		case <-done:
		}
	}()
	return closed, func() { close(done) }
}

// subscribe connects and waits for the initial rows.
func (s *Session) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	if err := s.client.Connect(ctx); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if s.rows = s.client.Cache(); s.rows == nil {
		return fmt.Errorf("connect: the server closed the connection immediately")
	}
	s.rows.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(string, model.Model) { s.wake() },
		UpdateFunc: func(string, model.Model, model.Model) { s.wake() },
		DeleteFunc: func(string, model.Model) { s.wake() },
	})
	if _, err := s.client.Monitor(ctx, newMonitor(s.client)); err != nil {
		return fmt.Errorf("monitor: %w", err)
	}
	s.wake()
	return nil
}

func (s *Session) wake() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

// newMonitor asks for exactly the columns of the models. Columns have to be
// named: without, libovsdb asks for all that the server has, and the
// statistics of every interface would wake us every five seconds. The method
// is not the default monitor_cond_since, because the client ignores a cache
// error in its update3 and would diverge unnoticed; after one in update2 it
// disconnects.
func newMonitor(c client.Client) *client.Monitor {
	root, bridge, port, iface := &Root{}, &Bridge{}, &Port{}, &Interface{}
	m := c.NewMonitor(
		client.WithTable(root, &root.ExternalIDs),
		client.WithTable(bridge, &bridge.Name, &bridge.Ports, &bridge.DatapathType),
		client.WithTable(port, &port.Name, &port.Interfaces, &port.ExternalIDs, &port.Tag),
		client.WithTable(iface, &iface.Name, &iface.Type, &iface.OFPort, &iface.MAC, &iface.MACInUse,
			&iface.IfIndex, &iface.ExternalIDs),
	)
	m.Method = ovsdb.ConditionalMonitorRPC
	return m
}

// follow hands out what each change leads to. Echo requests find a peer that
// vanished without closing the connection.
func (c *Connection) follow(ctx context.Context, s *Session, lost <-chan struct{}) error {
	probe := time.NewTicker(echoPause)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-lost:
			return fmt.Errorf("the server closed the connection")
		case err := <-s.drop:
			return err
		case <-s.dirty:
			if t, ok := s.settle(ctx); ok {
				c.publish(t)
			}
		case <-probe.C:
			if err := s.echo(ctx); err != nil {
				return fmt.Errorf("the server does not answer: %w", err)
			}
		}
	}
}

func (c *Connection) publish(t Tables) {
	for _, f := range c.followers {
		f.Rows(t)
	}
}

func (s *Session) echo(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, min(s.timeout, echoLimit))
	defer cancel()
	err := s.client.Echo(ctx)
	if ctx.Err() != nil { // the library speaks of an incorrect answer then
		return fmt.Errorf("no answer within %s", min(s.timeout, echoLimit))
	}
	return err
}

// settle reads the cache once it has come to rest and holds no reference into
// the void.
func (s *Session) settle(ctx context.Context) (Tables, bool) {
	began := time.Now()
	for ctx.Err() == nil {
		awaitQuiet(ctx, s.dirty, began.Add(settleCap))
		t := s.read()
		if t.Root != nil && t.Dangling() && time.Since(began) < danglingCap {
			continue
		}
		return t, true
	}
	return Tables{}, false
}

func (s *Session) read() Tables {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moment++
	t := readTables(s.rows)
	t.Moment = s.moment
	return t
}

// Tables returns the newest rows. What a transaction of this session did is
// among them once Transact has returned: the server sends updates first, and
// the client processes one message after the other.
func (s *Session) Tables(ctx context.Context) Tables {
	began := time.Now()
	for {
		t := s.read()
		if !t.Dangling() || ctx.Err() != nil || time.Since(began) > danglingCap {
			return t
		}
		wait(ctx, quiet)
	}
}

// Refusal says that the server would not perform a transaction. The database is
// as it was.
type Refusal struct{ why error }

// Error is the server's text.
func (r *Refusal) Error() string { return r.why.Error() }

// Transact performs the operations as one transaction. The error is a *Refusal
// if it was rolled back; after any other one its outcome is unknown.
func (s *Session) Transact(ctx context.Context, ops ...ovsdb.Operation) ([]ovsdb.OperationResult, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	results, err := s.client.Transact(ctx, ops...)
	if err != nil {
		return nil, fmt.Errorf("transact: %w", err)
	}
	failed, err := ovsdb.CheckOperationResults(results, ops)
	if len(failed) > 0 {
		err = failed[0]
	}
	if err != nil {
		return nil, &Refusal{err}
	}
	return results, nil
}

// Select asks the server for the rows instead of the cache.
func (s *Session) Select(ctx context.Context) (Tables, error) {
	names := []string{TableBridge, TablePort, TableInterface}
	columns := [][]string{
		{"name", "ports"},
		{"name", "interfaces", "external_ids", "tag"},
		{"name", "type", "mac", "ifindex", "external_ids"},
	}
	ops := make([]ovsdb.Operation, len(names))
	for i, name := range names {
		ops[i] = ovsdb.Operation{Op: ovsdb.OperationSelect, Table: name, Columns: append(columns[i], "_uuid")}
	}
	results, err := s.Transact(ctx, ops...)
	if err != nil {
		return Tables{}, err
	}
	t := Tables{}
	db := s.rows.DatabaseModel()
	bridges, err1 := decode[Bridge](db, names[0], results[0].Rows)
	ports, err2 := decode[Port](db, names[1], results[1].Rows)
	interfaces, err3 := decode[Interface](db, names[2], results[2].Rows)
	t.Bridges, t.Ports, t.Interfaces = bridges, ports, interfaces
	return t, errors.Join(err1, err2, err3)
}

func decode[T any](db model.DatabaseModel, table string, rows []ovsdb.Row) (map[string]*T, error) {
	out := make(map[string]*T, len(rows))
	for _, row := range rows {
		uuid, ok := row["_uuid"].(ovsdb.UUID)
		if !ok {
			return nil, fmt.Errorf("a row of table %s came without a UUID", table)
		}
		m, err := model.CreateModel(db, table, &row, uuid.GoUUID)
		if err != nil {
			return nil, fmt.Errorf("row %s of table %s: %w", uuid.GoUUID, table, err)
		}
		if typed, ok := m.(*T); ok {
			out[uuid.GoUUID] = typed
		}
	}
	return out, nil
}

// Drop ends the session because of that error; another one follows.
func (s *Session) Drop(err error) {
	select {
	case s.drop <- err:
	default:
	}
}

// awaitQuiet returns when nothing has come for a while or the deadline has
// passed; it always waits once, so that it can be called in a loop.
func awaitQuiet(ctx context.Context, dirty <-chan struct{}, deadline time.Time) {
	timer := time.NewTimer(quiet)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			return
		case <-dirty:
			if time.Now().After(deadline) {
				return
			}
			timer.Reset(quiet)
		}
	}
}
