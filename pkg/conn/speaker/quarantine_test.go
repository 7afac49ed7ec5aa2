package speaker

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// at are deaths of one peer, in minutes after noon.
func at(peer string, minutes ...float64) (d Deaths) {
	for _, m := range minutes {
		d = append(d, Death{At: noon.Add(time.Duration(m * float64(time.Minute))), Peer: peer})
	}
	return d
}

// Two deaths within five minutes hold a peer for half an hour, and nothing else does.
func TestHeld(t *testing.T) {
	for _, c := range []struct {
		name   string
		deaths []Deaths
		now    float64 // minutes after noon
		want   string
	}{
		{"nobody", nil, 0, ""},
		{"once", []Deaths{at("a", 0)}, 1, ""},
		{"twice", []Deaths{at("a", 0, 4)}, 4, "a until 12:34"},
		{"twice at the bound", []Deaths{at("a", 0, 5)}, 5, "a until 12:35"},
		{"twice in more than five minutes", []Deaths{at("a", 0, 5.1)}, 5.2, ""},
		{"one of each of two peers", []Deaths{at("a", 0), at("b", 1)}, 1, ""},
		{"two of each of two peers", []Deaths{at("a", 0, 3), at("b", 1, 2)}, 3, "a until 12:33, b until 12:32"},
		{"one between those of the other", []Deaths{at("a", 0, 2), at("b", 1)}, 3, "a until 12:32"},
		{"three with a pause", []Deaths{at("a", 0, 10, 12)}, 13, "a until 12:42"},
		{"the last one counts", []Deaths{at("a", 0, 1, 3)}, 4, "a until 12:33"},
		{"before the end", []Deaths{at("a", 0, 4)}, 33.9, "a until 12:34"},
		{"the end", []Deaths{at("a", 0, 4)}, 34, ""},
		{"once more after the end", []Deaths{at("a", 0, 4, 34.5)}, 34.6, ""},
		{"the clock was set back behind both", []Deaths{at("a", 0, 4)}, -60, ""},
		{"the clock was set back behind one", []Deaths{at("a", 0, 4)}, 2, ""},
		{"without a name", []Deaths{at("", 0, 1)}, 2, ""},
	} {
		d := slices.Concat(c.deaths...)
		slices.SortFunc(d, func(a, b Death) int { return a.At.Compare(b.At) })
		now := noon.Add(time.Duration(c.now * float64(time.Minute)))
		var got []string
		for _, h := range d.Held(now) {
			got = append(got, h.Peer+" until "+h.Until.Format("15:04"))
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: held are %q, want %q", c.name, text, c.want)
		}
	}
}

// What is recorded is sorted and bounded, forgets what has no effect any more, and takes
// the same death twice as one: a process may end between recording and emptying the report.
func TestDeathsWith(t *testing.T) {
	now := noon.Add(40 * time.Minute)
	d := at("old", 0).With(Death{At: now, Peer: "a"}, now)
	d = d.With(Death{At: now, Peer: "a"}, now)
	d = d.With(Death{At: now.Add(-time.Minute), Peer: "b"}, now)
	if got, want := fmt.Sprint(d), fmt.Sprint(Deaths{{now.Add(-time.Minute), "b"}, {now, "a"}}); got != want {
		t.Errorf("recorded are %s, want %s", got, want)
	}
	if held := d.Held(now); len(held) != 0 {
		t.Errorf("one death of each holds %v", held)
	}
	for i := range 3 * maxDeaths {
		d = d.With(Death{At: now.Add(-time.Minute), Peer: fmt.Sprint(i)}, now)
	}
	d = d.With(Death{At: now, Peer: "last"}, now)
	if len(d) != maxDeaths || d[len(d)-1].Peer != "last" {
		t.Errorf("%d deaths, the last one of %q; want %d and the newest", len(d), d[len(d)-1].Peer, maxDeaths)
	}
}

// A release takes the peer alone, with or without the zone of a link-local address.
func TestDeathsWithout(t *testing.T) {
	d := append(at("fe80::1", 0, 1), at("192.0.2.1", 2, 3)...)
	if got := d.Without("fe80::1%eth0").Held(noon.Add(4 * time.Minute)); len(got) != 1 || got[0].Peer != "192.0.2.1" {
		t.Errorf("held are %v, want 192.0.2.1", got)
	}
	zoned := Held{Peer: "fe80::1%eth0"}
	if zoned.Is("fe80::1%eth1") || !zoned.Is("fe80::1%eth0") || (Held{Peer: "192.0.2.1"}).Is("192.0.2.11") {
		t.Error("a peer is taken for another one")
	}
}

// report is what the runtime writes of a panic in a goroutine with labels.
func report(first, labels string, stack ...string) string {
	return first + "\n\ngoroutine 41 [running" + labels + "]:\n" + strings.Join(stack, "\n") + "\n\n" +
		"goroutine 1 [chan receive labels:{\"bgp_peer\": \"192.0.2.66\"}]:\nserver.(*fsmHandler).recvMessage()\n"
}

// Only a peer whose message was being read is to blame, and only for a panic.
func TestCulprit(t *testing.T) {
	const (
		one     = ` labels:{"bgp_peer": "192.0.2.1"}`
		decode  = "github.com/osrg/gobgp/v4/pkg/packet/bgp.ParseBGPBody(...)"
		receive = "github.com/osrg/gobgp/v4/pkg/server.(*fsmHandler).recvMessageWithError(0xc0001)"
		sending = "github.com/osrg/gobgp/v4/pkg/server.(*fsmHandler).sendMessageloop(0xc0001)"
		created = "created by github.com/osrg/gobgp/v4/pkg/server.(*fsmHandler).recvMessageloop in goroutine 7"
		handle  = "github.com/osrg/gobgp/v4/pkg/server.(*fsm).handleOpen(0xc0001)"
		index   = "panic: runtime error: index out of range [1] with length 1"
	)
	for _, c := range []struct{ name, report, want string }{
		{"decoding", report(index, one, "panic(...)", decode, receive), "192.0.2.1"},
		{"an OPEN", report(index, one, handle), "192.0.2.1"},
		{
			"IPv6 and further labels", report(index, ` labels:{"a": "b", "bgp_peer": "fe80::1%eth0", "c": "d"}`, receive),
			"fe80::1%eth0",
		},
		{"endless recursion", report("runtime: x\nfatal error: stack overflow\n", one, receive), "192.0.2.1"},
		{"sending to the peer", report(index, one, decode, sending), ""},
		{"started by the reader", report(index, one, decode, created), ""},
		{"no label", report(index, "", receive), ""},
		{"no address", report(index, ` labels:{"bgp_peer": "spine-1"}`, receive), ""},
		{"lack of memory", report("fatal error: runtime: cannot allocate memory", one, receive), ""},
		{"text of a message", report("panic: \n\tgoroutine 1 [running"+one+"]:\n\t"+receive, "", decode), ""},
		{"cut off", report(index, one, decode, receive)[:len(index)+60], ""},
		{"empty", "", ""},
	} {
		if got, ok := culprit([]byte(c.report)); got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q %v, want %q", c.name, got, ok, c.want)
		}
	}
}

// The record survives, is replaced as a whole, and one that is damaged, too large or no
// file holds nobody and says so.
func TestRecordOfDeaths(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	r := RecordBeside(filepath.Join(t.TempDir(), "s"))
	now := time.Now()
	if held, err := r.Held(now); err != nil || len(held) != 0 {
		t.Fatalf("without a file: %v, %v", held, err)
	}
	blame := []byte(report("panic: x", ` labels:{"bgp_peer": "192.0.2.1"}`, "server.(*fsmHandler).recvMessage()"))
	r.enter(log, blame, now.Add(-2*time.Minute), now)
	r.enter(log, blame, now.Add(-time.Minute), now)
	if held, err := r.Held(now); err != nil || len(held) != 1 || held[0].Peer != "192.0.2.1" {
		t.Fatalf("after two: %v, %v", held, err)
	}
	if was, err := r.Release("192.0.2.2", now); was || err != nil {
		t.Errorf("release of another peer: %v, %v", was, err)
	}
	if was, err := r.Release("192.0.2.1", now); !was || err != nil {
		t.Errorf("release: %v, %v", was, err)
	}
	if held, err := r.Held(now); err != nil || len(held) != 0 {
		t.Errorf("after the release: %v, %v", held, err)
	}
	for name, damage := range map[string]func() error{
		"no JSON":   func() error { return os.WriteFile(r.path, []byte(`[{"at":"2026`), 0o600) },
		"another":   func() error { return os.WriteFile(r.path, []byte(`{"peers":1}`), 0o600) },
		"empty":     func() error { return os.WriteFile(r.path, nil, 0o600) },
		"too large": func() error { return os.WriteFile(r.path, make([]byte, maxRecord+1), 0o600) },
		"a link":    func() error { return os.Symlink("/dev/zero", r.path) },
		"a pipe":    func() error { return syscall.Mkfifo(r.path, 0o600) },
	} {
		if err := errors.Join(os.RemoveAll(r.path), damage()); err != nil {
			t.Fatal(err)
		}
		if held, err := r.Held(now); err == nil || len(held) != 0 {
			t.Errorf("%s: held %v, error %v", name, held, err)
		}
		r.enter(log, blame, now.Add(-2*time.Minute), now)
		r.enter(log, blame, now.Add(-time.Minute), now)
		if held, err := r.Held(now); err != nil || len(held) != 1 {
			t.Errorf("%s: two deaths later held are %v, %v", name, held, err)
		}
	}
}
