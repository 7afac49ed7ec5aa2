package ovsdb

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	libovsdb "github.com/ovn-org/libovsdb/ovsdb"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

const (
	// monitorID names our monitor of the database.
	monitorID = "rows"
	// noTransaction asks for a whole copy (ovsdb-server(7), monitor_cond_since).
	noTransaction = "00000000-0000-0000-0000-000000000000"
)

// applyError is an update that does not fit what we hold, or cannot be read.
type applyError struct{ err error }

// errTooLarge ends a session with a server that sends more than is taken.
var errTooLarge = errors.New("the database is too large")

// tooLarge says what is too large and what to do.
func (s *Follower[DB]) tooLarge() error {
	return fmt.Errorf("%w: more than %d MiB in one message or in all rows; is it the right database? If it is, raise %s",
		errTooLarge, s.cfg.MaxSize>>20, s.cfg.MaxSizeKey)
}

func (e *applyError) Error() string { return e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

// session is one connection:
//
//	watch _Server -> set_db_change_aware -> [ get_schema -> monitor -> updates... ]
//
// where monitor_canceled, sent when the schema is converted, leads back to
// get_schema (S-23).
type session[DB any] struct {
	*Follower[DB]
	conn     *conn
	socket   net.Conn
	remote   remote
	server   server
	began    bool // the monitor has answered
	canceled bool
	settling bool // the rows of this session are not published yet
	// rescoped is when the conditions were last changed, waiting that they will be looked
	// at again when that is long enough ago, and failed why a change could not be asked for.
	rescoped time.Time
	waiting  bool
	failed   error
	judged   *DB // the rows that were looked at last
}

// session connects to a remote and follows it until something breaks. The
// error is never nil.
func (s *Follower[DB]) session(ctx context.Context, r remote) error {
	ctx, drop := context.WithCancel(ctx)
	defer drop()
	defer s.target.hold(r, drop)()
	s.status.connecting(r.String())
	if s.endpoints.resolve(ctx, r) {
		s.signal()
	}
	n, err := r.dial(ctx, s.cfg.TLS)
	if err != nil {
		return err
	}
	defer n.Close()
	stop := context.AfterFunc(ctx, func() { n.Close() })
	defer stop()

	x := &session[DB]{Follower: s, remote: r, conn: newConn(n, &s.cfg, &s.status.bytes)}
	x.conn.notify, x.conn.poked = x.notify, x.rescope
	poke := x.conn.poke
	s.poke.Store(&poke)
	defer s.poke.Store(nil)
	x.socket = n
	defer s.endpoints.close()
	s.status.connected(r.String(), time.Now())
	err = x.follow()
	if x.settling && x.view != nil || x.conn.later != nil {
		// Rows may be there that the conditions which the next session asks with leave out.
		s.since = ""
	}
	var syntax *wire.SyntaxError
	var large *wire.SizeError
	switch {
	case errors.As(err, &large):
		err = &applyError{s.tooLarge()}
	case errors.As(err, &syntax):
		err = &applyError{errors.New(syntax.Msg)} // lines of a socket mean nothing
	}
	return err
}

func (x *session[DB]) follow() error {
	if err := x.server.watch(x.conn); err != nil {
		return fmt.Errorf("watch _Server: %w", err)
	}
	if err := x.server.judge(x.cfg.Database, &x.cluster); err != nil {
		return err
	}
	// Servers before OVS 2.9 do not know this and drop us when converting.
	err := x.conn.call("set_db_change_aware", []bool{true}, (*wire.Decoder).Skip)
	var refused *rpcError
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	for {
		x.canceled, x.began = false, false
		x.conn.expect(x.cfg.Probe)
		if err := x.monitor(); err != nil {
			return err
		}
		x.conn.expect(x.cfg.Echo)
		for !x.canceled {
			if err := x.server.judge(x.cfg.Database, &x.cluster); err != nil {
				return err
			}
			if err := x.conn.receive(); err != nil {
				return err
			}
			if x.rescope(); x.failed != nil {
				return x.failed
			}
		}
		x.log.Info("the server cancelled our monitor: reading the schema again", "remote", x.remote)
	}
}

// monitor reads the schema and asks for every row of the tables we know.
func (x *session[DB]) monitor() error {
	schema, err := x.conn.getSchema(x.cfg.Database)
	if err != nil {
		return err
	}
	if err := schema.check(x.db.Title, x.db.Required); err != nil {
		return err
	}
	fresh, err := x.db.NewStore(schema.wire())
	if err != nil {
		return err
	}
	// Whoever reads the rows must know the way by which they came.
	x.endpoints.open(x.remote, x.socket)
	began := time.Now()
	x.settling = true
	method, err := x.copy(fresh)
	if err != nil {
		return err
	}
	x.began = true
	if x.view != nil {
		if err := x.settle(); err != nil {
			return err
		}
		x.unpublished = true // the conditions are news too
	}
	x.settling = false
	// Whoever sees the rows may ask for the status at once.
	x.status.synced(method, schema.Version, time.Now())
	if x.unpublished {
		x.publish()
	}
	x.publishStale("")
	x.log.Info("in step with the database", "remote", x.remote, "method", method,
		"schema", schema.Version, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// copy asks with the newest of three methods that the server knows, and brings
// the store up to date with the reply.
func (x *session[DB]) copy(fresh *wire.Store[DB]) (string, error) {
	if x.store == nil {
		x.scope = x.wanted(nil)
	}
	request := x.request(fresh, x.scope)
	// Changes to other columns than before would not make rows that we hold
	// complete.
	if x.since == "" || x.store == nil || x.store.Layout() != fresh.Layout() {
		x.since = noTransaction
	}
	method := libovsdb.ConditionalMonitorSinceRPC
	args := []any{x.cfg.Database, monitorID, request, x.since}
	err := x.conn.call(method, args, func(d *wire.Decoder) { x.readSince(d, fresh) })
	for _, older := range []string{libovsdb.ConditionalMonitorRPC, libovsdb.MonitorRPC} {
		if !unknownMethod(err) {
			break
		}
		method, x.since = older, noTransaction
		if older == libovsdb.MonitorRPC && x.scope != nil {
			x.unscoped, x.scope = true, nil
			request = x.request(fresh, nil)
			x.log.Warn("the server does not know conditions: all rows are asked for", "remote", x.remote)
		}
		err = x.conn.call(method, []any{x.cfg.Database, monitorID, request}, func(d *wire.Decoder) { x.readCopy(d, fresh) })
	}
	if err != nil {
		return method, fmt.Errorf("monitor: %w", err)
	}
	return method, nil
}

// request asks for the columns of all tables, and the rows of a scope.
func (x *session[DB]) request(fresh *wire.Store[DB], scope Scope) map[string]monitored {
	request := make(map[string]monitored)
	for table, columns := range fresh.Columns() {
		// The default has to be spelt out: libovsdb's server panics without it.
		m := monitored{Columns: columns, Select: libovsdb.NewDefaultMonitorSelect()}
		if scope != nil {
			m.Where = scope.where(table)
		}
		request[table] = m
	}
	return request
}

// unknownMethod distinguishes a server that is older than the method from one that refuses.
// The second wording is that of libovsdb's server.
func unknownMethod(err error) bool {
	var refused *rpcError
	return errors.As(err, &refused) &&
		(strings.Contains(refused.text, "unknown method") || strings.Contains(refused.text, "can't find method"))
}

// readSince reads a reply to monitor_cond_since.
func (x *session[DB]) readSince(d *wire.Decoder, fresh *wire.Store[DB]) {
	head := readSinceHeader(d)
	switch {
	case d.Err() != nil:
	case !head.Found:
		x.readCopy(d, fresh)
		x.since = head.LastTransaction
	case x.since == noTransaction:
		d.Fail("the server claims to know transaction %s", noTransaction)
	default:
		x.status.found()
		x.apply(d, head.LastTransaction)
	}
	d.End()
	d.Must("reply to monitor_cond_since")
}

// readCopy reads all rows beside those we hold, and replaces them at once.
func (x *session[DB]) readCopy(d *wire.Decoder, fresh *wire.Store[DB]) {
	if err := fresh.ReadCopy(d, x.store); err != nil {
		return // the decoder keeps it
	}
	same := x.store != nil && fresh.Equal(x.store)
	x.store = fresh
	x.status.copied()
	if !same {
		x.changedRows()
	}
}

// apply reads an update and publishes what it makes of the rows. The id goes
// with the rows: should the rest of the message be lost, both are right.
func (x *session[DB]) apply(d *wire.Decoder, id string) {
	changed, err := x.store.ReadUpdate(d)
	if err != nil {
		return
	}
	x.since = id
	x.status.applied()
	if changed {
		x.changedRows()
	}
}

// changedRows publishes the rows of the store, or leaves that to monitor while it settles.
func (x *session[DB]) changedRows() {
	if x.settling {
		x.unpublished = true
		return
	}
	x.publish()
}

// notify handles what the server sends on its own.
func (x *session[DB]) notify(method string, d *wire.Decoder) bool {
	switch method {
	case "update", "update2", "update3":
		x.update(d)
	case "monitor_canceled":
		// The other monitor, of _Server, is never cancelled.
		x.canceled = true
		d.Skip()
	default:
		return false
	}
	return true
}

// update applies a notification to what its monitor follows.
func (x *session[DB]) update(d *wire.Decoder) {
	head := readUpdateHeader(d)
	switch {
	case d.Err() != nil:
		return
	case head.Monitor == serverID && x.server.rows != nil:
		x.server.read(d)
	case head.Monitor == monitorID && x.began: // while a first view settles, too
		x.apply(d, head.Transaction)
	case head.Monitor == monitorID:
		d.Fail("an update came before the first copy")
	default:
		d.Skip()
	}
	d.End()
	d.Must("update")
}
