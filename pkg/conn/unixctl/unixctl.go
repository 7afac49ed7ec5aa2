// Package unixctl asks daemons of Open vSwitch and OVN on this machine whether they still
// do their work, by their control sockets (ovs-appctl(8)): the loop that answers there is
// the one that programs flows and binds ports, so that a daemon that hangs answers nothing.
//
// It refuses to tell whether a daemon runs: where no socket takes a connection, as in a
// container that does not see them, nothing is known.
//
// Read next: Watch.
package unixctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"
)

const (
	// pause is how long after an answer a daemon is asked again.
	pause = 5 * time.Second
	// Limit is how long a daemon may take to answer before it counts as hung: the longest
	// recomputation that ovn-controller was seen with takes less.
	Limit = 10 * time.Second
)

// Daemon is one program that is asked.
type Daemon struct {
	// Name is that of the program: its socket is Dir/NAME.PID.ctl.
	Name, Dir string
	// log receives when it hangs and when it answers again.
	log *slog.Logger

	mu sync.Mutex
	// asked is when the question was put that has no answer yet; zero if there is none.
	asked time.Time
}

// Watch asks the daemon every few seconds until ctx ends.
func Watch(ctx context.Context, name, dir string, log *slog.Logger) *Daemon {
	d := &Daemon{Name: name, Dir: dir, log: log}
	go d.run(ctx)
	return d
}

// Hung is since when the daemon has not answered; zero if it does, or is not there.
func (d *Daemon) Hung() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asked.IsZero() || time.Since(d.asked) < Limit {
		return time.Time{}
	}
	return d.asked
}

func (d *Daemon) run(ctx context.Context) {
	for ctx.Err() == nil {
		if conn, path := d.dial(ctx); conn != nil {
			d.await(ctx, conn, path)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
}

// dial connects to the first socket that takes a connection: after a crash, sockets of
// processes that are gone stay behind. Nil means that there is none.
func (d *Daemon) dial(ctx context.Context) (net.Conn, string) {
	paths, _ := filepath.Glob(filepath.Join(d.Dir, d.Name+".*.ctl")) // the pattern is well-formed
	limited, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	var dialer net.Dialer
	for _, path := range paths {
		if conn, err := dialer.DialContext(limited, "unix", path); err == nil {
			return conn, path
		}
	}
	return nil, ""
}

// await puts one question and waits for the answer however long that takes: many
// questions would fill the queue of a daemon that hangs.
func (d *Daemon) await(ctx context.Context, conn net.Conn, path string) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	d.set(time.Now())
	late := time.AfterFunc(Limit, func() {
		d.log.Warn("a daemon does not answer", "daemon", d.Name, "socket", path, "for", Limit)
	})
	err := ask(conn)
	hung := !late.Stop()
	d.set(time.Time{})
	if hung && ctx.Err() == nil {
		d.log.Info("a daemon that did not answer is no longer awaited", "daemon", d.Name, "socket", path, "err", err)
	}
}

func (d *Daemon) set(asked time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = asked
}

// ask asks for the version, the one question that every daemon knows.
func ask(conn net.Conn) error {
	if _, err := conn.Write([]byte(`{"id":0,"method":"version","params":[]}`)); err != nil {
		return fmt.Errorf("ask for the version: %w", err)
	}
	var answer struct {
		Error any `json:"error"`
	}
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return fmt.Errorf("read the version: %w", err)
	}
	if answer.Error != nil {
		return errors.New("the daemon refuses to tell its version")
	}
	return nil
}
