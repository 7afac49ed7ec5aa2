package speaker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// What is written at one end comes out at the other, and the end of one is the end of it.
func TestRelay(t *testing.T) {
	fromWrite, from := net.Pipe()
	to, toRead := net.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- relay(to, from, time.Minute)
		to.Close()
	}()
	sent := bytes.Repeat([]byte("BMP"), 100_000)
	go func() {
		_, _ = fromWrite.Write(sent)
		fromWrite.Close()
	}()
	got, err := io.ReadAll(toRead)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d octets of %d came out, %v", len(got), len(sent), err)
	}
	if err := <-done; err == nil {
		t.Error("no reason why it ended")
	}
}

// A station that takes nothing is given up: what the speaker has for it must not pile up.
func TestRelayGivesUp(t *testing.T) {
	fromWrite, from := net.Pipe()
	to, _ := net.Pipe() // nobody reads at the other end
	go func() { _, _ = fromWrite.Write([]byte("x")) }()
	if err := relay(to, from, time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// Each policy of the configuration is one that GoBGP knows, and no two are the same.
func TestPolicies(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range Policies() {
		seen[p.wire().String()] = true
	}
	if len(seen) != 4 {
		t.Errorf("got %v", seen)
	}
}
