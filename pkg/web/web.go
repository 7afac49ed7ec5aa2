// Package web is one page that shows a node to people: a picture of the way from the peers
// to the ports with the place where it breaks, the problems, the announced addresses with a
// search, the explanation of each, the latest steps and drifts, and plots of the last day.
//
// It changes nothing, whatever is asked for and by which method. It refuses requests by the
// name of a host, which another page could have pointed here, and everything that the page
// needs comes from this program. Without scripts it shows the same facts; a script only
// loads it again when something has changed.
//
// It asks for typed answers of package control and does not compute: [Node] is all that it
// knows of a node. It does not listen: package agent does.
//
// Read next: [New], then page.go for what is on the page, write.go for how it is written and
// picture.go for the picture.
package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// Node is what the page is about.
type Node interface {
	// Status says whether the node is well.
	Status(ctx context.Context) (control.Status, error)
	// Host is the name of the node; empty if the database does not tell it.
	Host() string
	// Advertised is a page of what is announced.
	Advertised(ctx context.Context, q control.RouteQuery) (control.BGPAdvertised, error)
	// Find says what a name stands for, Explain why an address is or is not announced.
	Find(ctx context.Context, target string) (control.Found, error)
	Explain(ctx context.Context, target string) (control.Explanation, error)
	// History says what was done.
	History(ctx context.Context, f history.Filter) (control.History, error)
	// Legs are the ways of packets from the tables to the ports.
	Legs(ctx context.Context) ([]Leg, error)
	// Day is what was measured within the last day, the oldest first.
	Day() []Sample
	// Revision differs whenever something on the page may have changed.
	Revision(ctx context.Context) string
}

// The bounds of what clients can cost.
const (
	// MaxClients is how many connections are served at once, maxPages how many pages are
	// made at once, and maxStreams how many wait for changes.
	MaxClients = 64
	maxPages   = 4
	maxStreams = 16
	// pageLimit is how long the answers for a page may take.
	pageLimit = 10 * time.Second
	// maxQuery bounds what a URL may ask.
	maxQuery = 1024
	// MinToken is the least length of a token.
	MinToken = 16
)

// Config is what a page needs beside a node.
type Config struct {
	// Token has to be known to see the page; empty needs none.
	Token string
	// Names are the names of hosts under which the page may be asked for, those of the
	// certificate. Addresses and localhost always may: no one can point them elsewhere.
	Names []string
	// Poll is how often it is asked whether something has changed; 0 is a second.
	Poll time.Duration
}

//go:embed style.css page.js
var files embed.FS

// server serves the page of a node.
type server struct {
	node    Node
	conf    Config
	pages   chan struct{} // has a token for each page that is being made
	streams chan struct{} // and for each client that waits for changes
}

// New serves the page of a node.
func New(n Node, c Config) http.Handler {
	if c.Poll <= 0 {
		c.Poll = time.Second
	}
	s := &server{
		node: n, conf: c, pages: make(chan struct{}, maxPages), streams: make(chan struct{}, maxStreams),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.servePage)
	mux.HandleFunc("GET /events", s.serveEvents)
	for name, kind := range map[string]string{
		"style.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8",
	} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, _ *http.Request) {
			raw, err := files.ReadFile(name)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(raw) // the client is gone if this fails
		})
	}
	return s.guard(mux)
}

// policy lets the page use what comes from this program, and nothing be done in its name.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; " +
	"form-action 'self'; frame-ancestors 'none'"

// guard refuses what may not see the page, before anything is computed.
func (s *server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{
			"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cache-Control": "no-store", "Cross-Origin-Resource-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin",
		} {
			w.Header().Set(name, value)
		}
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "this page shows and changes nothing: use GET", http.StatusMethodNotAllowed)
		case !s.knownHost(r.Host):
			http.Error(w, "ask for this page by an address, by localhost, or by a name in its certificate",
				http.StatusMisdirectedRequest)
		case foreign(r):
			http.Error(w, "another site may not ask for this page", http.StatusForbidden)
		case len(r.URL.RawQuery) > maxQuery:
			http.Error(w, "the question is too long", http.StatusRequestURITooLong)
		case !s.allowed(r):
			w.Header().Set("WWW-Authenticate", `Basic realm="bgp-ovn: any name, and the token of web.token_file as password"`)
			http.Error(w, "the token of web.token_file is needed", http.StatusUnauthorized)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// knownHost refuses names that anybody could have pointed at this node (DNS rebinding).
func (s *server) knownHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	return slices.ContainsFunc(s.conf.Names, func(name string) bool { return strings.EqualFold(name, host) })
}

// foreign reports whether a browser says that the script or the form of another site asks.
// Following a link is no such request, and neither is one of a program.
func foreign(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	return (site == "cross-site" || site == "same-site") && r.Header.Get("Sec-Fetch-Mode") != "navigate"
}

// allowed compares the token, in a time that does not tell how much of it is right.
func (s *server) allowed(r *http.Request) bool {
	if s.conf.Token == "" {
		return true
	}
	_, given, ok := r.BasicAuth()
	if !ok {
		given, ok = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	want, got := sha256.Sum256([]byte(s.conf.Token)), sha256.Sum256([]byte(given))
	return subtle.ConstantTimeCompare(want[:], got[:]) == 1 && ok
}

// enter takes a place; false if all are taken.
func enter(places chan struct{}) bool {
	select {
	case places <- struct{}{}:
		return true
	default:
		return false
	}
}

// busy tells a client to come back.
func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "2")
	http.Error(w, "too many clients: try again in some seconds", http.StatusServiceUnavailable)
}
