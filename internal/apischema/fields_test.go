package apischema

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// lists are the lists of strings that answers may have: names, codes and other single
// words. What has parts is a list of objects.
var lists = []string{
	"rds", "route_targets", "import_targets", "communities", "large_communities", "chassis", "probable_chassis",
	"ruled_out", "terms", "known_as", "changed", "restart", "others", "from", "to", "nodes", "unknown", "egress_ip_names",
}

// TestFieldsHaveTypes: no answer has a list of sentences or a duration that is no number of
// seconds. What texts there are, answers of a real controller and of snapshots are looked
// at for, with Validate.
func TestFieldsHaveTypes(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(s reflect.Type) {
		for slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, s.Kind()) {
			s = s.Elem()
		}
		if s.Kind() != reflect.Struct || seen[s] {
			return
		}
		seen[s] = true
		for _, f := range reflect.VisibleFields(s) {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || !f.IsExported() {
				continue
			}
			if f.Type == reflect.TypeFor[time.Duration]() {
				t.Errorf("%s.%s is a duration in nanoseconds: use a float64 of seconds", s, f.Name)
			}
			if f.Type == reflect.TypeFor[[]string]() && !slices.Contains(lists, name) {
				t.Errorf("%s.%s is a list of strings: give it fields, or add %q to the lists of single words", s, f.Name, name)
			}
			walk(f.Type)
		}
	}
	for _, a := range Answers() {
		walk(reflect.TypeOf(a.value))
	}
}

// TestSentences: what is in the wrong place is found, and what is in a place for it is not.
func TestSentences(t *testing.T) {
	for answer, want := range map[string]string{
		`{"text": "some words", "key": "10.0.0.0/8 table 7"}`: "",
		`{"a": ["! route 10.0.0.0/8"]}`:                       `.a[]: "! route 10.0.0.0/8" is a sentence`,
		`{"drift": {"missing": [{"code": "to create"}]}}`:     `.drift.missing[].code: "to create" is a sentence`,
		`{"last_round": {"took": "1.5ms"}, "b": [{"c": "2m0s"}]}`: `.b[].c: "2m0s" is no number of seconds; ` +
			`.last_round.took: "1.5ms" is no number of seconds`,
		`{"seconds": 0.0015, "device": "eth0", "as": 65000, "as_path": "65000 65001"}`: "",
	} {
		found, err := Sentences([]byte(answer))
		if got := strings.Join(found, "; "); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", answer, got, err, want)
		}
	}
	if _, err := Sentences([]byte("{")); err == nil {
		t.Error("half an answer")
	}
	if err := Validate(dir, "reload", []byte(`{"version": 1, "changed": ["a b"]}`)); err == nil {
		t.Error("a sentence in an answer that is otherwise as its schema has it")
	}
}
