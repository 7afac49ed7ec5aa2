package speaker

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"regexp"
	"runtime/pprof"
	"strings"
	"sync/atomic"
)

// labelPeer is the label of the goroutines that serve one peer. The runtime prints the
// labels of a goroutine that panics (GODEBUG tracebacklabels), which is the one way to
// learn whose message GoBGP was reading: it has no hook before a message is decoded.
const labelPeer = "bgp_peer"

// served is what the logger of one peer knows of it. GoBGP's state machine of a peer
// runs in one goroutine, which starts those that read from the neighbour and logs each
// change of state before it does: they inherit its label.
type served struct {
	labels context.Context
	// up is set while the session is established.
	up atomic.Bool
}

// servedBy returns what the logger with these attributes serves; nil if it is not that
// of a peer.
func servedBy(attrs []slog.Attr) *served {
	for _, a := range attrs {
		if a.Key == "Key" {
			return &served{labels: pprof.WithLabels(context.Background(), pprof.Labels(labelPeer, a.Value.String()))}
		}
	}
	return nil
}

// note labels the goroutine that logs a message, if that is the peer's own: messages
// about a peer are logged by the goroutines of others, too, but for these.
func (s *served) note(msg string) {
	switch msg {
	case "Peer Up":
		s.up.Store(true)
	case "Peer Down":
		s.up.Store(false)
	case "state changed":
	default:
		return
	}
	pprof.SetGoroutineLabels(s.labels)
}

// wants reports whether the messages at every level are needed: a change of state is
// one for debugging, and precedes the goroutines that are to be labelled.
func (s *served) wants() bool { return s != nil && !s.up.Load() }

var (
	// goroutineLine begins the stack of the goroutine that panicked. What GoBGP
	// panicked with is printed above with its further lines indented, so that a
	// message cannot contain such a line.
	goroutineLine = regexp.MustCompile(`^goroutine \d+ .*\[running.* labels:\{.*"` + labelPeer + `": "([^"]+)".*\}\]:$`)
	// reading are the functions in which GoBGP reads and takes in what a neighbour
	// sends. What it sends to one is not that neighbour's doing.
	reading = []string{"server.(*fsmHandler).recvMessage", "server.(*fsm).handleOpen("}
)

// culprit returns the peer whose message ended the process, by the report that the Go
// runtime has written. Nobody is to blame for what is no panic, such as a lack of
// memory, or happened anywhere else.
func culprit(report []byte) (peer string, ok bool) {
	lines := bufio.NewScanner(bytes.NewReader(report))
	lines.Buffer(nil, maxReport)
	panicked := false
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "panic: "), line == "fatal error: stack overflow":
			panicked = true
		case strings.HasPrefix(line, "goroutine ") && peer == "":
			m := goroutineLine.FindStringSubmatch(line)
			if m == nil || !panicked {
				return "", false
			}
			if _, err := netip.ParseAddr(m[1]); err != nil {
				return "", false
			}
			peer = m[1]
		case peer != "" && line == "": // the end of the stack
			return "", false
		case peer != "":
			for _, function := range reading {
				if strings.Contains(line, function) && !strings.HasPrefix(line, "created by ") {
					return peer, true
				}
			}
		}
	}
	return "", false
}
