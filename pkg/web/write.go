package web

import (
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// write makes the page.
func (c *content) write(d *document) {
	s := &c.Status
	d.put(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>%s: bgp-ovn on %s</title>
<link rel="stylesheet" href="/style.css">
<script src="/page.js" defer></script>
</head>
<body>
<main id="main">
`, s.State, c.name())
	c.writeHead(d)
	c.writeProblems(d)
	c.writePicture(d)
	c.writeAddresses(d)
	c.writeExplanation(d)
	c.writeDay(d)
	c.writeSteps(d)
	d.put(`</main>
</body>
</html>
`)
}

// writeError says why the answer about a part did not come.
func (c *content) writeError(d *document, part string) {
	if text := c.Errors[part]; text != "" {
		d.put(`<p class="bad">%s</p>`, text)
	}
}

func (c *content) writeHead(d *document) {
	s := &c.Status
	d.put(`<header>
<h1>bgp-ovn on %s</h1>
<p id="state" class="%s">`, c.name(), choose(s.Healthy, "good", "bad"))
	switch {
	case c.Errors["status"] != "":
		d.put("no answer")
	case s.Healthy:
		d.put("healthy")
	default:
		n := len(s.Problems) + c.MoreProblems
		d.put("%s: %s %s", s.State, n, choose(n == 1, "problem", "problems"))
	}
	d.put(`</p>
<p class="quiet">chassis %s; %s, started %s; this page is of %s<span id="live"></span></p>
</header>
`, s.Chassis, s.Program, localTime(s.Started), localTime(c.Now))
	if text := c.Errors["status"]; text != "" {
		d.put(`<p class="bad">The status cannot be told: %s</p>`, text)
	}
}

// name is what people call the node.
func (c *content) name() string { return choose(c.Host != "", c.Host, "chassis "+c.Status.Chassis) }

// localTime is a time with its zone: a page may be looked at from another one.
func localTime(t time.Time) string { return t.Local().Format(time.DateTime + " MST") }

func (c *content) writeProblems(d *document) {
	if len(c.Status.Problems) == 0 {
		return
	}
	d.put(`<section aria-labelledby="problems"><h2 id="problems">What is wrong</h2>
<ol class="problems">`)
	for _, p := range view.Named(c.Status.Problems, c.Status.Names) {
		d.put(`<li><b>%s</b> %s`, p.Code, view.Counted(p))
		if !p.Since.IsZero() {
			d.put(`<br><span class="quiet">since %s</span>`, view.Since(p.Since, c.Now))
		}
		if p.Try != "" {
			d.put(`<br><code>%s</code>`, p.Try)
		}
		for _, e := range p.Explains {
			d.put(`<br><span class="quiet">therefore: %s %s</span>`, e.Code, view.Counted(e))
		}
		d.put(`</li>`)
	}
	d.put(`</ol>`)
	if c.MoreProblems > 0 {
		d.put(`<p>and %s more: bgp-ovn status</p>`, c.MoreProblems)
	}
	d.put("</section>\n")
}

func (c *content) writePicture(d *document) {
	p := &c.Picture
	d.put(`<section aria-labelledby="picture"><h2 id="picture">The way of a packet</h2>
`)
	c.writeError(d, "picture")
	d.put(`<svg viewBox="0 0 %s %s" role="img" aria-label="the node from its peers to its ports">
`, p.Width, p.Height)
	state := func(broken bool) string { return choose(broken, "broken", "whole") }
	for _, l := range p.Lines {
		d.put(`<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>
`, l.X1, l.Y1, l.X2, l.Y2, state(l.Broken))
	}
	for _, h := range p.Heads {
		d.put(`<text x="%s" y="%s" class="head">%s</text>
`, h.X, h.Y, h.Text)
	}
	for _, b := range p.Boxes {
		d.put(`<g class="%s"><title>%s</title><rect x="%s" y="%s" width="%s" height="%s" rx="4"/>`,
			state(b.Broken), b.Title, b.X, b.Y, b.Width, b.Height)
		d.put(`<text x="%s" y="%s" dx="8" dy="18" class="name">%s</text>`, b.X, b.Y, b.Name)
		for _, l := range b.Lines {
			d.put(`<text x="%s" y="%s">%s</text>`, l.X, l.Y, l.Text)
		}
		d.put("</g>\n")
	}
	d.put("</svg>\n</section>\n")
}

func (c *content) writeAddresses(d *document) {
	d.put(`<section aria-labelledby="addresses"><h2 id="addresses">Announced addresses</h2>
<form method="get" action="/" role="search"><label>Address, prefix, or name of a port, VM, router or network: `+
		`<input name="q" value="%s" maxlength="255" autocomplete="off"></label> <button>Search</button>`, c.Search)
	if c.Search != "" {
		d.put(` <a href="/">all</a>`)
	}
	d.put("</form>\n")
	c.writeError(d, "search")
	if c.Found != nil {
		c.writeFound(d)
	} else {
		c.writeAnnounced(d)
	}
	d.put("</section>\n")
}

// writeFound lists what a name stands for.
func (c *content) writeFound(d *document) {
	d.put(`<p>%s found for %s</p><table><thead><tr><th>Kind</th><th>Name</th><th>Addresses</th></tr></thead><tbody>
`, len(c.Found.Matches), c.Found.Target)
	for _, m := range c.Found.Matches {
		d.put(`<tr><td>%s</td><td>%s</td><td>`, m.Kind, m.Name)
		for _, a := range m.Addresses {
			d.put(`<a href="%s">%s</a>`, question("explain", a.Addr.String()), a.Addr)
			if !a.Announced {
				d.put(` <span class="quiet">(not announced here)</span>`)
			}
			d.put(" ")
		}
		d.put("</td></tr>\n")
	}
	d.put("</tbody></table>")
}

// writeAnnounced lists one page of what is announced.
func (c *content) writeAnnounced(d *document) {
	a := &c.Addresses
	d.put(`<p>%s %s`, a.Total, choose(c.Search != "", "in "+c.Search, "in all"))
	if a.NotSent > 0 {
		d.put(`, <b class="bad">%s sent to nobody</b>: no session that is up takes it`, a.NotSent)
	}
	d.put("</p>\n")
	if len(a.Paths) > 0 {
		d.put(`<table><thead><tr><th>Prefix</th><th>Sent to</th><th>Derived from</th></tr></thead><tbody>
`)
		for _, p := range a.Paths {
			d.put(`<tr><td>%s <a href="%s">explain</a></td><td>`, p.NLRI, question("q", p.NLRI))
			for _, to := range p.Sent {
				d.put("%s ", to.Peer)
			}
			if len(p.Sent) == 0 {
				d.put(`<b class="bad">nobody</b>`)
			}
			d.put(`</td><td>`)
			for _, o := range p.Objects {
				d.put("%s %s ", o.Table, choose(a.Names[o.Row] != "", a.Names[o.Row], o.Row))
			}
			d.put("</td></tr>\n")
		}
		d.put("</tbody></table>")
	}
	if c.Next != "" {
		d.put(`<p><a href="%s">next page</a></p>`, c.Next)
	}
}

func (c *content) writeExplanation(d *document) {
	if c.Explained == "" {
		c.writeError(d, "explain")
		return
	}
	d.put(`<section aria-labelledby="explanation"><h2 id="explanation">Why %s is or is not announced</h2>
`, c.Explained)
	c.writeError(d, "explain")
	d.put("<pre>%s</pre></section>\n", c.Explanation)
}

func (c *content) writeDay(d *document) {
	d.put(`<section aria-labelledby="day"><h2 id="day">The last day</h2><div class="plots">
`)
	for _, p := range c.Plots {
		d.put(`<figure><figcaption>%s: %s</figcaption><svg viewBox="0 0 %s %s" role="img" aria-label="%s: %s">`,
			p.Title, p.Summary, p.Width, p.Height, p.Title, p.Summary)
		d.put(`<path d="M%s %sV%sH%s" class="axis"/><path d="%s" class="plot"/>`, p.Left, p.Top, p.Bottom, p.Right, p.Line)
		d.put(`<text x="%s" y="%s" dx="-4" dy="10" class="end">%s</text>`, p.Left, p.Top, p.High)
		d.put(`<text x="%s" y="%s" dx="-4" class="end">%s</text>`, p.Left, p.Bottom, p.Low)
		d.put(`<text x="%s" y="%s" dy="-6">%s</text>`, p.Left, p.Height, p.From)
		d.put(`<text x="%s" y="%s" dy="-6" class="end">%s</text></svg></figure>
`, p.Right, p.Height, p.To)
	}
	d.put("</div></section>\n")
}

func (c *content) writeSteps(d *document) {
	d.put(`<section aria-labelledby="steps"><h2 id="steps">Steps and drifts, the newest first</h2>
`)
	c.writeError(d, "history")
	if len(c.Steps) == 0 {
		d.put("<p>Nothing is remembered.</p>\n</section>\n")
		return
	}
	d.put(`<ol class="steps">`)
	for _, s := range c.Steps {
		d.put(`<li class="%s%s"><time>%s</time><pre>%s</pre></li>`, choose(s.Drift != nil, "drift", ""),
			choose(s.Outcome != history.OK, " failed", ""), s.At.Local().Format(time.DateOnly), view.StepText(s))
	}
	d.put("</ol>\n</section>\n")
}
