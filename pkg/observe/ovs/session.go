package ovs

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	"github.com/ovn-org/libovsdb/cache"
	"github.com/ovn-org/libovsdb/client"
	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs/vswitch"
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

// session connects and follows the database until the connection is lost; the
// error says why it ended.
func (s *Source) session(ctx context.Context) error {
	log := logr.FromSlogHandler(s.cfg.Logger.Handler())
	c, err := client.NewOVSDBClient(vswitch.Model(),
		client.WithEndpoint(s.cfg.Endpoint), client.WithTLSConfig(s.cfg.TLS), client.WithLogger(&log))
	if err != nil {
		return fmt.Errorf("make client: %w", err)
	}
	lost, forget := watchDisconnect(c)
	defer forget()
	defer c.Close()

	dirty := make(chan struct{}, 1)
	rows, err := s.subscribe(ctx, c, dirty)
	if err != nil {
		return err
	}
	s.connected()
	return s.follow(ctx, c, rows, dirty, lost)
}

// watchDisconnect returns a channel that is closed when the connection is
// lost. The library sends its notification without waiting for a receiver, so
// that one has to stand ready all the time.
func watchDisconnect(c client.Client) (lost <-chan struct{}, forget func()) {
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
func (s *Source) subscribe(ctx context.Context, c client.Client, dirty chan struct{}) (*cache.TableCache, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	rows := c.Cache()
	if rows == nil {
		return nil, fmt.Errorf("connect: the connection was lost at once")
	}
	poke := func() {
		select {
		case dirty <- struct{}{}:
		default:
		}
	}
	rows.AddEventHandler(&cache.EventHandlerFuncs{
		AddFunc:    func(string, model.Model) { poke() },
		UpdateFunc: func(string, model.Model, model.Model) { poke() },
		DeleteFunc: func(string, model.Model) { poke() },
	})
	if _, err := c.Monitor(ctx, newMonitor(c)); err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	poke()
	return rows, nil
}

// newMonitor asks for exactly the columns of the models. Columns have to be
// named: without, libovsdb asks for all that the server has, and the
// statistics of every interface would wake us every five seconds. The method
// is not the default monitor_cond_since, because the client ignores a cache
// error in its update3 and would diverge unnoticed; after one in update2 it
// disconnects.
func newMonitor(c client.Client) *client.Monitor {
	root, bridge, port, iface := &vswitch.Root{}, &vswitch.Bridge{}, &vswitch.Port{}, &vswitch.Interface{}
	m := c.NewMonitor(
		client.WithTable(root, &root.ExternalIDs),
		client.WithTable(bridge, &bridge.Name, &bridge.Ports, &bridge.DatapathType),
		client.WithTable(port, &port.Name, &port.Interfaces, &port.ExternalIDs, &port.Tag),
		client.WithTable(iface, &iface.Name, &iface.Type, &iface.OFPort, &iface.MACInUse, &iface.ExternalIDs),
	)
	m.Method = ovsdb.ConditionalMonitorRPC
	return m
}

// follow publishes what each change leads to. Echo requests find a peer that
// vanished without closing the connection.
func (s *Source) follow(ctx context.Context, c client.Client, rows *cache.TableCache, dirty, lost <-chan struct{}) error {
	probe := time.NewTicker(s.cfg.Timeout)
	defer probe.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-lost:
			return fmt.Errorf("the server closed the connection")
		case <-dirty:
			s.settle(ctx, rows, dirty)
		case <-probe.C:
			if err := s.echo(ctx, c); err != nil {
				return fmt.Errorf("echo: %w", err)
			}
		}
	}
}

func (s *Source) echo(ctx context.Context, c client.Client) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return c.Echo(ctx)
}

// settle reads the cache once it has come to rest and holds no reference into
// the void, and publishes the outcome.
func (s *Source) settle(ctx context.Context, rows *cache.TableCache, dirty <-chan struct{}) {
	began := time.Now()
	for ctx.Err() == nil {
		awaitQuiet(ctx, dirty, began.Add(settleCap))
		t := readTables(rows)
		if t.root == nil {
			s.rootless()
			return
		}
		if t.dangling() && time.Since(began) < danglingCap {
			continue
		}
		s.publish(t.build(s.cfg.SystemID))
		return
	}
}

// rootless deals with a database that nobody has initialised.
func (s *Source) rootless() {
	const why = "table Open_vSwitch has no row"
	s.mu.Lock()
	s.missing = why
	newest := s.newest
	s.mu.Unlock()
	s.stale(newest, why)
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
