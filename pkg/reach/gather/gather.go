// Package gather reads the facts that package reach judges: the kernel's own answers for
// packets from the uplinks, ip rules, sysctls, packet filters, neighbours, what Open
// vSwitch would do with a packet, and the state of the port's device.
//
// It changes nothing and sends no packet. What cannot be read becomes a sentence in the
// facts; package reach judges them.
//
// Read next: [Reader], then kernel.go.
package gather

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// Config says where the facts are found.
type Config struct {
	// RuleProtocol is that of our ip rules.
	RuleProtocol uint8
	// RunDir holds the control socket of ovs-vswitchd; empty if Open vSwitch is not ours to
	// ask.
	RunDir string
	// OVSDB is the endpoint of the Open_vSwitch database; empty if it is not to be asked.
	OVSDB string
}

// Question is what is asked about one address.
type Question struct {
	reach.Way
	// Uplinks are the names of the devices towards the fabric.
	Uplinks []string
	// Fabric are the addresses that packets come from and answers go to.
	Fabric []Source
	// NeedsDefault is that of the facts.
	NeedsDefault bool
	// Switch says that Open vSwitch is asked what it would do, Port that the database is
	// asked for the device of the port.
	Switch, Port bool
}

// Source is an address of the fabric.
type Source struct {
	Addr netip.Addr
	// Dev is the uplink that it is behind; empty for one that may come in by any.
	Dev string
	// Far says that only a default route leads to it.
	Far bool
}

// Limit bounds how long Open vSwitch may take for one question.
const Limit = time.Second

// Reader reads facts. Its methods may be called at once.
type Reader struct {
	cfg Config

	mu   sync.Mutex // guards the connection
	ns   *rtnl.Namespace
	conn *rtnl.Conn
}

// Open opens a connection to the kernel in the network namespace of the calling thread.
func Open(cfg Config) (*Reader, error) {
	ns, err := rtnl.OpenNamespace("")
	if err != nil {
		return nil, err
	}
	r := &Reader{cfg: cfg, ns: ns}
	if r.conn, err = rtnl.Dial(ns); err != nil {
		return nil, errors.Join(err, ns.Close())
	}
	return r, nil
}

// Close releases the connection.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.conn.Close(), r.ns.Close())
}

// Facts reads what is asked for. Facts that the questions have in common are read once.
func (r *Reader) Facts(ctx context.Context, questions []Question) []reach.Facts {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &session{Reader: r, ctx: ctx, devices: map[string]device{}, rules: map[bool][]reach.Rule{}}
	s.filters()
	s.incomplete = false // which filters are not part of
	out := make([]reach.Facts, len(questions))
	for i, q := range questions {
		out[i] = s.facts(q)
	}
	s.openVSwitch(questions, out)
	return out
}

// session is one reading.
type session struct {
	*Reader
	ctx     context.Context
	devices map[string]device
	rules   map[bool][]reach.Rule // by whether they are of IPv6
	chains  []reach.Chain
	unread  []string
	// incomplete is that of the facts.
	incomplete bool
}

func (s *session) failed(what string, err error) {
	s.incomplete = true
	text := fmt.Sprintf("%s: %v", what, err)
	if !slices.Contains(s.unread, text) {
		s.unread = append(s.unread, text)
	}
}

func (s *session) facts(q Question) reach.Facts {
	f := reach.Facts{Way: q.Way, NeedsDefault: q.NeedsDefault, Filters: s.chains}
	ipv6 := q.Addr.Is6()
	f.ForwardAll = sysctl(forwardPath(ipv6)) != "0"
	for _, name := range q.Uplinks {
		f.Uplinks = append(f.Uplinks, s.device(name).Device)
	}
	if q.Dev != "" {
		f.Device = s.device(q.Dev).Device
	}
	f.Rules = s.readRules(ipv6)
	s.lookups(q, &f)
	if slices.ContainsFunc(slices.Concat(f.In, f.Back), func(l reach.Lookup) bool { return l.Refused != "" }) {
		f.Refusing = s.refusing(ipv6)
	}
	if q.Overlay != nil {
		s.tunnel(q, &f)
	}
	f.Neighbour = s.neighbour(q.Dev, q.Hop())
	f.Unread, f.Incomplete = s.unread, s.incomplete
	return f
}
