package speaker

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	api "github.com/osrg/gobgp/v3/api"
	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
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
	log := speakerLog{s}
	s.Follow("192.0.2.2")
	log.Warn("failed to connect", gobgplog.Fields{"Key": "192.0.2.2", "Error": syscall.ECONNREFUSED})
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
	log.Info("Peer Down", gobgplog.Fields{"Key": "192.0.2.2", "Reason": "hold-timer-expired"})
	e, changed, _ := s.Record("192.0.2.2", Active)
	if !changed || !strings.HasPrefix(e.Reason, "hold timer expired") {
		t.Errorf("got %+v, %t, want the hold timer", e, changed)
	}
	if !strings.Contains(out.String(), `msg="session is down" peer=192.0.2.2 reason="hold timer expired`) {
		t.Errorf("the log lacks the reason:\n%s", out)
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

// GoBGP is asked for debug messages only while they may hold a reason.
func TestLogLevel(t *testing.T) {
	s, _ := recorder(slog.LevelInfo)
	level := func() gobgplog.LogLevel { return speakerLog{s}.GetLevel() }
	if got := level(); got != gobgplog.InfoLevel {
		t.Errorf("without peers the level is %d", got)
	}
	s.Follow("192.0.2.2")
	if got := level(); got != gobgplog.DebugLevel {
		t.Errorf("with a peer that is down the level is %d", got)
	}
	s.Record("192.0.2.2", Established)
	if got := level(); got != gobgplog.InfoLevel {
		t.Errorf("with all peers up the level is %d", got)
	}
	s.Record("192.0.2.2", Idle)
	if s.brief = true; level() != gobgplog.InfoLevel {
		t.Error("a speaker process asks for reasons that nobody reads")
	}
}

// GoBGP's messages become reasons that an operator understands.
func TestFaultOf(t *testing.T) {
	wrapped := fmt.Errorf("dial tcp 192.0.2.1:0->192.0.2.2:179: %w", syscall.EHOSTUNREACH)
	for _, tc := range []struct {
		msg    string
		fields gobgplog.Fields
		want   string
	}{
		{"failed to connect", gobgplog.Fields{"Error": wrapped}, "connect: no route to host"},
		{"failed to connect", gobgplog.Fields{"Error": errors.New("deadline")}, "connect: deadline"},
		{"failed to set md5", gobgplog.Fields{"Err": syscall.EINVAL}, "set the password: invalid argument"},
		{"Peer Down", gobgplog.Fields{"Reason": "read-failed"}, "connection lost"},
		{"Peer Down", gobgplog.Fields{"Reason": "graceful-restart"}, "connection lost, routes kept for graceful restart"},
		{"Peer Down", gobgplog.Fields{"Reason": "admin-down"}, "admin down"},
		{"Peer Down", gobgplog.Fields{"Reason": "notification-received code 6"}, ""},
		{"Peer Up", gobgplog.Fields{"State": "BGP_FSM_ESTABLISHED"}, ""},
	} {
		if got := faultOf(tc.msg, tc.fields); got != tc.want {
			t.Errorf("%s %v: got %q, want %q", tc.msg, tc.fields, got, tc.want)
		}
	}
}

// A notification is named by its code, with what the other end wrote (RFC 9003).
func TestNotification(t *testing.T) {
	got := faultOf("received notification", gobgplog.Fields{
		"Code": uint8(bgp.BGP_ERROR_CEASE), "Subcode": uint8(bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN),
		"Communicated-Reason": "maintenance",
	})
	if !strings.HasPrefix(got, "received notification ") || !strings.HasSuffix(got, `: "maintenance"`) {
		t.Errorf("got %q", got)
	}
	got = faultOf("sent notification", gobgplog.Fields{
		"Data": bgp.NewMessageError(bgp.BGP_ERROR_OPEN_MESSAGE_ERROR, bgp.BGP_ERROR_SUB_BAD_PEER_AS, nil, "as is 65003"),
	})
	if !strings.HasPrefix(got, "sent notification ") || !strings.HasSuffix(got, ": as is 65003") {
		t.Errorf("got %q", got)
	}
}

// GoBGP's lines are logged with this program's names and in a fixed order; its
// information is one level lower here.
func TestLogLine(t *testing.T) {
	s, out := recorder(slog.LevelInfo)
	log := speakerLog{s}
	log.Info("nothing to see", gobgplog.Fields{"Key": "192.0.2.2"})
	if out.Len() != 0 {
		t.Errorf("an information was logged:\n%s", out)
	}
	log.Fatal("cannot listen", gobgplog.Fields{"Err": "in use", "State": "idle", "Key": "192.0.2.2", "Topic": "Peer"})
	want := `level=ERROR msg="gobgp: cannot listen" peer=192.0.2.2 state=idle error="in use"`
	if !strings.Contains(out.String(), want) || strings.Contains(strings.ToLower(out.String()), "topic") {
		t.Errorf("got %s, want %s", out, want)
	}
}

// The states have the names of RFC 4271.
func TestStateOf(t *testing.T) {
	for number, want := range []State{Idle, Idle, Connect, Active, OpenSent, OpenConfirm, Established} {
		p := &api.Peer{State: &api.PeerState{SessionState: api.PeerState_SessionState(number)}}
		if got := StateOf(p); got != want {
			t.Errorf("state %d is %s, want %s", number, got, want)
		}
	}
}
