package agent

import (
	"bytes"
	"sync"
)

// What is kept of the log.
const (
	recentOctets = 1 << 20
	recentLine   = 4 << 10
)

// Recent keeps the newest lines of a log, for support bundles. It is a writer that takes
// what a logger writes: each call is a line.
type Recent struct {
	mu sync.Mutex
	// lines is a ring of which the oldest is at first.
	lines [][]byte
	size  int
	// dropped counts lines that are not kept any more.
	dropped int
}

// Write keeps a line.
func (r *Recent) Write(p []byte) (int, error) {
	line := bytes.Clone(p[:min(len(p), recentLine)])
	if len(line) < len(p) {
		line[len(line)-1] = '\n'
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	r.size += len(line)
	n := 0
	for r.size > recentOctets {
		r.size -= len(r.lines[n])
		r.lines[n] = nil
		n++
	}
	r.lines, r.dropped = r.lines[n:], r.dropped+n
	return len(p), nil
}

// Text are the lines that are kept, the newest last, and how many older ones are not.
func (r *Recent) Text() (text []byte, dropped int) {
	if r == nil {
		return nil, 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return bytes.Join(r.lines, nil), r.dropped
}
