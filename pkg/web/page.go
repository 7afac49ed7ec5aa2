package web

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// What one page shows at most of each.
const (
	mostAddresses = 50
	mostSteps     = 40
	mostProblems  = 30
	mostMatches   = 50
)

// content is what is on the page.
type content struct {
	Now    time.Time
	Status control.Status
	// Host is the name of the node; empty if the database does not tell it.
	Host string
	// MoreProblems is how many are left out.
	MoreProblems int
	Picture      Picture
	Plots        []Plot
	// Search is what was asked for, Addresses one page of the answer, Found what the name
	// stands for.
	Search    string
	Addresses control.BGPAdvertised
	Next      string
	Found     *control.Found
	// Explained is the address that is explained, and Explanation the text.
	Explained   string
	Explanation string
	Steps       []history.Step
	// Errors are answers that did not come, by what they are about.
	Errors map[string]string
}

// servePage makes the page.
func (s *server) servePage(w http.ResponseWriter, r *http.Request) {
	if !enter(s.pages) {
		busy(w)
		return
	}
	defer func() { <-s.pages }()
	ctx, cancel := context.WithTimeout(r.Context(), pageLimit)
	defer cancel()
	c := s.content(ctx, r.URL.Query(), time.Now())
	var d document
	c.write(&d)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(d.Bytes()) // the client is gone if this fails
}

// content asks for everything that is on the page. An answer that does not come leaves its
// part empty, with the reason.
func (s *server) content(ctx context.Context, q url.Values, now time.Time) content {
	c := content{
		Now: now, Errors: map[string]string{}, Search: strings.TrimSpace(q.Get("q")), Explained: q.Get("explain"),
		Host: s.node.Host(),
	}
	note := func(part string, err error) {
		if err != nil {
			c.Errors[part] = err.Error()
		}
	}
	var err error
	c.Status, err = s.node.Status(ctx)
	note("status", err)
	legs, err := s.node.Legs(ctx)
	note("picture", err)
	c.Picture, c.Plots = draw(c.Status, legs), plots(s.node.Day(), c.Status.Peers, now)
	if n := len(c.Status.Problems) - mostProblems; n > 0 {
		c.Status.Problems, c.MoreProblems = c.Status.Problems[:mostProblems], n
	}
	past, err := s.node.History(ctx, history.Filter{Most: mostSteps})
	note("history", err)
	c.Steps = past.Steps
	slices.Reverse(c.Steps)
	note("search", s.search(ctx, &c, q.Get("after")))
	if c.Explained != "" {
		note("explain", s.explain(ctx, &c))
	}
	return c
}

// search finds addresses by themselves, by a prefix, or by the name of what has them.
func (s *server) search(ctx context.Context, c *content, after string) error {
	query := control.RouteQuery{Limit: mostAddresses, After: after}
	if c.Search != "" {
		within, err := control.ParseWithin(c.Search)
		if err != nil {
			found, err := s.node.Find(ctx, c.Search)
			if err != nil {
				return err
			}
			c.Found = &found
			if len(found.Matches) == 0 {
				return found.Nothing("search")
			}
			found.Matches = found.Matches[:min(len(found.Matches), mostMatches)]
			for i := range found.Matches {
				m := &found.Matches[i]
				m.Addresses = m.Addresses[:min(len(m.Addresses), mostAddresses)]
			}
			return nil
		}
		query.Within = within
		if addr, err := netip.ParseAddr(c.Search); err == nil && c.Explained == "" {
			c.Explained = addr.String() // why is it not there?
		}
	}
	var err error
	if c.Addresses, err = s.node.Advertised(ctx, query); err != nil || c.Addresses.Next == "" {
		return err
	}
	c.Next = "?" + url.Values{"q": {c.Search}, "after": {c.Addresses.Next}}.Encode()
	return nil
}

// explain explains one address.
func (s *server) explain(ctx context.Context, c *content) error {
	addr, err := control.ParseAddress(c.Explained)
	if err != nil {
		c.Explained = ""
		return err
	}
	e, err := s.node.Explain(ctx, addr.String())
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	var b bytes.Buffer
	if err := view.Explanation(&b, view.Text, e); err != nil {
		return err
	}
	c.Explained, c.Explanation = addr.String(), b.String()
	return nil
}
