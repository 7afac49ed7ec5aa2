package speaker

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// recorder returns sessions and the log that they write to.
func recorder(level slog.Level) (*Sessions, *bytes.Buffer) {
	var out bytes.Buffer
	return newSessions(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))), &out
}

// A session that ends has the reason that GoBGP logged while it was up; one from before
// the session is not taken for it.
func TestReasonOfALostSession(t *testing.T) {
	s, out := recorder(slog.LevelInfo)
	log := peerLog(s, "192.0.2.2")
	s.Follow("192.0.2.2")
	log.Warn("failed to connect", "Error", syscall.ECONNREFUSED.Error())
	if got := s.Of("192.0.2.2").Fault; got != "connect: connection refused" {
		t.Errorf("got fault %q", got)
	}
	if _, changed, ok := s.Record("192.0.2.2", Established); !changed || !ok {
		t.Error("the session did not come up")
	}
	s.UpSince("192.0.2.2", time.Now().Add(time.Hour)) // the fault above is from before
	if e, _, _ := s.Record("192.0.2.2", Idle); e.Reason != "" || e.Was != Established {
		t.Errorf("got %+v, want no reason", e)
	}
	s.Record("192.0.2.2", Established)
	s.UpSince("192.0.2.2", time.Now().Add(-time.Hour))
	log.Info("Peer Down", "Reason", "hold-timer-expired")
	e, changed, _ := s.Record("192.0.2.2", Active)
	if !changed || !strings.HasPrefix(e.Reason, "hold timer expired") {
		t.Errorf("got %+v, %t, want the hold timer", e, changed)
	}
	if !strings.Contains(out.String(), `msg="session is down" peer=192.0.2.2 reason="hold timer expired`) {
		t.Errorf("the log lacks the reason:\n%s", out)
	}
}

// How a session ended is known from when GoBGP says so in its log, be it before the event of its end.
func TestHowEndedBeforeItsEvent(t *testing.T) {
	s, _ := recorder(slog.LevelInfo)
	log := peerLog(s, "192.0.2.2")
	how := func() Ended { return s.Of("192.0.2.2").HowEnded() }
	s.Follow("192.0.2.2")
	s.Record("192.0.2.2", Established)
	s.UpSince("192.0.2.2", time.Now().Add(-time.Hour))
	if got := how(); got != (Ended{}) {
		t.Errorf("of a session that is up: %+v", got)
	}
	log.Info("sent notification", "Code", 4, "Subcode", 0)
	want := how()
	if !want.Notified || want.Fault == "" {
		t.Errorf("after the NOTIFICATION: %+v", want)
	}
	s.Record("192.0.2.2", Idle)
	if got := how(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// Steps between states that are not up are no change, and a neighbour that is not
// followed is none of ours.
func TestRecord(t *testing.T) {
	s, out := recorder(slog.LevelInfo)
	if _, _, ok := s.Record("192.0.2.2", Established); ok {
		t.Error("a neighbour that is not followed was recorded")
	}
	if !s.Follow("192.0.2.2") || s.Follow("192.0.2.2") {
		t.Error("a peer is not followed once")
	}
	if e, changed, ok := s.Record("192.0.2.2", Connect); changed || !ok || e.Was != Idle || e.State != Connect {
		t.Errorf("got %+v, %t, %t", e, changed, ok)
	}
	if out.Len() != 0 {
		t.Errorf("a step was logged:\n%s", out)
	}
	s.Forget("192.0.2.2")
	if got := s.Of("192.0.2.2"); got != (Session{}) || s.down.Load() != 0 {
		t.Errorf("got %+v, %d down, want nothing", got, s.down.Load())
	}
}

// GoBGP's events lack the zone of a link-local neighbour.
func TestZoneIsFound(t *testing.T) {
	s, _ := recorder(slog.LevelInfo)
	s.Follow("fe80::1%eth0")
	s.Follow("192.0.2.2")
	if e, _, ok := s.Record("fe80::1", Established); !ok || e.Address != "fe80::1%eth0" {
		t.Errorf("got %+v, %t", e, ok)
	}
	if got := s.followed(); !slices.Equal(got, []string{"192.0.2.2", "fe80::1%eth0"}) {
		t.Errorf("got %v", got)
	}
}

// peerLog is the logger that GoBGP makes for a peer.
func peerLog(s *Sessions, address string) *slog.Logger {
	return slog.New(speakerLog{sessions: s}).With(slog.String("Topic", "Peer"), slog.String("Key", address))
}

// GoBGP is asked for debug messages only while they may hold a reason.
func TestLogLevel(t *testing.T) {
	s, _ := recorder(slog.LevelInfo)
	general := slog.New(speakerLog{sessions: s})
	debug := func() bool { return general.Enabled(context.Background(), slog.LevelDebug) }
	if debug() {
		t.Error("asked for without peers")
	}
	s.Follow("192.0.2.2")
	if !debug() {
		t.Error("not asked for with a peer that is down")
	}
	s.Record("192.0.2.2", Established)
	if debug() {
		t.Error("asked for with all peers up")
	}
	s.Record("192.0.2.2", Idle)
	if s.brief = true; debug() {
		t.Error("a speaker process asks for reasons that nobody reads")
	}
}

// A peer's own messages are needed at every level until its session is up, in a speaker
// process too: they tell which goroutine is about to read from it.
func TestLogLevelOfAPeer(t *testing.T) {
	s, _ := recorder(slog.LevelInfo)
	s.brief = true
	log := peerLog(s, "192.0.2.2")
	debug := func() bool { return log.Enabled(context.Background(), slog.LevelDebug) }
	if !debug() {
		t.Error("not asked for before the session is up")
	}
	if log.Info("Peer Up"); debug() {
		t.Error("asked for while the session is up, for each path")
	}
	if log.Info("Peer Down"); !debug() {
		t.Error("not asked for after the session")
	}
}

// GoBGP's messages become reasons that an operator understands. Notifications are named by
// their code, with what the other end wrote (RFC 9003) or what was wrong with its message.
func TestFaultOf(t *testing.T) {
	notified := []any{"Code", bgp.BGP_ERROR_CEASE, "Subcode", bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN}
	for _, tc := range []struct {
		msg         string
		attrs       []any
		begin, want string
	}{
		{"failed to connect", []any{"Error", "dial tcp: connect: no route to host"}, "", "connect: no route to host"},
		{"failed to connect", []any{"Error", "deadline"}, "", "connect: deadline"},
		{"failed to set md5", []any{"Err", "setsockopt: invalid argument"}, "", "set the password: invalid argument"},
		{"Peer Down", []any{"Reason", "read-failed"}, "", "connection lost"},
		{
			"failed to connect",
			[]any{"Error", "dial tcp 0.0.0.0:0->192.0.2.4:179: i/o timeout"},
			"",
			"connect: no answer (i/o timeout): its port is filtered on the way, or the passwords (TCP MD5) differ",
		},
		{
			"Peer Down",
			[]any{"Reason", "graceful-restart"},
			"",
			"connection lost",
		},
		{"Peer Down", []any{"Reason", "admin-down"}, "", "admin down"},
		{"Peer Down", []any{"Reason", "notification-received code 6"}, "", ""},
		{"Peer Up", []any{"State", "BGP_FSM_ESTABLISHED"}, "", ""},
		{
			"received notification", append(notified, "Communicated-Reason", "maintenance"),
			"received notification code 6(cease)", `: "maintenance"`,
		},
		{
			"sent notification",
			[]any{"Code", bgp.BGP_ERROR_FSM_ERROR, "Subcode", 1},
			"sent notification code 5(fsm)",
			": the neighbour refuses our OPEN message",
		},
		{"sent notification", notified, "sent notification code 6(cease)", "(administrative shutdown)"},
	} {
		s, _ := recorder(slog.LevelInfo)
		s.Follow("192.0.2.2")
		peerLog(s, "192.0.2.2").Info(tc.msg, tc.attrs...)
		got := s.Of("192.0.2.2").Fault
		if !strings.HasPrefix(got, tc.begin) || !strings.HasSuffix(got, tc.want) || tc.begin == "" && got != tc.want {
			t.Errorf("%s %v: got %q, want %q ... %q", tc.msg, tc.attrs, got, tc.begin, tc.want)
		}
	}
	s, _ := recorder(slog.LevelInfo)
	s.Follow("192.0.2.2")
	log := peerLog(s, "192.0.2.2")
	log.Warn("Session will be reset due to malformed BGP message", "Error", "prefix misses length field")
	log.Info("sent notification", "Code", bgp.BGP_ERROR_UPDATE_MESSAGE_ERROR, "Subcode", 1, "Data", []byte{})
	if got := s.Of("192.0.2.2").Fault; !strings.HasPrefix(got, "sent notification code 3(update)") ||
		!strings.HasSuffix(got, ": prefix misses length field") {
		t.Errorf("got %q", got)
	}
}

// GoBGP's lines are logged with this program's names and in a fixed order; its
// information is one level lower here.
func TestLogLine(t *testing.T) {
	s, out := recorder(slog.LevelInfo)
	log := peerLog(s, "192.0.2.2")
	log.Info("nothing to see")
	if out.Len() != 0 {
		t.Errorf("an information was logged:\n%s", out)
	}
	log.Error("cannot listen", "Err", "in use", "State", "idle")
	want := `level=ERROR msg="gobgp: cannot listen" peer=192.0.2.2 state=idle error="in use"`
	if !strings.Contains(out.String(), want) || strings.Contains(strings.ToLower(out.String()), "topic") {
		t.Errorf("got %s, want %s", out, want)
	}
}

// The states have the names of RFC 4271.
func TestStateOf(t *testing.T) {
	for number, want := range []State{Idle, Idle, Connect, Active, OpenSent, OpenConfirm, Established, Idle} {
		p := &api.Peer{State: &api.PeerState{SessionState: api.PeerState_SessionState(number)}}
		if got := StateOf(p); got != want {
			t.Errorf("state %d is %s, want %s", number, got, want)
		}
	}
}
