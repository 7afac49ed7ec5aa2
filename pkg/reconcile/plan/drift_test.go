package plan

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// TestDriftOf says what became of an object, field by field.
func TestDriftOf(t *testing.T) {
	parse := func(line string) object.Value {
		if line == "" {
			return nil
		}
		v, err := object.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	const route = "route 10.0.0.5/32 table 201 metric 0  dev br-ex"
	for _, tt := range []struct {
		before, after, note, want string
	}{
		{"", route, "", "deleted"},
		{route, "", "", "added"},
		{"route 10.0.0.5/32 table 201 metric 0  dev eth1", route, "", "changed: dev eth1 -> br-ex"},
		{route, route, NoteFound + "mtu 1400", "changed: found mtu 1400"},
		{"sysctl net.ipv4.conf.br-ex.proxy_arp = 0", "sysctl net.ipv4.conf.br-ex.proxy_arp = 1", "", "changed: value 0 -> 1"},
		{"", route, NoteReplaced, "changed"},
		{route, "", NoteReplaced, ""},
		{route, route, NoteFound + "proto static", "foreign-mark: found proto static"},
		{route, route, NoteFound + "no mark of ours", "foreign-mark: found no mark of ours"},
	} {
		got := ""
		reclaim := strings.HasPrefix(tt.want, string(HowForeignMark))
		d := DriftOf(Op{Before: parse(tt.before), After: parse(tt.after), Note: tt.note, Reclaim: reclaim})
		if d != nil {
			got = d.String()
		}
		if got != tt.want {
			t.Errorf("%s -> %s (%s): got %q, want %q", tt.before, tt.after, tt.note, got, tt.want)
		}
	}
	if got := (Drift{How: HowDeleted, By: "ip[12]"}).String(); got != "deleted, by ip[12]" {
		t.Errorf("got %q", got)
	}
}
