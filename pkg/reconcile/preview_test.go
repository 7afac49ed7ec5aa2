package reconcile

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// A preview shows what another intent would lead to, and leaves the controller
// with its own.
func TestPreviewChangesNothing(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	peer := object.Peer{Address: "192.0.2.1", AS: 65000, Families: object.WordsOf("ipv4-unicast"), HoldTime: 9}
	n := newNode(t, "cmp-1", s, defaults(), func(c *Config) { c.Fixed = []object.Item{{Value: peer}} })
	n.settle()

	other := defaults()
	deny, err := observe.ParsePrefixRange("172.24.4.0/24 le 32")
	if err != nil {
		t.Fatal(err)
	}
	other.Expose.Export = expose.Filter{Deny: []observe.PrefixRange{deny}}
	quick, keyed := peer, peer
	quick.HoldTime, keyed.Password = 3, "secret"
	for _, tt := range []struct {
		peer object.Peer
		want []string
	}{
		{quick, []string{
			"- path    ipv4-unicast 172.24.4.92/32  (filtered-by-policy)",
			"hold 3 restart 0  (in place; the hold time counts from the next session on)", "1 filtered by policy",
		}},
		{keyed, []string{"(session reset: the password is the connection's)"}},
	} {
		r, err := n.c.Preview(t.Context(), Intent{
			Drivers: []desired.Driver{bgp.New(other)},
			Fixed:   []object.Item{{Value: tt.peer}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tt.want {
			if !strings.Contains(r.Plan.String(), want) {
				t.Errorf("got\n%swant %q in it", r.Plan, want)
			}
		}
		if r := n.round(); !r.Plan.Empty() || len(r.Plan.Notes) > 0 {
			t.Errorf("after the preview there is something to do:\n%s", r.Plan)
		}
	}
}

// Nothing of the configuration is another one after a preview with an intent that is different in all.
func TestPreviewTakesAllBack(t *testing.T) {
	s, err := story.Parse("include base")
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	fields := func() map[string]string {
		out := map[string]string{}
		v := reflect.ValueOf(n.c.cfg)
		for i := range v.NumField() {
			out[v.Type().Field(i).Name] = fmt.Sprintf("%#v", v.Field(i))
		}
		return out
	}
	was := fields()
	w := Intent{
		Drivers: []desired.Driver{}, Fixed: []object.Item{{}}, Forbidden: func(object.Key) *object.Block { return nil },
		Fuse: FuseConfig{Share: 0.9}, UnboundHold: time.Hour, Damping: dampedSoon, AuditInterval: time.Hour,
		DrainWait: time.Hour, LastResort: object.LastResort{LocalPref: true}, Reviewed: true, Text: "another",
		Own: &observe.Own{},
	}
	for v, i := reflect.ValueOf(w), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the intent is not different in %s", v.Type().Field(i).Name)
		}
	}
	n.c.adopt(w)
	if reflect.DeepEqual(fields(), was) {
		t.Fatal("an intent changes nothing")
	}
	n = newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	was = fields()
	w.Fixed = nil
	if _, err := n.c.Preview(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, fields()); diff != "" {
		t.Error("-before +after:", diff)
	}
}

// What the filter keeps back goes in one round and comes back in one, and its
// wiring stays where it is.
func TestFilterKeepsWiring(t *testing.T) {
	s, err := story.Parse("include base\n" + newVM)
	if err != nil {
		t.Fatal(err)
	}
	n := newNode(t, "cmp-1", s, defaults(), nil)
	n.settle()
	deny, err := observe.ParsePrefixRange("172.24.4.92/32")
	if err != nil {
		t.Fatal(err)
	}
	filtered := defaults()
	filtered.Expose.Export.Deny = []observe.PrefixRange{deny}
	for _, tt := range []struct {
		cfg  bgp.Config
		want string
		note int
	}{
		{filtered, "- path    ipv4-unicast 172.24.4.92/32  (filtered-by-policy)", 1},
		{defaults(), "+ path    ipv4-unicast 172.24.4.92/32", 0},
	} {
		n.c.Reconfigure(Intent{Drivers: []desired.Driver{bgp.New(tt.cfg)}})
		if r := n.round(); len(r.Plan.Ops) != 1 || !strings.HasPrefix(r.Plan.String(), tt.want) ||
			len(r.Plan.Notes) != tt.note {
			t.Errorf("got\n%swant one step, %q, and %d notes", r.Plan, tt.want, tt.note)
		}
		if r := n.round(); !r.Plan.Empty() {
			t.Errorf("it does not settle:\n%s", r.Plan)
		}
	}
}
