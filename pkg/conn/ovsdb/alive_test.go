package ovsdb

import (
	"encoding/json"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// talk lets a server talk to a connection with a probe interval of a minute, and
// returns how the session ended and when.
func talk(server func(net.Conn)) (after time.Duration, err error) {
	ours, theirs := net.Pipe()
	var ended sync.WaitGroup
	ended.Go(func() { server(theirs) })
	defer ended.Wait()
	defer ours.Close()
	defer theirs.Close()
	c := newConn(ours, &Config{Probe: time.Minute, MaxSize: DefaultMaxSize}, new(atomic.Uint64))
	for began := time.Now(); ; {
		if err := c.receive(); err != nil {
			return time.Since(began), err
		}
	}
}

// every writes text again and again, and reads what comes without an answer.
func every(pause time.Duration, text string) func(net.Conn) {
	return func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }()
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			<-time.After(pause)
		}
	}
}

// A server that answers no echo request is left after two intervals, whatever octets
// it sends that are no complete message.
func TestOctetsAreNoSignOfLife(t *testing.T) {
	const chunk = 1000 // far less than progress in an interval
	for name, server := range map[string]func(net.Conn){
		"silence":                func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
		"white space":            every(time.Second, " \n"),
		"a flood of white space": every(time.Second, strings.Repeat(" ", 2*progress)),
		"a number without end": func(c net.Conn) {
			_, _ = io.WriteString(c, `{"id":`)
			every(time.Second, "1")(c)
		},
		"a string without end": func(c net.Conn) {
			_, _ = io.WriteString(c, `{"method":"update","params":["`)
			every(10*time.Second, strings.Repeat("x", chunk))(c)
		},
		"white space inside of a message": func(c net.Conn) {
			_, _ = io.WriteString(c, `{"method":"update","params":[`)
			every(time.Second, " ")(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				after, err := talk(server)
				if !strings.Contains(err.Error(), "no answer from the server for 2m0s") || after > 2*time.Minute+time.Second {
					t.Errorf("after %v: %v", after, err)
				}
			})
		})
	}
}

// Once its rows have been read, a server that has become silent is left within 15 s.
func TestSilenceInStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var ended sync.WaitGroup
		ended.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
		defer ended.Wait()
		defer theirs.Close()
		cfg := Config{Probe: time.Hour, MaxSize: DefaultMaxSize}
		cfg.fill()
		c := newConn(ours, &cfg, new(atomic.Uint64))
		<-time.After(time.Minute) // the copy has taken that long
		began := time.Now()
		c.expect(cfg.Echo)
		err := c.receive()
		if took := time.Since(began); err == nil || took != 15*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Which silence ends a session follows from the two settings.
func TestSilenceSettings(t *testing.T) {
	for _, tt := range []struct{ probe, echo, wantProbe, wantEcho time.Duration }{
		{0, 0, DefaultProbe, DefaultEcho},
		{time.Second, 0, time.Second, time.Second},
		{3 * time.Minute, 3 * time.Minute, 3 * time.Minute, 3 * time.Minute},
		{-1, -1, -1, -1},
	} {
		cfg := Config{Probe: tt.probe, Echo: tt.echo}
		if cfg.fill(); cfg.Probe != tt.wantProbe || cfg.Echo != tt.wantEcho {
			t.Errorf("%v and %v: got %v and %v", tt.probe, tt.echo, cfg.Probe, cfg.Echo)
		}
	}
}

// Answers to our echo requests, any other complete message, and a long message that
// comes at a sensible pace keep the session.
func TestSignsOfLife(t *testing.T) {
	const long = time.Hour
	answering := func(c net.Conn) {
		time.AfterFunc(long, func() { c.Close() })
		for in := json.NewDecoder(c); ; {
			var m struct{ ID, Params json.RawMessage }
			if in.Decode(&m) != nil {
				return
			}
			answer := `{"id":` + string(m.ID) + `,"result":` + string(m.Params) + `,"error":null}`
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	}
	for name, server := range map[string]func(net.Conn){
		"answers": answering,
		"other messages": func(c net.Conn) {
			time.AfterFunc(long, func() { c.Close() })
			every(50*time.Second, `{"id":null,"method":"update","params":["other",{}]}`)(c)
		},
		"a long message": func(c net.Conn) {
			time.AfterFunc(long, func() { c.Close() })
			go func() { _, _ = io.Copy(io.Discard, c) }()
			_, _ = io.WriteString(c, `{"id":null,"method":"update","params":["other"`)
			for range int(long/(50*time.Second)) - 1 {
				<-time.After(50 * time.Second)
				_, _ = io.WriteString(c, `,"`+strings.Repeat("x", progress)+`"`)
			}
			_, _ = io.WriteString(c, `]}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if after, err := talk(server); after < long || !strings.Contains(err.Error(), "closed") {
					t.Errorf("after %v: %v", after, err)
				}
			})
		})
	}
}

// After a database that is too large, nothing is asked for a while: each attempt may
// transfer all of it.
func TestPauseAfterTooMuch(t *testing.T) {
	var cfg Config
	cfg.fill()
	r := rounds{of: 3}
	r.failed(&applyError{errTooLarge})
	if d := r.delay(cfg); d < pauseTooLarge/2 {
		t.Errorf("pause of %v", d)
	}
	r.failed(io.EOF)
	if d := r.delay(cfg); d != 0 {
		t.Errorf("pause of %v within a round", d)
	}
}
