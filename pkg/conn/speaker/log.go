package speaker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"time"

	gobgplog "github.com/osrg/gobgp/v3/pkg/log"
	"github.com/osrg/gobgp/v3/pkg/packet/bgp"
)

// speakerLog is GoBGP's logger. Besides passing messages on it records the reason why a
// session is not up, which GoBGP reports nowhere else.
type speakerLog struct{ sessions *Sessions }

var _ gobgplog.Logger = speakerLog{}

// note records the reason in a message why a session is not up.
func (j *Sessions) note(msg string, fields gobgplog.Fields) {
	fault := faultOf(msg, fields)
	key, _ := fields["Key"].(string)
	if fault == "" || key == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if s, ok := j.peers[key]; ok {
		s.Fault, s.At = fault, time.Now()
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
		code := bgp.NewNotificationErrorCode(e.TypeCode, e.SubTypeCode)
		return fmt.Sprintf("%s notification %s: %s", verb, code, e.Message)
	}
	code, _ := fields["Code"].(uint8)
	sub, _ := fields["Subcode"].(uint8)
	text := fmt.Sprintf("%s notification %s", verb, bgp.NewNotificationErrorCode(code, sub))
	// RFC 9003: what the operator at the other end wrote when he shut the session down.
	if reason, _ := fields["Communicated-Reason"].(string); reason != "" {
		text += fmt.Sprintf(": %q", reason)
	}
	return text
}

// downReason puts GoBGP's reason into words. Notifications have been noted
// from their own, more precise message.
func downReason(reason string) string {
	switch {
	case strings.HasPrefix(reason, "notification-"):
		return ""
	case reason == "read-failed" || reason == "write-failed":
		return "connection lost"
	case reason == "graceful-restart":
		return "connection lost, routes kept for graceful restart"
	case reason == "hold-timer-expired":
		return "hold timer expired: no message from the neighbour"
	}
	return strings.ReplaceAll(reason, "-", " ")
}

// Panic and Fatal are errors like others: a speaker in trouble must not take
// the node's forwarding state down with it.
func (l speakerLog) Panic(msg string, f gobgplog.Fields) { l.emit(slog.LevelError, msg, f) }

// Fatal logs an error and returns.
func (l speakerLog) Fatal(msg string, f gobgplog.Fields) { l.emit(slog.LevelError, msg, f) }

// Error logs at the same level.
func (l speakerLog) Error(msg string, f gobgplog.Fields) { l.emit(slog.LevelError, msg, f) }

// Warn logs at the same level.
func (l speakerLog) Warn(msg string, f gobgplog.Fields) { l.emit(slog.LevelWarn, msg, f) }

// Info logs one level lower: most of GoBGP's messages help no operator, and
// session changes are logged by the backend itself.
func (l speakerLog) Info(msg string, f gobgplog.Fields) { l.emit(slog.LevelDebug, msg, f) }

// Debug logs at the same level.
func (l speakerLog) Debug(msg string, f gobgplog.Fields) { l.emit(slog.LevelDebug, msg, f) }

// SetLevel does nothing: the level is that of the handler.
func (l speakerLog) SetLevel(gobgplog.LogLevel) {}

// GetLevel is asked on GoBGP's hot paths.
func (l speakerLog) GetLevel() gobgplog.LogLevel {
	if l.sessions.down.Load() > 0 && !l.sessions.brief || l.sessions.log.Enabled(context.Background(), slog.LevelDebug) {
		return gobgplog.DebugLevel
	}
	return gobgplog.InfoLevel
}

func (l speakerLog) emit(level slog.Level, msg string, fields gobgplog.Fields) {
	l.sessions.note(msg, fields)
	if !l.sessions.log.Enabled(context.Background(), level) {
		return
	}
	attrs := make([]slog.Attr, 0, len(fields))
	for _, name := range loggedFields {
		if v, ok := fields[name]; ok {
			attrs = append(attrs, slog.Any(attrName(name), v))
		}
	}
	l.sessions.log.LogAttrs(context.Background(), level, "gobgp: "+msg, attrs...)
}

// loggedFields are GoBGP's fields that help an operator, in the order in
// which they are logged.
var loggedFields = []string{"Key", "State", "Reason", "Code", "Subcode", "Communicated-Reason", "Data", "Err", "Error"}

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
