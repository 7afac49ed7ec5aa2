package bgp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// journal is GoBGP's logger. Besides passing messages on it remembers per peer
// what GoBGP tells nowhere else: why a session is not up.
type journal struct {
	log *slog.Logger
	// brief is set where nobody asks why a connection failed.
	brief bool

	mu    sync.Mutex
	peers map[string]*session
	// down counts the peers that are not established. While there are any,
	// GoBGP is asked for debug messages: only those say why a connection
	// failed. Else it is spared the cost of making them, which is paid per
	// path.
	down atomic.Int32
}

// session is what is remembered of one peer.
type session struct {
	state State
	since time.Time
	fault string
	at    time.Time
}

var _ gobgplog.Logger = (*journal)(nil)

func newJournal(log *slog.Logger) *journal {
	return &journal{log: log, peers: make(map[string]*session)}
}

// follow begins to remember a peer, unless it is remembered already.
func (j *journal) follow(address string) (begun bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if _, ok := j.peers[address]; ok {
		return false
	}
	j.peers[address] = &session{state: Idle, since: time.Now()}
	j.down.Add(1)
	return true
}

// forget ends what follow began.
func (j *journal) forget(address string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok && s.state != Established {
		j.down.Add(-1)
	}
	delete(j.peers, address)
}

// upSince corrects when a session came up.
func (j *journal) upSince(address string, at time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok {
		s.since = at
	}
}

// known lists the peers that are followed.
func (j *journal) known() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Sorted(maps.Keys(j.peers))
}

// enter records a state and returns what is known with it. flipped is true
// when the session came up or went down.
func (j *journal) enter(bare string, state State) (e PeerEvent, flipped, known bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	address, s := j.find(bare)
	if s == nil {
		return PeerEvent{}, false, false
	}
	e = PeerEvent{Address: address, Was: s.state, State: state, At: time.Now()}
	flipped = (s.state == Established) != (state == Established)
	switch {
	case !flipped:
	case state == Established:
		j.down.Add(-1)
		s.since = e.At
	default:
		j.down.Add(1)
		if s.at.After(s.since) { // else it is from before the session
			e.Reason = s.fault
		}
		s.since = e.At
	}
	s.state = state
	return e, flipped, true
}

// find looks a peer up by its address, which GoBGP's events give without the
// zone of a link-local one.
func (j *journal) find(bare string) (string, *session) {
	if s, ok := j.peers[bare]; ok {
		return bare, s
	}
	for address, s := range j.peers {
		if strings.HasPrefix(address, bare+"%") {
			return address, s
		}
	}
	return "", nil
}

// of returns a copy of what is known of a peer.
func (j *journal) of(address string) session {
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[address]; ok {
		return *s
	}
	return session{}
}

// note keeps a message that says why a session is not up.
func (j *journal) note(msg string, fields gobgplog.Fields) {
	fault := faultOf(msg, fields)
	key, _ := fields["Key"].(string)
	if fault == "" || key == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[key]; ok {
		s.fault, s.at = fault, time.Now()
	}
}

// faultOf is the reason in a message, in words, or nothing.
func faultOf(msg string, fields gobgplog.Fields) string {
	switch msg {
	case "failed to connect":
		return "connect: " + cause(fields["Error"])
	case "failed to set md5":
		return "set the password: " + cause(fields["Err"])
	case "sent notification", "received notification":
		return notification(strings.Fields(msg)[0], fields)
	case "Peer Down":
		return downReason(fmt.Sprint(fields["Reason"]))
	}
	return ""
}

// cause is the end of an error chain, without the addresses that the reader
// knows already.
func cause(v any) string {
	var errno syscall.Errno
	if err, ok := v.(error); ok && errors.As(err, &errno) {
		return errno.Error()
	}
	return fmt.Sprint(v)
}

func notification(verb string, fields gobgplog.Fields) string {
	if e, ok := fields["Data"].(*bgp.MessageError); ok {
		return fmt.Sprintf("%s notification %s: %s", verb, bgp.NewNotificationErrorCode(e.TypeCode, e.SubTypeCode), e.Message)
	}
	code, _ := fields["Code"].(uint8)
	sub, _ := fields["Subcode"].(uint8)
	text := fmt.Sprintf("%s notification %s", verb, bgp.NewNotificationErrorCode(code, sub))
	if said, _ := fields["Communicated-Reason"].(string); said != "" {
		text += fmt.Sprintf(": %q", said)
	}
	return text
}

// downReason puts GoBGP's reason into words. Notifications have been noted
// from their own, more telling message.
func downReason(reason string) string {
	switch {
	case strings.HasPrefix(reason, "notification-"):
		return ""
	case reason == "read-failed" || reason == "write-failed":
		return "connection lost"
	case reason == "graceful-restart":
		return "connection lost, routes kept for graceful restart"
	case reason == "hold-timer-expired":
		return "hold timer expired: the neighbour went silent"
	}
	return strings.ReplaceAll(reason, "-", " ")
}

// Panic and Fatal are errors like others: a speaker in trouble must not take
// the node's forwarding state down with it.
func (j *journal) Panic(msg string, f gobgplog.Fields) { j.emit(slog.LevelError, msg, f) }

// Fatal logs an error and returns.
func (j *journal) Fatal(msg string, f gobgplog.Fields) { j.emit(slog.LevelError, msg, f) }

// Error logs at the same level.
func (j *journal) Error(msg string, f gobgplog.Fields) { j.emit(slog.LevelError, msg, f) }

// Warn logs at the same level.
func (j *journal) Warn(msg string, f gobgplog.Fields) { j.emit(slog.LevelWarn, msg, f) }

// Info logs one level lower: GoBGP says much that is news to nobody, and
// session changes are logged by the backend itself.
func (j *journal) Info(msg string, f gobgplog.Fields) { j.emit(slog.LevelDebug, msg, f) }

// Debug logs at the same level.
func (j *journal) Debug(msg string, f gobgplog.Fields) { j.emit(slog.LevelDebug, msg, f) }

// SetLevel does nothing: the level is that of the handler.
func (j *journal) SetLevel(gobgplog.LogLevel) {}

// GetLevel is asked on GoBGP's hot paths.
func (j *journal) GetLevel() gobgplog.LogLevel {
	if j.down.Load() > 0 && !j.brief || j.log.Enabled(context.Background(), slog.LevelDebug) {
		return gobgplog.DebugLevel
	}
	return gobgplog.InfoLevel
}

func (j *journal) emit(level slog.Level, msg string, fields gobgplog.Fields) {
	j.note(msg, fields)
	if !j.log.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, len(fields))
	for _, name := range []string{"Key", "State", "Reason", "Code", "Subcode", "Communicated-Reason", "Data", "Err", "Error"} {
		if v, ok := fields[name]; ok {
			attrs = append(attrs, slog.Any(attrName(name), v))
		}
	}
	j.log.LogAttrs(context.Background(), level, "gobgp: "+msg, attrs...)
}

// attrName gives GoBGP's fields this program's names.
func attrName(field string) string {
	switch field {
	case "Key":
		return "peer"
	case "Err":
		return "error"
	}
	return strings.ToLower(field)
}
