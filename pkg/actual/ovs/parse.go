package ovs

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// The canonical form of a flow is what
//
//	ovs-ofctl --no-names --no-stats dump-flows
//
// prints, made independent of the OpenFlow version:
//
//   - Match is the match without priority, separated by commas, in the order
//     of the switch: protocol (ip, ipv6, tcp), in_port, VLAN, dl_src, dl_dst,
//     nw_src or ipv6_src, and so on. Ports are numbers; LOCAL stays as it is. An
//     empty match is written any.
//   - Actions are separated by commas in the order of execution. Setting an
//     Ethernet address is mod_dl_dst:MAC or mod_dl_src:MAC, as OpenFlow 1.0 has
//     it, and not set_field:MAC->eth_dst as from 1.2 on; removing a VLAN tag is
//     strip_vlan and not pop_vlan. No action is drop. Where the match has no
//     VLAN, strip_vlan is possible on bridges that speak OpenFlow 1.0 only.
//   - What we never write (timeouts, importance, flags) is put in front of the
//     actions, so that such a flow differs from any that is wanted. The flag
//     reset_counts is left out: every flow that was added by OpenFlow 1.0 has
//     it, the default of ovs-ofctl, and it means nothing once it is added.
//
// So the flows of a provider bridge are
//
//	ip,in_port=1    mod_dl_dst:3a:f7:e9:54:e8:4d,NORMAL
//	ipv6,in_port=1  mod_dl_dst:3a:f7:e9:54:e8:4d,NORMAL
const (
	anyMatch        = "any"
	noActions       = "drop"
	defaultPriority = 32768 // OFP_DEFAULT_PRIORITY, which is not printed
)

// parseDump reads all flows of a bridge. A line that it cannot read is an
// error: a flow that is overlooked would be added again for ever.
func parseDump(bridge string, out []byte) ([]object.Flow, error) {
	var flows []object.Flow
	for line := range bytes.Lines(out) {
		text := strings.TrimSpace(string(line))
		if text == "" || isHeader(text) {
			continue
		}
		f, err := parseFlow(bridge, text)
		if err != nil {
			return nil, fmt.Errorf("parse %q of ovs-ofctl: %w", text, err)
		}
		flows = append(flows, f)
	}
	return flows, nil
}

// isHeader recognises the line before the flows, which some versions print:
// "OFPST_FLOW reply (OF1.4) (xid=0x2):".
func isHeader(line string) bool {
	return strings.Contains(line, "ST_FLOW reply") && strings.HasSuffix(line, ":")
}

// parseFlow reads one line, such as
//
//	cookie=0x3e7, table=3, priority=900,ip,in_port=1 actions=NORMAL
//
// Attributes end with a comma and a blank, flags with a blank; the match has
// no blanks, and a priority at its head.
func parseFlow(bridge, line string) (object.Flow, error) {
	f := object.Flow{Bridge: bridge, Priority: defaultPriority}
	head, actions, ok := strings.Cut(" "+line, " actions=")
	if !ok {
		return f, fmt.Errorf("the flow has no actions")
	}
	var extra []string
	for _, word := range strings.Fields(head) {
		attribute, isAttribute := strings.CutSuffix(word, ",")
		switch {
		case isAttribute:
			unknown, err := parseAttribute(&f, attribute)
			if err != nil {
				return f, err
			}
			extra = append(extra, unknown...)
		case word == "reset_counts":
		case isFlag(word):
			extra = append(extra, word)
		case f.Match != "":
			return f, fmt.Errorf("%q and %q cannot both be the match", f.Match, word)
		default:
			if err := parseMatch(&f, word); err != nil {
				return f, err
			}
		}
	}
	if f.Match == "" {
		f.Match = anyMatch
	}
	actions, err := canonicalActions(actions)
	f.Actions = strings.Join(append(extra, actions), ",")
	return f, err
}

// parseAttribute stores an attribute such as table=3. The ones that only differ between
// two readings are dropped, unknown ones returned.
func parseAttribute(f *object.Flow, word string) (unknown []string, err error) {
	name, value, _ := strings.Cut(word, "=")
	switch name {
	case "cookie":
		f.Cookie, err = strconv.ParseUint(value, 0, 64)
	case "table":
		var n uint64
		n, err = strconv.ParseUint(value, 10, 8)
		f.Table = uint8(n)
	case "duration", "n_packets", "n_bytes", "idle_age", "hard_age":
	default:
		if name == word || strings.ContainsAny(word, "()") {
			err = fmt.Errorf("not an attribute")
		}
		unknown = []string{word}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", word, err)
	}
	return unknown, err
}

func isFlag(word string) bool {
	return slices.Contains([]string{"send_flow_rem", "check_overlap", "no_packet_counts", "no_byte_counts"}, word)
}

// parseMatch splits priority=900,ip,in_port=1.
func parseMatch(f *object.Flow, word string) error {
	f.Match = anyMatch
	first, rest, more := strings.Cut(word, ",")
	value, ok := strings.CutPrefix(first, "priority=")
	if !ok {
		f.Match = word
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil {
		return fmt.Errorf("%s: %w", first, err)
	}
	f.Priority = uint16(n)
	if more && rest != "" {
		f.Match = rest
	}
	return nil
}

// canonicalActions rewrites what depends on the OpenFlow version.
func canonicalActions(actions string) (string, error) {
	actions = strings.Join(strings.Fields(actions), "")
	if actions == "" {
		return noActions, nil
	}
	words, err := splitActions(actions)
	for i, w := range words {
		words[i] = canonicalAction(w)
	}
	return strings.Join(words, ","), err
}

func canonicalAction(w string) string {
	if w == "pop_vlan" {
		return "strip_vlan"
	}
	value, ok := strings.CutPrefix(w, "set_field:")
	if !ok {
		return w
	}
	for _, form := range [...]struct{ field, action string }{{"->eth_dst", "mod_dl_dst:"}, {"->eth_src", "mod_dl_src:"}} {
		mac, ok := strings.CutSuffix(value, form.field)
		if !ok {
			continue
		}
		// One with a mask is another action.
		if _, err := object.ParseMAC(mac); err == nil {
			return form.action + mac
		}
	}
	return w
}

// splitActions cuts at the commas outside of parentheses.
func splitActions(s string) ([]string, error) {
	var words []string
	depth, from := 0, 0
	for i, c := range []byte(s) {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			words = append(words, s[from:i])
			from = i + 1
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 {
		return nil, fmt.Errorf("the parentheses of %q do not match", s)
	}
	return append(words, s[from:]), nil
}

// event is one line that "ovs-ofctl monitor" prints for a change. It has no
// priority.
type event struct {
	deleted bool
	cookie  uint64
	key     eventKey
	actions string
}

// eventKey is what an event contains of the key of its flow: no priority.
type eventKey struct {
	table uint8
	match string
}

// parseEvent reads a line such as
//
//	event=DELETED reason=delete table=1 cookie=0x3e7 ip,in_port=5 actions=NORMAL
//
// In it, actions are missing for drop.
func parseEvent(line string) (event, error) {
	e := event{key: eventKey{match: anyMatch}, actions: noActions}
	kind := ""
	for _, word := range strings.Fields(line) {
		name, value, _ := strings.Cut(word, "=")
		var err error
		switch name {
		case "event":
			kind = value
		case "reason":
		case "table":
			var n uint64
			n, err = strconv.ParseUint(value, 10, 8)
			e.key.table = uint8(n)
		case "cookie":
			e.cookie, err = strconv.ParseUint(value, 0, 64)
		case "actions":
			e.actions, err = canonicalActions(value)
		default:
			var f object.Flow
			err = parseMatch(&f, word)
			e.key.match = f.Match
		}
		if err != nil {
			return e, fmt.Errorf("parse %q of ovs-ofctl: %w", line, err)
		}
	}
	e.deleted = kind == "DELETED"
	if kind != "ADDED" && kind != "MODIFIED" && kind != "DELETED" {
		return e, fmt.Errorf("parse %q of ovs-ofctl: unknown event", line)
	}
	return e, nil
}
