package speaker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// speakerLog handles GoBGP's messages. Besides passing them on it records the reason why
// a session is not up, which GoBGP reports nowhere else.
type speakerLog struct {
	sessions *Sessions
	// with are the attributes that all messages of one logger have: those of a peer
	// name it.
	with []slog.Attr
	// peer is set in the logger of a peer.
	peer *served
}

var _ slog.Handler = speakerLog{}

// fields are the attributes of one message.
type fields map[string]slog.Value

// text is the value of a field; empty if there is none.
func (f fields) text(name string) string {
	v, ok := f[name]
	if !ok {
		return ""
	}
	return v.String()
}

// note records the reason in a message why a session is not up.
func (j *Sessions) note(msg string, f fields) {
	code, fault := faultOf(msg, f)
	key := f.text("Key")
	if fault == "" || key == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s, ok := j.peers[key]
	if !ok || msg == peerDown && s.notified { // the notification says more
		return
	}
	s.notified = s.notified || isNotification(msg)
	// What was wrong with a message is logged before the notification that reports it.
	if s.malformed != "" && msg == "sent notification" {
		fault += ": " + s.malformed
	}
	s.malformed = ""
	if strings.HasPrefix(msg, malformed) {
		s.malformed = f.text("Error")
	}
	s.Fault, s.Code, s.At = fault, code, time.Now()
}

// peerDown is GoBGP's message that a session has ended.
const peerDown = "Peer Down"

func isNotification(msg string) bool {
	return msg == "sent notification" || msg == "received notification"
}

// malformed begins GoBGP's messages about a message that ends the session.
const malformed = "Session will be reset due to malformed"

// faultOf is the reason in a message, as a code and in words, or nothing.
func faultOf(msg string, f fields) (code Fault, text string) {
	switch {
	case msg == "failed to connect":
		why := cause(f.text("Error"))
		return connectFault(why), "connect: " + unanswered(why)
	case msg == "failed to set md5":
		return FaultPassword, "set the password: " + cause(f.text("Err"))
	case isNotification(msg):
		if text, ok := bfdFault(f); ok {
			return FaultBFD, text
		}
		return notificationFault(number(f["Code"]), number(f["Subcode"])), notification(strings.Fields(msg)[0], f)
	case msg == peerDown:
		return downFault(f.text("Reason")), downReason(f.text("Reason"))
	case strings.HasPrefix(msg, malformed):
		return FaultMalformed, "malformed message from the neighbour: " + f.text("Error")
	}
	return "", ""
}

// unanswered adds what it means that nobody has answered: the kernel at the other end drops
// segments with a wrong TCP MD5 signature (RFC 2385), or without one, in silence.
func unanswered(why string) string {
	if why != "i/o timeout" && why != "connection timed out" {
		return why
	}
	return "no answer (" + why + "): its port is filtered on the way, or the passwords (TCP MD5) differ"
}

// cause is the end of an error's text, without the addresses that the reader knows
// already.
func cause(text string) string {
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return text[i+2:]
	}
	return text
}

func notification(verb string, f fields) string {
	code := bgp.NewNotificationErrorCode(number(f["Code"]), number(f["Subcode"]))
	text := fmt.Sprintf("%s notification %s", verb, code)
	if notificationFault(number(f["Code"]), number(f["Subcode"])) == FaultOpenRejected {
		text += ": the neighbour refuses our OPEN message"
	}
	if c, sub := number(f["Code"]), number(f["Subcode"]); c == bgp.BGP_ERROR_CEASE && sub == subBFDDown {
		text = verb + " notification code 6(cease) subcode 10(BFD down)"
	}
	// RFC 9003: what the operator at the other end wrote when he shut the session down.
	if reason := f.text("Communicated-Reason"); reason != "" {
		text += fmt.Sprintf(": %q", reason)
	}
	return text
}

func number(v slog.Value) uint8 {
	if v.Kind() != slog.KindInt64 {
		return 0
	}
	return uint8(v.Int64())
}

// downReason puts GoBGP's reason into words. Notifications have been noted
// from their own, more precise message.
func downReason(reason string) string {
	switch {
	case strings.HasPrefix(reason, "notification-"):
		return ""
	case reason == "read-failed" || reason == "write-failed" || reason == "graceful-restart":
		return "connection lost"
	case reason == "hold-timer-expired":
		return "hold timer expired: no message from the neighbour"
	}
	return strings.ReplaceAll(reason, "-", " ")
}

// WithAttrs is what GoBGP makes a peer's logger by.
func (l speakerLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.with = slices.Concat(l.with, attrs)
	l.peer = servedBy(l.with)
	return l
}

// WithGroup does nothing: GoBGP makes no groups.
func (l speakerLog) WithGroup(string) slog.Handler { return l }

// Enabled is asked on GoBGP's hot paths.
func (l speakerLog) Enabled(ctx context.Context, level slog.Level) bool {
	switch {
	case level >= slog.LevelInfo, l.peer.wants(), l.sessions.down.Load() > 0 && !l.sessions.brief:
		return true
	}
	return l.sessions.log.Enabled(ctx, level)
}

// Handle passes a message on with this program's names. Information is one level lower
// here: most of GoBGP's helps no operator, and session changes are logged by the backend.
func (l speakerLog) Handle(ctx context.Context, r slog.Record) error {
	if l.peer != nil {
		l.peer.note(r.Message)
	}
	f := make(fields, len(l.with)+r.NumAttrs())
	for _, a := range l.with {
		f[a.Key] = a.Value
	}
	r.Attrs(func(a slog.Attr) bool {
		f[a.Key] = a.Value
		return true
	})
	l.sessions.note(r.Message, f)
	level := r.Level
	if level == slog.LevelInfo {
		level = slog.LevelDebug
	}
	if !l.sessions.log.Enabled(ctx, level) {
		return nil
	}
	attrs := make([]slog.Attr, 0, len(f))
	for _, name := range loggedFields {
		if v, ok := f[name]; ok {
			attrs = append(attrs, slog.Attr{Key: attrName(name), Value: v})
		}
	}
	l.sessions.log.LogAttrs(ctx, level, "gobgp: "+r.Message, attrs...)
	return nil
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
