package listen

import (
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// What one client of an HTTP listener can cost. There is no bound on how long an
// answer may take to be computed, because reading and repairing a large node takes
// its time; the client that went away ends it.
const (
	// HeaderLimit is how long a client may take to ask, IdleLimit how long it may be
	// silent between two questions.
	HeaderLimit = 5 * time.Second
	IdleLimit   = 10 * time.Second
	// WriteLimit is how long a client may take to read an answer, beside a second for
	// each MiB of it.
	WriteLimit = 30 * time.Second
	// MaxHeader bounds the question; none of ours has a body.
	MaxHeader = 16 << 10
)

// TCP listens on a TCP address, with a bound on how many clients are served at once.
func TCP(address string, limit int) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	return netutil.LimitListener(l, limit), nil
}

// Server is an HTTP server whose clients cannot keep a connection that they do not
// use: neither by asking slowly, nor by reading the answer slowly, nor by silence.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: bounded(h), ReadHeaderTimeout: HeaderLimit, IdleTimeout: IdleLimit, MaxHeaderBytes: MaxHeader,
	}
}

// bounded refuses questions that have a body, and counts the time for writing from
// the first octet of the answer.
func bounded(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.ContentLength != 0 {
			// The server reads the rest of a body before it answers.
			_ = control.SetReadDeadline(time.Now().Add(HeaderLimit))
			_ = control.SetWriteDeadline(time.Now().Add(WriteLimit))
			w.Header().Set("Connection", "close")
			http.Error(w, "a question has no body", http.StatusRequestEntityTooLarge)
			return
		}
		_ = control.SetWriteDeadline(time.Time{})
		h.ServeHTTP(&timedWriter{ResponseWriter: w, control: control}, r)
	})
}

// timedWriter bounds the time for writing an answer, from its first octet on.
type timedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	began   time.Time
	size    int
}

// Write writes a part of the answer.
func (w *timedWriter) Write(p []byte) (int, error) {
	if w.began.IsZero() {
		w.began = time.Now()
	}
	w.size += len(p)
	end := w.began.Add(WriteLimit + time.Duration(w.size>>20)*time.Second)
	_ = w.control.SetWriteDeadline(end) // writers of tests have no deadline
	return w.ResponseWriter.Write(p)
}

// FlushError sends what was written. What comes after it has its own time: computing it may
// take as long as it needs.
func (w *timedWriter) FlushError() error {
	err := w.control.Flush()
	w.began, w.size = time.Time{}, 0
	_ = w.control.SetWriteDeadline(time.Time{})
	return err
}

// Unwrap is for http.ResponseController.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
