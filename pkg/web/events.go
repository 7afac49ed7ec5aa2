package web

import (
	"fmt"
	"net/http"
	"time"
)

// streamLimit ends a stream, which the browser opens again: a connection of which nobody
// knows any more whether somebody is there does not keep its place. keepAlive is how often
// something is sent.
const (
	streamLimit = 10 * time.Minute
	keepAlive   = 15 * time.Second
)

// serveEvents tells whenever something on the page may have changed, as server-sent events.
func (s *server) serveEvents(w http.ResponseWriter, r *http.Request) {
	if !enter(s.streams) {
		busy(w)
		return
	}
	defer func() { <-s.streams }()
	flow := http.NewResponseController(w)
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(text string) bool {
		if _, err := fmt.Fprint(w, text); err != nil {
			return false
		}
		return flow.Flush() == nil
	}
	last := s.node.Revision(r.Context())
	if !send("retry: 2000\n\n") {
		return
	}
	poll, alive, end := time.NewTicker(s.conf.Poll), time.NewTicker(keepAlive), time.NewTimer(streamLimit)
	defer poll.Stop()
	defer alive.Stop()
	defer end.Stop()
	for {
		text := ""
		select {
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		case <-alive.C:
			text = ": still here\n\n"
		case <-poll.C:
			now := s.node.Revision(r.Context())
			if now == last {
				continue
			}
			last, text = now, "event: change\ndata: 1\n\n"
		}
		if !send(text) {
			return
		}
	}
}
