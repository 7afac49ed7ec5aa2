package key

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
)

// thing has one key of each constructor.
type thing struct {
	name    string
	on      bool
	number  uint8
	period  time.Duration
	wait    time.Duration
	share   float64
	color   int
	words   []string
	remotes []string
	parts   []part
	shades  map[string]part
	secret  string
}

type part struct {
	name  string
	words []string
	heavy bool
}

func partKeys(p *part) []Key {
	return []Key{
		Text(&p.name, "name", "n", nil).Needed("name it"),
		Strings(&p.words, "words", "w", nil), Bool(&p.heavy, "heavy", "h"),
	}
}

func plainPart() part { return part{words: []string{"usual"}} }

func (x *thing) keys() []Key {
	return []Key{
		Text(&x.name, "name", "n", func(s string) error {
			if s == "bad" {
				return Wrong("be good", "it is bad")
			}
			return nil
		}),
		Bool(&x.on, "group.on", "o"),
		Number(&x.number, "group.number", "n", Range[uint8]{Low: 2, High: 9, Also: []uint8{0}, Unit: "apples"}),
		Seconds(&x.period, "period", "p", Range[int64]{High: 60}),
		Duration(&x.wait, "wait", "w"), Share(&x.share, "share", "s"),
		Choice(&x.color, "color", "c", Option[int]{"red", 1}, Option[int]{"blue", 2}),
		Strings(&x.words, "words", "w", nil),
		CommaText(&x.remotes, "remotes", "r", func(s string) error {
			if s == "bad" {
				return Wrong("be good", "it is bad")
			}
			return nil
		}),
		Elements(&x.parts, "parts", "part", "p", plainPart, partKeys, nil),
		Named(&x.shades, "shades", "shade", "s", []string{"dark", "light"}, partKeys),
		Text(&x.secret, "secret", "s", nil).Hide(),
	}
}

func scalar(text string) Node {
	return Node{Kind: Scalar, Text: text, Place: Place{File: "f", Line: 7}}
}

func list(texts ...string) Node {
	n := Node{Kind: List, Place: Place{File: "f", Line: 7}}
	for i, text := range texts {
		item := scalar(text)
		item.Line = 8 + i
		n.Items = append(n.Items, item)
	}
	return n
}

func group(fields ...any) Node {
	n := Node{Kind: Map, Place: Place{File: "f", Line: 7}}
	for i := 0; i < len(fields); i += 2 {
		value := fields[i+1].(Node)
		n.Fields = append(n.Fields, Field{Name: fields[i].(string), Value: value, Place: value.Place})
	}
	return n
}

// What was written lands where it belongs.
func TestObject(t *testing.T) {
	var x thing
	var r Reading
	r.Object(group(
		"name", scalar("n"), "group", group("on", scalar("Yes"), "number", scalar("0x7")),
		"period", scalar("1_0"), "wait", scalar("1m"), "share", scalar(".5"), "color", scalar("blue"),
		"words", list("a", "b,c"), "remotes", scalar("x, y"),
		"parts", Node{
			Kind: List,
			Items: []Node{
				group("name", scalar("p")),
				group("name", scalar("q"), "words", list("z"), "heavy", scalar("on")),
			},
		},
		"shades", group("dark", group("name", scalar("d"))),
	), x.keys(), "")
	want := thing{
		name: "n", on: true, number: 7, period: 10 * time.Second, wait: time.Minute, share: .5, color: 2,
		words:   []string{"a", "b,c"},
		remotes: []string{"x", "y"},
		parts:   []part{{name: "p", words: []string{"usual"}}, {name: "q", words: []string{"z"}, heavy: true}},
		shades:  map[string]part{"dark": {name: "d"}},
	}
	if len(r.Problems()) > 0 || !reflect.DeepEqual(x, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", r.Problems(), x, want)
	}
}

// What is wrong keeps its default, and is said with its place.
func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		node Node
		want string
	}{
		{scalar("x"), "f:7: it holds a single value, not keys: write KEY: VALUE"},
		{group("nme", scalar("x")), "f:7: nme: unknown key: did you mean name?"},
		{group("on", scalar("x")), "f:7: on: unknown key: did you mean group.on?"},
		{
			group("group", scalar("x")),
			"f:7: group: it holds a single value, not keys: it is a group: write its keys below it, indented",
		},
		{group("group", group("no", scalar("x"))), "f:7: group.no: unknown key: did you mean on?"},
		{group("name", scalar("bad")), "f:7: name: it is bad: be good"},
		{group("name", list("x")), "f:7: name: it holds a list: write a single value"},
		{group("remotes", scalar("x,bad")), "f:7: remotes: it is bad: be good"},
		{group("group", group("number", scalar("1"))), "f:7: group.number: 1 is out of range: use 2 to 9 apples"},
		{group("group", group("number", scalar("256"))), "f:7: group.number: 256 is out of range: use 2 to 9 apples"},
		{group("group", group("number", scalar("-1"))), "f:7: group.number: -1 is out of range: use 2 to 9 apples"},
		{
			group("group", group("number", scalar("99999999999999999999"))),
			`f:7: group.number: "99999999999999999999" is not a whole number of apples: use 2 to 9 apples`,
		},
		{
			group("group", group("number", scalar("18446744073709551615"))),
			"f:7: group.number: 18446744073709551615 is out of range: use 2 to 9 apples",
		},
		{group("color", scalar("green")), `f:7: color: unknown value "green": use red or blue`},
		{
			group("words", Node{Kind: List, Items: []Node{{Place: Place{File: "f", Line: 9}}}}),
			"f:9: words[0]: an empty element: give it a value or leave it out",
		},
		{group("parts", scalar("x")), "f:7: parts: it holds a single value, not a list: write a list: - {KEY: VALUE}"},
		{
			group("parts", Node{Kind: List, Items: []Node{{Place: Place{File: "f", Line: 9}}}}),
			"f:9: parts[0].name: missing: name it",
		},
		{group("shades", group("grey", group())), `f:7: shades: unknown shade "grey": use dark or light`},
		{
			group("shades", list("grey")),
			"f:7: shades: it holds a list, not a group: write NAME: {KEY: VALUE}; use dark or light as name",
		},
		{
			group("shades", group("dark", scalar("x"))),
			"f:7: shades.dark: it holds a single value, not keys: write KEY: VALUE",
		},
		{group("naem", Node{}), ": a key without a value: quote values that have a comma in them"},
		{group("x\ny", scalar("z")), `f:7: x\ny: unknown key: see docs/configuration.md`},
		{
			group("name", scalar("a"), "name", scalar("b")),
			"f:7: name: the key is here twice, first at f:7: leave one of them out",
		},
	} {
		var x thing
		var r Reading
		r.Object(tt.node, x.keys(), "")
		if err := r.Problems().Err(); err == nil ||
			strings.TrimPrefix(err.Error(), ": ") != strings.TrimPrefix(tt.want, ": ") {
			t.Errorf("got\n%v\nwant\n%s", err, tt.want)
		}
	}
}

// A flag that may be repeated has lists with commas; elements are KEY=VALUE, with
// quotes around an item that has a comma in it.
// setText reads one key of a thing that has something already.
func setText(t *testing.T, name string, texts ...string) (thing, error) {
	t.Helper()
	x := thing{words: []string{"old"}, shades: map[string]part{"light": {name: "l"}}}
	var r Reading
	k, ok := find(x.keys(), name)
	if !ok {
		t.Fatalf("no key %s", name)
	}
	r.SetText(k, texts, Place{Source: "--" + k.Flag()})
	return x, r.Problems().Err()
}

func TestSetText(t *testing.T) {
	if x, err := setText(t, "words", `a,"b,c"`, "d", ""); err != nil || fmt.Sprint(x.words) != "[a b,c d]" {
		t.Errorf("%v, %v", x.words, err)
	}
	if x, err := setText(t, "words", ""); err != nil || len(x.words) != 0 {
		t.Errorf("%v, %v", x.words, err)
	}
	if x, err := setText(t, "group.number", "3", "4"); err != nil || x.number != 4 {
		t.Errorf("%v, %v", x.number, err)
	}
	for text, want := range map[string]part{
		"name=a":                          {name: "a", words: []string{"usual"}},
		` name=a , heavy, words=x+ y`:     {name: "a ", words: []string{"x", "y"}, heavy: true},
		`"name=a,b",heavy=no`:             {name: "a,b", words: []string{"usual"}},
		`heavy, "name=say ""a"", b"`:      {name: `say "a", b`, words: []string{"usual"}, heavy: true},
		`name=a"b`:                        {name: `a"b`, words: []string{"usual"}},
		`name=a=b,words=`:                 {name: "a=b"},
		`"name=a","words=x"` + `,"heavy"`: {name: "a", words: []string{"x"}, heavy: true},
	} {
		if x, err := setText(t, "parts", text); err != nil || len(x.parts) != 1 || !reflect.DeepEqual(x.parts[0], want) {
			t.Errorf("%s: %+v, %v", text, x.parts, err)
		}
	}
	if x, err := setText(t, "parts", "name=a", " ", "name=b"); err != nil || len(x.parts) != 2 {
		t.Errorf("%v, %v", x.parts, err)
	}
	if x, err := setText(t, "shades", "shade=dark,name=d"); err != nil || len(x.shades) != 2 {
		t.Errorf("%v, %v", x.shades, err)
	}
	if x, err := setText(t, "shades", ""); err != nil || x.shades != nil {
		t.Errorf("%v, %v", x.shades, err)
	}
}

// What is refused says where and what to write instead.
func TestSetTextRefuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{
			"words", `a,"b`,
			`--words: words: "a,\"b" is not a list with commas: ` +
				`quote a value that has a comma or a quote in it, as in "a,b",c`,
		},
		{
			"parts", `name=a,"b`,
			`--parts: parts[0]: a quote is not closed, or something follows it: ` +
				`quote an item as a whole, with quotes in it doubled: "KEY=a,b"`,
		},
		{
			"parts", `name=a,"heavy"no`,
			`--parts: parts[0]: a quote is not closed, or something follows it: ` +
				`quote an item as a whole, with quotes in it doubled: "KEY=a,b"`,
		},
		{
			"parts", "name=a,b",
			`--parts: parts[0]: item 2 is not KEY=VALUE: quote an item that has a comma in it: "KEY=a,b"`,
		},
		{
			"parts", "name=a,light",
			`--parts: parts[0]: item 2 is not KEY=VALUE: quote an item that has a comma in it: "KEY=a,b"`,
		},
		{
			"parts", "name=a,name=b",
			"--parts: parts[0].name: the key is here twice, first at --parts: leave one of them out",
		},
		{
			"parts", "name=a,havy",
			`--parts: parts[0]: item 2 is not KEY=VALUE: quote an item that has a comma in it: "KEY=a,b"`,
		},
		{"parts", "heavy", "--parts: parts[0].name: missing: name it"},
		{
			"parts", "name=a,words",
			`--parts: parts[0]: item 2 is not KEY=VALUE: quote an item that has a comma in it: "KEY=a,b"`,
		},
		{"shades", "name=a", "--shades: shades: there is no shade: begin with shade=NAME; use dark or light"},
		{"shades", "shade=grey,name=a", `--shades: shades: unknown shade "grey": use dark or light`},
	} {
		if _, err := setText(t, tt.name, tt.text); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got\n%v\nwant\n%s", tt.text, err, tt.want)
		}
	}
}

// Where a table has a secret, the name of an unknown key in a flag is shown only if
// it is nearly that of a key: it may be a piece of the secret.
func TestSecretItems(t *testing.T) {
	var x thing
	table := []Key{Text(&x.secret, "secret", "s", nil).Hide(), Text(&x.name, "name", "n", nil)}
	for text, shown := range map[string]bool{"secret=a,hunter=2": false, "secrte=a": true, "secret=a,hunter": false} {
		var r Reading
		_, ok := r.items(text, table, Place{}, "x")
		said := fmt.Sprint(r.Problems().Err())
		if ok || strings.Contains(said, "hunter") || strings.Contains(said, "secrte") != shown {
			t.Errorf("%s: %s", text, said)
		}
	}
	if k := table[0]; k.Text() != "" || k.Default() != "none" {
		t.Errorf("a secret prints as %q, %q", k.Text(), k.Default())
	}
}

// A later source replaces the places of an earlier one, and a check finds the place
// of what lacks a value.
func TestPlaces(t *testing.T) {
	var x thing
	var r Reading
	table := x.keys()
	r.Object(
		group("parts", Node{Kind: List, Items: []Node{group("name", scalar("a")), group("name", scalar("b"))}}),
		table,
		"",
	)
	k, _ := find(table, "parts")
	r.SetText(k, []string{"name=c"}, Place{Source: "--parts"})
	r.Report("parts[0].words", "short", "")
	r.Report("parts[1].name", "gone", "")
	r.Report("elsewhere", "nowhere", "")
	if got := r.Problems().Err().Error(); got != "elsewhere: nowhere; "+
		"--parts: parts[0].words: short; --parts: parts[1].name: gone" {
		t.Error(got)
	}
	again := Resume(r.Places())
	again.Report("parts[0].name", "bad", "mend it")
	if got := again.Problems().Err().Error(); got != "--parts: parts[0].name: bad: mend it" {
		t.Error(got)
	}
}

// There are never more problems than somebody reads, and each is said once.
func TestProblemsAreBounded(t *testing.T) {
	var r Reading
	for i := range 250 {
		r.At(Place{File: "f", Line: 250 - i}, "k", "bad", "")
	}
	got := r.Problems()
	if len(got) != most+1 || got[0].Line != 151 || got[most].Text != "150 more problems" {
		t.Errorf("%d problems, the first in line %d, the last %v", len(got), got[0].Line, got[most])
	}
	var twice Reading
	twice.At(Place{}, "k", "bad", "")
	twice.At(Place{}, "k", "bad", "")
	if len(twice.Problems()) != 1 || (Problems)(nil).Err() != nil {
		t.Error("said twice, or an error of nothing")
	}
}

func TestNearest(t *testing.T) {
	var x thing
	for name, want := range map[string]string{
		"name": "name", "anme": "name", "colour": "color", "words": "words", "wrds": "words", "gruop": "group",
		"xyzzy": "", "number": "group.number",
		strings.Repeat("n", 70): "", "group_on": "group.on",
	} {
		if got := nearest(name, "", x.keys()); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"abc", "acb", 1},
		{"abc", "abd", 1},
		{"abc", "xabc", 1},
		{"bacd", "abdc", 2},
		{"kitten", "sitting", 3},
	} {
		if got := distance(tt.a, tt.b); got != tt.want || distance(tt.b, tt.a) != tt.want {
			t.Errorf("%q, %q: %d, want %d", tt.a, tt.b, got, tt.want)
		}
	}
}

// A value in a message is cut, and its control characters are escaped.
func TestQuote(t *testing.T) {
	long := strings.Repeat("ä", 100)
	if got := Quote(long); len(got) > 90 || !strings.HasSuffix(got, `"...`) || strings.Contains(got, "\\x") {
		t.Error(got)
	}
	if got := Quote("a\n\"b"); got != `"a\n\"b"` {
		t.Error(got)
	}
	if got := bare(" 12 "); got != "12" {
		t.Error(got)
	}
	if got := bare(strings.Repeat("1", 100)); got != strings.Repeat("1", 80)+"..." {
		t.Error(got)
	}
}

func TestOneOf(t *testing.T) {
	for want, words := range map[string][]string{
		"": nil, "a": {"a"}, "a or b": {"a", "b"}, "a, b or c": {"a", "b", "c"},
	} {
		if got := OneOf(words); got != want {
			t.Errorf("%v: %s", words, got)
		}
	}
}

// The error of a parser that knows no remedy is said as it is.
func TestDescribe(t *testing.T) {
	if text, remedy := Describe(fmt.Errorf("plain")); text != "plain" || remedy != "" {
		t.Error(text, remedy)
	}
	err := fmt.Errorf("wrapped: %w", Wrong("mend", "bad %d", 1))
	if text, remedy := Describe(err); text != "bad 1" || remedy != "mend" ||
		Wrong("mend", "bad").Error() != "bad: mend" {
		t.Error(text, remedy)
	}
}
