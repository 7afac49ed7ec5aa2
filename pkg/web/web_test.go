package web

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// evil is what somebody could name a port to run a script in the page.
const evil = `</text><script>alert(1)</script><img src=x onerror="alert(1)">`

// node has 100,000 addresses, and names that are scripts.
type node struct {
	err      error
	revision atomic.Int64
	asked    []string
}

func (n *node) Status(context.Context) (control.Status, error) {
	return control.Status{
		Chassis: "hv1" + evil, State: "down", Problems: []control.Problem{{
			Code: "x", Text: evil, Try: evil, Count: 5, Since: time.Now().Add(-10 * time.Second),
		}},
		Peers: []control.Peer{
			{Address: "192.0.2.1", AS: 65000, State: "Active"}, {Address: "192.0.2.2", State: control.Established},
		},
		Sources: []control.Source{{Name: "OVN_Southbound", Text: evil}},
	}, n.err
}

func (n *node) Advertised(_ context.Context, q control.RouteQuery) (control.BGPAdvertised, error) {
	n.asked = append(n.asked, fmt.Sprintf("%d after %q within %s", q.Limit, q.After, q.Within))
	out := control.BGPAdvertised{Total: 100_000, NotSent: 3, Next: "the next"}
	for i := range q.Limit {
		out.Paths = append(out.Paths, control.AdvertisedPath{
			NLRI:    fmt.Sprintf("10.%d.%d.%d/32", i>>16, i>>8&255, i&255),
			Objects: []object.Source{{Table: "Port_Binding", Row: evil}},
		})
	}
	return out, n.err
}

func (n *node) Find(_ context.Context, target string) (control.Found, error) {
	return control.Found{Target: target}, n.err
}

func (n *node) Explain(_ context.Context, target string) (control.Explanation, error) {
	e := control.Explanation{Explanation: reconcile.Explanation{Address: netip.MustParseAddr(target), First: evil}}
	return e, n.err
}

func (n *node) History(_ context.Context, f history.Filter) (control.History, error) {
	out := control.History{}
	for range f.Most {
		out.Steps = append(out.Steps, history.Step{Verb: "create", Kind: "route", Key: evil, Outcome: history.OK})
	}
	return out, n.err
}

func (n *node) Legs(context.Context) ([]Leg, error) {
	out := make([]Leg, 200)
	for i := range out {
		out[i] = Leg{
			Table: uint32(200 + i), Dev: "br-ex" + evil, Network: evil, Routes: Pair{2, i % 3}, Unreachable: i % 2,
			Code: "no-way", Text: evil,
		}
	}
	return out, n.err
}

func (n *node) Day() []Sample {
	s := Series{}
	for i := range 3000 {
		s.Add(Sample{At: time.Unix(int64(i)*60, 0), Round: time.Duration(i) * time.Millisecond, Sessions: i % 3, Peers: 2})
	}
	return s.Day()
}

func (n *node) Host() string { return "hv1.example" }

func (n *node) Revision(context.Context) string { return fmt.Sprint(n.revision.Load()) }

func ask(h http.Handler, method, target string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:9180"+target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Whatever is in the database is text on the page, in the picture too, and the page of a
// node with 100,000 addresses is small.
func TestPage(t *testing.T) {
	n := &node{}
	h := New(n, Config{})
	for _, target := range []string{
		"/", "/?q=10.0.0.0/8", "/?explain=10.0.0.1", "/?q=web-1", "/?q=10.0.0.1", "/?q=%3Cscript%3E",
	} {
		w := ask(h, "GET", target)
		body := w.Body.String()
		if w.Code != http.StatusOK || w.Body.Len() > 256<<10 {
			t.Errorf("%s: %d, %d octets", target, w.Code, w.Body.Len())
		}
		for _, bad := range []string{"<script>", "<img", "alert(1)</script", "ZgotmplZ", "style="} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %s", target, bad)
			}
		}
		if !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: no policy", target)
		}
	}
	body := ask(h, "GET", "/?after=x").Body.String()
	for _, want := range []string{
		"100000 in all", "next page", "down: 1 problem<", "192.0.2.1", "table 200", "and 190 more tables", "broken here",
		"sent to nobody</b>: no session", "1 of 2 now; between 0 and 2", "no-way", "bgp-ovn on hv1.example",
		`<span class="quiet">since `, "and 4 more like it",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if !strings.Contains(strings.Join(n.asked, "\n"), `50 after "x" within`) {
		t.Errorf("the page asked for %q", n.asked)
	}
	n.err = errors.New("the database <b>is away")
	body = ask(h, "GET", "/?explain=10.0.0.1&q=1").Body.String()
	if !strings.Contains(body, "the database &lt;b&gt;is away") {
		t.Errorf("errors of the node are not on the page:\n%s", body)
	}
}

// What could change something, comes from another site, has a foreign name, is too long or
// has no token is refused, and nothing is asked of the node.
func TestGuard(t *testing.T) {
	const token = "0123456789abcdef"
	open, closed := New(&node{}, Config{Names: []string{"node-7.example.net"}}), New(&node{}, Config{Token: token})
	for _, tt := range []struct {
		name           string
		h              http.Handler
		method, target string
		headers        []string
		want           int
	}{
		{"fine", open, "GET", "/", nil, 200},
		{"a head", open, "HEAD", "/", nil, 200},
		{"a script", open, "GET", "/page.js", nil, 200},
		{"no such page", open, "GET", "/x", nil, 404},
		{"a way up", open, "GET", "/../web.go", nil, 307},
		{"post", open, "POST", "/", nil, 405},
		{"delete", open, "DELETE", "/?explain=10.0.0.1", nil, 405},
		{"put to events", open, "PUT", "/events", nil, 405},
		{"connect", open, "PATCH", "/", nil, 405},
		{"rebinding", open, "GET", "/", []string{"Host", "evil.example.com:9180"}, 421},
		{"rebinding, mapped", open, "GET", "/", []string{"Host", "127.0.0.1.evil.example.com"}, 421},
		{"no host", open, "GET", "/", []string{"Host", ""}, 421},
		{"localhost", open, "GET", "/", []string{"Host", "LOCALHOST:9180"}, 200},
		{"IPv6", open, "GET", "/", []string{"Host", "[::1]:9180"}, 200},
		{"a name of the certificate", open, "GET", "/", []string{"Host", "node-7.example.net"}, 200},
		{"another site", open, "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors"}, 403},
		{"a link on it", open, "GET", "/", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 200},
		{"long", open, "GET", "/?q=" + strings.Repeat("a", 2000), nil, 414},
		{"no token", closed, "GET", "/", nil, 401},
		{"no token for events", closed, "GET", "/events", nil, 401},
		{"no token for a file", closed, "GET", "/page.js", nil, 401},
		{"wrong token", closed, "GET", "/", []string{"Authorization", "Bearer " + token[1:]}, 401},
		{"empty token", closed, "GET", "/", []string{"Authorization", "Bearer "}, 401},
		{"token", closed, "GET", "/", []string{"Authorization", "Bearer " + token}, 200},
		{"password", closed, "GET", "/", []string{"Authorization", "Basic YW55OjAxMjM0NTY3ODlhYmNkZWY="}, 200},
	} {
		if w := ask(tt.h, tt.method, tt.target, tt.headers...); w.Code != tt.want {
			t.Errorf("%s: %d, want %d: %s", tt.name, w.Code, tt.want, w.Body)
		}
	}
}

// Who waits for changes is told of them, and there is a bound on how many wait.
func TestEvents(t *testing.T) {
	n := &node{}
	srv := httptest.NewServer(New(n, Config{Poll: time.Millisecond}))
	defer srv.Close()
	var waiting []io.Closer
	defer func() {
		for _, c := range waiting {
			c.Close()
		}
	}()
	var first *bufio.Reader
	for i := range maxStreams + 1 {
		resp, err := http.Get(srv.URL + "/events")
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, resp.Body)
		if want := http.StatusOK; i < maxStreams && resp.StatusCode != want || i == maxStreams && resp.StatusCode == want {
			t.Fatalf("client %d: %d", i, resp.StatusCode)
		}
		if i == 0 {
			first = bufio.NewReader(resp.Body)
		}
	}
	n.revision.Add(1)
	for {
		line, err := first.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if line == "event: change\n" {
			return
		}
	}
}

// A day is bounded, and of one minute the worst counts.
func TestSeries(t *testing.T) {
	var s Series
	at := time.Unix(6000, 0)
	for _, m := range []Sample{{at, 3, 2, 2}, {at.Add(time.Second), 1, 0, 2}, {at.Add(2 * time.Second), 9, 2, 2}} {
		s.Add(m)
	}
	if got := s.Day(); len(got) != 1 || got[0].Round != 9 || got[0].Sessions != 0 {
		t.Errorf("got %+v", got)
	}
	for i := range 5000 {
		s.Add(Sample{At: at.Add(time.Duration(i) * time.Minute)})
	}
	got := s.Day()
	if len(got) != samples || !got[samples-1].At.Equal(at.Add(4999*time.Minute)) {
		t.Errorf("%d samples, the last at %s", len(got), got[len(got)-1].At)
	}
}

// FuzzPage: no question breaks the page or gets a tag into it.
func FuzzPage(f *testing.F) {
	f.Add("10.0.0.0/8", "x", "10.0.0.1")
	f.Add("<script>", "\"'", "fe80::1%<script>")
	h := New(&node{}, Config{})
	f.Fuzz(func(t *testing.T, q, after, explain string) {
		r := httptest.NewRequest("GET", "http://127.0.0.1/", nil)
		values := r.URL.Query()
		values.Set("q", q)
		values.Set("after", after)
		values.Set("explain", explain)
		r.URL.RawQuery = values.Encode()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		told := w.Code == http.StatusOK || w.Code == http.StatusRequestURITooLong
		if !told || strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
	})
}

// The box in which the way breaks is drawn as broken, and no other one but the addresses.
func TestWhereItBreaks(t *testing.T) {
	whole := Leg{Table: 201, Dev: "br-ex", Network: "physnet1"}
	for _, tt := range []struct {
		change func(*Leg)
		want   string
	}{
		{func(*Leg) {}, ""},
		{func(l *Leg) { l.Unreachable, l.Code = 1, "foreign-rule" }, "table 201, 0 of 0 announced"},
		{func(l *Leg) { l.Unreachable, l.Code = 1, "foreign-flow" }, "br-ex, 0 of 0 announced"},
		{func(l *Leg) { l.Unreachable, l.Code = 1, "port-link-down" }, "0 of 0 announced"},
		{func(l *Leg) { l.Routes = Pair{2, 1} }, "table 201"},
		{func(l *Leg) { l.Flows = Pair{2, 1} }, "br-ex"},
		{func(l *Leg) { l.Paths = Pair{2, 1} }, "1 of 2 announced"},
	} {
		leg := whole
		tt.change(&leg)
		up := control.Status{Peers: []control.Peer{{Address: "192.0.2.2", State: control.Established}}}
		drawsBroken(t, up, leg, tt.want)
	}
	down := control.Status{Peers: []control.Peer{{Address: "192.0.2.2", State: "Active"}}}
	drawsBroken(t, down, whole, "192.0.2.2, speaker, sent to nobody")
}

func drawsBroken(t *testing.T, s control.Status, leg Leg, want string) {
	t.Helper()
	var broken []string
	for _, b := range draw(s, []Leg{leg}).Boxes {
		if b.Broken {
			broken = append(broken, b.Name)
		}
	}
	if got := strings.Join(broken, ", "); got != want {
		t.Errorf("%+v: broken are %q, want %q", leg, got, want)
	}
}
