package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// The bounds of a record. Each part has less time than the client waits for it.
const (
	partLimit = 15 * time.Second
	// recordExplanations is how many addresses are explained in advance, and
	// explainLimit how long that may take.
	recordExplanations = 500
	explainLimit       = 5 * time.Second
	// recordPaths bounds the tables of paths.
	recordPaths = 100_000
)

// recorder hands parts to whoever asked, and goes on when one cannot be made.
type recorder struct {
	ctx  context.Context
	take control.Take
	err  error // what take returned
}

// part makes one part within its time. What cannot be told says so.
func (r *recorder) part(name string, f func(context.Context) (control.Part, error)) {
	if r.err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, partLimit)
	defer cancel()
	type answer struct {
		part control.Part
		err  error
	}
	done := make(chan answer, 1) // a part that hangs is left behind
	go func() {
		p, err := f(ctx)
		done <- answer{p, err}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		a.err = fmt.Errorf("no answer within %s", partLimit)
	}
	if a.err != nil {
		a.part = control.Part{Missing: a.err.Error()}
	}
	a.part.Name = name
	r.err = r.take(a.part)
}

// json is part for an answer.
func (r *recorder) json(name string, f func(context.Context) (any, error)) {
	r.part(name, func(ctx context.Context) (control.Part, error) {
		v, err := f(ctx)
		if err != nil {
			return control.Part{}, err
		}
		raw, err := json.Marshal(v)
		return control.Part{Data: raw}, err
	})
}

// Record tells everything that is known. What needs no round comes first: a round may wait
// for something that does not answer.
func (n *Node) Record(ctx context.Context, take control.Take) error {
	rec := &recorder{ctx: ctx, take: take}
	n.reloading.Lock()
	current := n.current
	n.reloading.Unlock()
	secrets := append(secretsOf(current), n.settings.Secrets()...)
	rec.part(control.PartConfiguration, func(context.Context) (control.Part, error) { return configurationPart(current) })
	rec.json(control.PartStatus, func(ctx context.Context) (any, error) { return n.Status(ctx) })
	rec.json(control.PartHistory, func(ctx context.Context) (any, error) { return n.History(ctx, history.Filter{}) })
	rec.part(control.PartLedger, func(context.Context) (control.Part, error) {
		raw, err := n.db.Lines()
		return control.Part{Data: raw}, err
	})
	rec.part(control.PartMetrics, func(ctx context.Context) (control.Part, error) {
		return metricsPart(ctx, n.metrics.Handler())
	})
	rec.part(control.PartLog, func(context.Context) (control.Part, error) { return logPart(n.opts.Recent, secrets) })
	n.recordBGP(rec)
	r, why := n.recordedRound(ctx)
	recordRound(rec, r, why)
	rec.json(control.PartSessions, func(ctx context.Context) (any, error) { return n.sessions(ctx, r), nil })
	rec.part(control.PartExplanations, func(ctx context.Context) (control.Part, error) {
		return n.explanations(ctx, r)
	})
	return rec.err
}

// Record tells what a node without a controller knows.
func (p *Preview) Record(ctx context.Context, take control.Take) error {
	r, err := p.ctl.Plan(ctx, true)
	if err != nil {
		return err
	}
	rec := &recorder{ctx: ctx, take: take}
	recordRound(rec, r, "the controller has not told it: computed by the command, to which no path is announced")
	return rec.err
}

// recordedRound is a round without its effects; the last one, and why, where that cannot
// be had in time.
func (n *Node) recordedRound(ctx context.Context) (reconcile.Round, string) {
	ctx, cancel := context.WithTimeout(ctx, partLimit)
	defer cancel()
	type answer struct {
		reconcile.Round
		error
	}
	done := make(chan answer, 1)
	go func() {
		r, err := n.ctl.Plan(ctx, true)
		done <- answer{r, err}
	}()
	var err error
	select {
	case a := <-done:
		if a.error == nil {
			return a.Round, ""
		}
		err = a.error
	case <-ctx.Done():
		err = fmt.Errorf("no answer within %s", partLimit)
	}
	r, _ := n.ctl.Last()
	return r, fmt.Sprintf("of the last round (%s): %v", clock(r.Started), err)
}

// recordRound records what a round has; why says what is wrong with it.
func recordRound(rec *recorder, r reconcile.Round, why string) {
	if r.ReadErr != nil {
		why = strings.Join(slices.DeleteFunc([]string{why, unreadable(r.ReadErr).Error()},
			func(s string) bool { return s == "" }), "; ")
	}
	with := func(raw []byte, err error) (control.Part, error) { return control.Part{Data: raw, Missing: why}, err }
	rec.part(control.PartSnapshot, func(context.Context) (control.Part, error) {
		if r.Snapshot.SB == nil {
			return control.Part{}, errors.New(cmp.Or(why, "there is no snapshot yet"))
		}
		var b bytes.Buffer
		err := file.Write(&b, r.Snapshot)
		return with(b.Bytes(), err)
	})
	rec.part(control.PartPlan, func(context.Context) (control.Part, error) {
		p, err := planOf(r)
		if err != nil {
			return control.Part{}, err
		}
		return with(json.Marshal(p))
	})
	rec.part(control.PartDesired, func(context.Context) (control.Part, error) {
		d, err := desiredOf(r.Snapshot.Chassis, r.Want, r.Skipped, r.Snapshot)
		if err != nil {
			return control.Part{}, err
		}
		return with(json.Marshal(d))
	})
	rec.part(control.PartCurrent, func(context.Context) (control.Part, error) {
		var b bytes.Buffer
		for _, it := range r.Have.Sorted() {
			b.WriteString(object.Text(it.Value))
			b.WriteByte('\n')
		}
		return with(b.Bytes(), nil)
	})
}

// recordBGP records the sessions and the tables of paths.
func (n *Node) recordBGP(rec *recorder) {
	rec.json(control.PartPeers, func(ctx context.Context) (any, error) { return n.BGPPeers(ctx, "") })
	rec.json(control.PartAdvertised, func(ctx context.Context) (any, error) {
		out := control.BGPAdvertised{Paths: []control.AdvertisedPath{}}
		err := pages(func(q control.RouteQuery) (string, int, error) {
			p, err := n.Advertised(ctx, q)
			p.Paths = append(out.Paths, p.Paths...)
			out = p
			return p.Next, len(p.Paths), err
		})
		return out, err
	})
	for _, rejected := range []bool{false, true} {
		name := control.PartReceived
		if rejected {
			name = control.PartRejected
		}
		rec.json(name, func(ctx context.Context) (any, error) {
			out := control.BGPReceived{Paths: []control.ReceivedPath{}}
			err := pages(func(q control.RouteQuery) (string, int, error) {
				p, err := n.Received(ctx, q, rejected)
				p.Paths = append(out.Paths, p.Paths...)
				out = p
				return p.Next, len(p.Paths), err
			})
			return out, err
		})
	}
}

// pages asks for page after page of a table, until it ends or enough has come.
func pages(page func(control.RouteQuery) (next string, total int, err error)) error {
	q := control.RouteQuery{Limit: control.MaxRoutes}
	for {
		next, total, err := page(q)
		if err != nil || next == "" || total >= recordPaths {
			return err
		}
		q.After = next
	}
}

// explanations explains addresses in advance: that packets get through, and what was on
// the way, cannot be found out later. Those that something is wrong with come first.
func (n *Node) explanations(ctx context.Context, r reconcile.Round) (control.Part, error) {
	ctx, cancel := context.WithTimeout(ctx, explainLimit)
	defer cancel()
	all := worthExplaining(r, n.reach.unreachable())
	out := []control.Explanation{}
	for _, addr := range all {
		if len(out) == recordExplanations || ctx.Err() != nil {
			break
		}
		e := n.explainLive(ctx, r, addr)
		if ctx.Err() != nil {
			break // it may be half of one
		}
		out = append(out, named(r, e))
	}
	raw, err := json.Marshal(out)
	p := control.Part{Data: raw}
	if len(out) < len(all) {
		p.Missing = fmt.Sprintf("%d of %d addresses; whether packets get through to the others is not in it", len(out),
			len(all))
	}
	return p, err
}

// worthExplaining lists the addresses of a round: those that are held, those in bad, those
// that are wanted and not there, then all others, each group in order.
func worthExplaining(r reconcile.Round, bad []netip.Addr) []netip.Addr {
	seen := map[netip.Addr]bool{}
	var out []netip.Addr
	add := func(p netip.Prefix) {
		if p.IsValid() && p.IsSingleIP() && !seen[p.Addr()] {
			seen[p.Addr()] = true
			out = append(out, p.Addr())
		}
	}
	for _, note := range r.Plan.Notes {
		if note.Key.Kind == object.KindPath && r.Have.Has(note.Key) && !r.Want.Has(note.Key) {
			add(note.Key.Prefix)
		}
	}
	for _, a := range bad {
		add(netip.PrefixFrom(a, a.BitLen()))
	}
	want := r.Want.SortedOf(object.KindPath)
	for _, it := range want {
		if !r.Have.Has(it.Value.Key()) {
			add(it.Value.Key().Prefix)
		}
	}
	for _, it := range want {
		add(it.Value.Key().Prefix)
	}
	return out
}

// configurationPart is the configuration in force, without secrets.
func configurationPart(s config.Settings) (control.Part, error) {
	text, err := s.Text()
	return control.Part{Data: []byte(text)}, err
}

// logPart are the newest lines of the log.
func logPart(recent *Recent, secrets []string) (control.Part, error) {
	text, dropped := recent.Text()
	p := control.Part{Data: Scrub(text, secrets)}
	if dropped > 0 {
		p.Missing = fmt.Sprintf("%d older lines", dropped)
	}
	return p, nil
}

// shortestScrubbed is the length from which on a secret is looked for in text. Shorter
// ones are a part of every other word; no text of ours has a secret in it anyway.
const shortestScrubbed = 4

// Scrub takes secrets out of a text that others made, also where they are quoted as Go or
// JSON does it.
func Scrub(text []byte, secrets []string) []byte {
	for _, s := range secrets {
		if len(s) < shortestScrubbed {
			continue
		}
		forms := []string{s, strings.Trim(strconv.Quote(s), `"`), strings.Trim(strconv.QuoteToASCII(s), `"`)}
		if raw, err := json.Marshal(s); err == nil {
			forms = append(forms, strings.Trim(string(raw), `"`))
		}
		for _, form := range forms {
			text = bytes.ReplaceAll(text, []byte(form), []byte(key.Removed))
		}
	}
	return text
}

// metricsPart is what Prometheus would read.
func metricsPart(ctx context.Context, h http.Handler) (control.Part, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil)
	if err != nil {
		return control.Part{}, err
	}
	w := &page{header: http.Header{}}
	h.ServeHTTP(w, req)
	return control.Part{Data: w.body.Bytes()}, nil
}

// page is an answer in memory.
type page struct {
	header http.Header
	body   bytes.Buffer
}

// Header is that of the answer.
func (p *page) Header() http.Header { return p.header }

// Write adds to the answer.
func (p *page) Write(b []byte) (int, error) { return p.body.Write(b) }

// WriteHeader has nothing to do.
func (p *page) WriteHeader(int) {}
