package listen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience is how long what must come is waited for.
const patience = time.Minute

// serveHTTP serves until the test ends.
func serveHTTP(t *testing.T, limit int, h http.HandlerFunc) (path string) {
	t.Helper()
	path = filepath.Join(shortDir(t), "s")
	l, err := Unix(Socket{Path: path, Mode: 0o600, Group: -1, Limit: limit})
	must(t, err)
	srv := Server(h)
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return path
}

// ask sends text and returns a reader of what comes back.
func ask(t *testing.T, path, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := net.Dial("unix", path)
	must(t, err)
	t.Cleanup(func() { c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, text)
	must(t, err)
	return c, bufio.NewReader(c)
}

// Clients that linger in each of these ways fill every place, and lose it: the one
// who asks is answered.
func TestLingeringClientsLoseTheirPlace(t *testing.T) {
	big := strings.Repeat("x", 1<<20)
	for name, text := range map[string]string{
		"silence":               "",
		"half a header":         "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"silence afterwards":    "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"body that never is":    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
		"chunks that never are": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const limit = 4
			path := serveHTTP(t, limit, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/big" {
					_, _ = io.WriteString(w, big)
				}
			})
			for range limit + 2 {
				ask(t, path, text)
			}
			_, answer := ask(t, path, "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			resp, err := http.ReadResponse(answer, nil)
			must(t, err)
			if body, err := io.ReadAll(resp.Body); err != nil || len(body) != len(big) {
				t.Errorf("%d octets, %v", len(body), err)
			}
		})
	}
}

// An answer that takes longer to compute than any limit is not cut: limits are those of
// the client's own doing.
func TestSlowAnswerIsNotCut(t *testing.T) {
	t.Parallel()
	cancelled := make(chan error, 1)
	path := serveHTTP(t, 1, func(w http.ResponseWriter, r *http.Request) {
		timer := time.NewTimer(HeaderLimit + IdleLimit/10)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
			cancelled <- r.Context().Err()
		case <-timer.C:
			fmt.Fprint(w, "done")
		}
	})
	_, answer := ask(t, path, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	resp, err := http.ReadResponse(answer, nil)
	if err != nil {
		select {
		case why := <-cancelled:
			t.Fatalf("the question was given up: %v", why)
		default:
			t.Fatal(err)
		}
	}
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "done" {
		t.Errorf("%q, %v", body, err)
	}
}

// An answer has WriteLimit, and a second for each MiB, however it is written.
func TestTimeForReading(t *testing.T) {
	var deadlines []time.Time
	w := &timedWriter{ResponseWriter: &recorder{header: http.Header{}}}
	w.control = http.NewResponseController(&deadliner{ResponseWriter: w.ResponseWriter, set: &deadlines})
	chunk := make([]byte, 1<<20)
	for range 5 {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	for i, d := range deadlines {
		if got, want := d.Sub(w.began), WriteLimit+time.Duration(i+1)*time.Second; got != want {
			t.Errorf("deadline %d: %v, want %v", i, got, want)
		}
	}
	if len(deadlines) != 5 {
		t.Errorf("%d deadlines", len(deadlines))
	}
}

type recorder struct{ header http.Header }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) Write(p []byte) (int, error) { return len(p), nil }
func (r *recorder) WriteHeader(int)             {}

type deadliner struct {
	http.ResponseWriter
	set *[]time.Time
}

// SetWriteDeadline records it.
func (d *deadliner) SetWriteDeadline(at time.Time) error {
	*d.set = append(*d.set, at)
	return nil
}

// A header of more than MaxHeader is refused, one at the limit is answered.
func TestHeaderBound(t *testing.T) {
	path := serveHTTP(t, 4, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	for _, tt := range []struct{ size, want int }{
		{MaxHeader / 2, http.StatusOK}, {4 * MaxHeader, http.StatusRequestHeaderFieldsTooLarge},
	} {
		c, err := net.Dial("unix", path)
		must(t, err)
		defer c.Close()
		go func() {
			fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", tt.size))
		}()
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil || resp.StatusCode != tt.want {
			t.Errorf("%d octets: %+v, %v, want %d", tt.size, resp, err, tt.want)
		}
	}
}

// TCP has the same bound.
func TestTCPLimit(t *testing.T) {
	l, err := TCP("127.0.0.1:0", 1)
	must(t, err)
	defer l.Close()
	srv := Server(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	go func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	defer srv.Close()
	first, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	second, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	defer second.Close()
	fmt.Fprint(second, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	first.Close()
	must(t, second.SetDeadline(time.Now().Add(patience)))
	if resp, err := http.ReadResponse(bufio.NewReader(second), nil); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%+v, %v", resp, err)
	}
}
