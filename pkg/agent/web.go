package agent

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/listen"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/web"
)

var _ web.Node = (*Node)(nil)

// listenWeb serves the page of web.listen until ctx ends, if there is to be one.
func (n *Node) listenWeb(ctx context.Context, done *sync.WaitGroup) {
	if n.settings.Web.Listen == "" {
		return
	}
	var conf web.Config
	n.openings.open(ctx, "web.listen", func() (l net.Listener, err error) {
		l, conf, err = n.openWeb()
		return l, err
	}, func(l net.Listener) {
		page := web.New(n, conf)
		done.Go(func() { n.serveWeb(ctx, l, page) })
	}, nil)
	done.Go(func() { n.measure(ctx) })
}

// openWeb listens for web.listen, without serving yet.
func (n *Node) openWeb() (l net.Listener, conf web.Config, err error) {
	s := n.settings.Web
	if s.TokenFile != "" {
		if conf.Token, err = config.ReadSecret(s.TokenFile); err != nil {
			return nil, conf, fmt.Errorf("web.token_file: %w", err)
		}
		if len(conf.Token) < web.MinToken {
			return nil, conf, fmt.Errorf("web.token_file: the token is shorter than %d bytes; make one: openssl rand -hex 16",
				web.MinToken)
		}
	}
	var secure *tls.Config
	if s.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
		if err != nil {
			return nil, conf, fmt.Errorf("web.certificate, web.private_key: %w", err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			return nil, conf, fmt.Errorf("web.certificate: %w", err)
		}
		conf.Names = leaf.DNSNames
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	if path := s.Socket(); path != "" {
		l, err = listen.Unix(listen.Socket{Path: path, Mode: 0o660, Group: -1, Limit: web.MaxClients})
	} else {
		l, err = listen.TCP(s.Listen, web.MaxClients)
	}
	if err != nil {
		return nil, conf, err
	}
	if secure != nil {
		l = tls.NewListener(l, secure)
	}
	return l, conf, nil
}

// serveWeb serves the page until ctx ends.
func (n *Node) serveWeb(ctx context.Context, l net.Listener, page http.Handler) {
	srv := listen.Server(page)
	srv.BaseContext = func(net.Listener) context.Context { return ctx }
	stopped := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stopped()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		n.opts.Log.Error("page cannot be served", "key", "web.listen", "err", err)
	}
}

// measureEvery is how often sessions are counted and rounds are looked at.
const measureEvery = 5 * time.Second

// measure keeps what the plots of the page show.
func (n *Node) measure(ctx context.Context) {
	tick := time.NewTicker(measureEvery)
	defer tick.Stop()
	for {
		m := web.Sample{At: time.Now(), Round: time.Duration(n.lastRound.Swap(0))}
		if states, err := n.peers(ctx); err == nil {
			m.Peers = len(states)
			for _, s := range states {
				if s.State == control.Established {
					m.Sessions++
				}
			}
		}
		n.day.Add(m)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Day is what was measured within the last day.
func (n *Node) Day() []web.Sample { return n.day.Day() }

// Host is the host name of our Chassis row; empty if there is none.
func (n *Node) Host() string {
	r, _ := n.ctl.Last()
	if r.Snapshot.SB == nil {
		return ""
	}
	row, ok := r.Snapshot.SB.ChassisByName(r.Snapshot.Chassis)
	if !ok {
		return ""
	}
	return row.Hostname
}

// Revision differs whenever a step was taken, a session changed, or something else that
// the page shows; and each minute.
func (n *Node) Revision(ctx context.Context) string {
	r, stats := n.ctl.Last()
	var b strings.Builder
	fmt.Fprint(&b, stats.Steps, stats.FailedSteps, r.Frozen, len(r.Plan.Notes), len(r.Skipped), n.reach.unreachable(),
		n.sources.ovs.Status().Connected, time.Now().Unix()/60)
	for _, d := range n.sources.databases {
		fmt.Fprint(&b, d.status().Synced)
	}
	states, err := n.peers(ctx)
	if err != nil {
		b.WriteString(err.Error())
	}
	for _, s := range states {
		fmt.Fprint(&b, s.Address, s.State)
	}
	return b.String()
}

// Legs are the ways of packets from the routing tables to the ports, as the last round has
// them.
func (n *Node) Legs(context.Context) ([]web.Leg, error) {
	r, _ := n.ctl.Last()
	return legsOf(r, n.reach.latest()), nil
}

// legsOf counts what belongs to each table and the device that its routes lead to.
func legsOf(r reconcile.Round, found control.Reach) []web.Leg {
	legs := map[uint32]*web.Leg{}
	of := func(table uint32) *web.Leg {
		if legs[table] == nil {
			legs[table] = &web.Leg{Table: table}
		}
		return legs[table]
	}
	asked := map[object.Key]bool{} // what is not there because the configuration says so
	for _, note := range r.Plan.Notes {
		if note.Intentional() {
			asked[note.Key] = true
		}
	}
	count := func(p *web.Pair, k object.Key) {
		if asked[k] {
			return
		}
		p.Wanted++
		if r.Have.Has(k) {
			p.Have++
		}
	}
	for k, it := range r.Want.AllOf(object.KindRule) {
		count(&of(it.Value.(object.Rule).Table).Rules, k)
	}
	for k, it := range r.Want.AllOf(object.KindRoute) {
		route := it.Value.(object.Route)
		if route.Table >= mainTable-1 && route.Table <= mainTable+1 {
			continue // learned routes lead out, not to ports
		}
		leg := of(route.Table)
		count(&leg.Routes, k)
		if leg.Dev == "" || route.Dev < leg.Dev {
			leg.Dev = route.Dev
		}
	}
	for k, it := range r.Want.AllOf(object.KindPath) {
		for _, need := range it.Needs() {
			if route, ok := r.Want.Get(need); ok && need.Kind == object.KindRoute {
				count(&of(route.Value.(object.Route).Table).Paths, k)
				break
			}
		}
	}
	var out []web.Leg
	for _, leg := range legs {
		place(leg, r, found)
		for k, it := range r.Want.AllOf(object.KindFlow) {
			if it.Value.(object.Flow).Bridge == leg.Bridge {
				count(&leg.Flows, k)
			}
		}
		out = append(out, *leg)
	}
	sorting.Sort(out, func(a, b web.Leg) int { return cmp.Compare(a.Table, b.Table) })
	return out
}

// place adds where the routes of a table lead: device, bridge and network, and what of
// that is missing or does not let packets through.
func place(leg *web.Leg, r reconcile.Round, found control.Reach) {
	if r.Snapshot.OVS != nil {
		for _, m := range r.Snapshot.OVS.Mappings {
			if leg.Dev == m.Bridge || strings.HasPrefix(leg.Dev, m.Bridge+".") {
				leg.Bridge, leg.Network = m.Bridge, m.Network
			}
		}
	}
	for _, op := range r.Plan.Ops {
		if d, ok := op.After.(object.Device); ok && d.Name == leg.Dev {
			leg.Device = "not as it should be"
		}
	}
	for _, u := range found.Unreachable {
		if u.Device != leg.Dev {
			continue
		}
		if leg.Unreachable++; leg.Unreachable == 1 {
			leg.Code, leg.Text = u.Code, u.Text
		}
	}
}
