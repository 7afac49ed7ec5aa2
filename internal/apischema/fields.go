package apischema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// forPeople are the fields whose text is for people: scripts find the same in others.
var forPeople = []string{
	"text", "line", "try", "summary", "detail", "error", "last_error", "cause", "remedy", "first_reason", "what", "note",
	"frozen", "stale", "incomplete", "attributes", "reason", "program",
	"before", "after", // of a step of the history: what may change under its key, as a plan prints it
	"found", "wanted", // the same of one field that drifted
}

// named are the fields that hold a name that others choose, or a key in its one text form,
// in which there may be spaces.
var named = []string{
	"key", "nlri", "as_path", "names", "name", "others", "row", "object", "chassis", "target", "id", "terms", "known_as",
	"network", "check",
}

// durations is the text that Go has for durations. A name of a device such as 5m is not
// looked at: this rule is for fields that no other one covers.
var duration = regexp.MustCompile(`^([0-9.]+(ns|µs|ms|h|m|s))+$`)

// Sentences lists what of an answer in JSON is a sentence, a list without elements that is
// null or a duration in words where a field belongs, each with where it is.
func Sentences(answer []byte) ([]string, error) {
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	var found []string
	sentences(&found, "", "", v)
	slices.Sort(found)
	return found, nil
}

// sentences looks at what is in a field at a place.
func sentences(found *[]string, at, field string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, w := range v {
			inner := name
			if field == "names" { // its keys are what texts mention
				inner = field
			}
			sentences(found, at+"."+name, inner, w)
		}
	case []any:
		for _, w := range v {
			sentences(found, at+"[]", field, w)
		}
	case string:
		switch {
		case slices.Contains(forPeople, field):
		case strings.Contains(v, " ") && !slices.Contains(named, field):
			*found = append(*found, fmt.Sprintf("%s: %q is a sentence", at, v))
		case duration.MatchString(v) && !slices.Contains(named, field):
			*found = append(*found, fmt.Sprintf("%s: %q is no number of seconds", at, v))
		}
	}
}
