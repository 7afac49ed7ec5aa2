package parts_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// The driver of these tests does what its rows say: each row is a part, and its ExternalIDs have a
// program, so that whatever parts may do to one another is drawn at random.

// run interprets the program of a row; words are
//
//	add K V R    an item with value V and rank R under key K, because of the row
//	block K V    the same, blocked
//	keep K L     the item under K keeps L
//	if K W...    the rest only if something stands under K
//	row N W...   the rest only if there is a row N
//	on N W...    the rest only if the datapath N has two rows at least
//	tell         a skip with what stands under key 0
//	hand N V     an early row hands V to part N of the last phase, which adds what it was handed
//	fact N W...  an early row tells fact N; of a late one the rest counts only if somebody told it
//	note N V     an early row notes V under N; a late one skips with all that is noted there
func run(p *parts.Pass, row *observe.PortBinding, late bool, words []string) {
	for len(words) > 0 {
		n := func(i int) int {
			v, err := strconv.Atoi(words[i])
			if err != nil {
				panic(err)
			}
			return v
		}
		why := []object.Source{{Driver: "toy", Table: "Port_Binding", Row: row.LogicalPort}}
		switch words[0] {
		case "add", "block":
			it := object.Item{Value: value(n(1), n(2)), Why: why, Rank: uint8(n(3)), After: []object.Key{key(n(2))}}
			if words[0] == "block" {
				it.Block = &object.Block{Code: "why", Text: words[2]}
			}
			if err := p.Add(it); err != nil {
				p.Skip(observe.Skip{Table: "Port_Binding", Row: row.LogicalPort, Text: err.Error()})
			}
			words = words[4:]
		case "keep":
			p.Keep(key(n(1)), key(n(2)))
			words = words[3:]
		case "if":
			if !p.Has(key(n(1))) {
				return
			}
			words = words[2:]
		case "row":
			if _, ok := p.Port(words[1]); !ok {
				return
			}
			words = words[2:]
		case "on":
			if len(p.On(observe.UUID{byte(n(1))})) < 2 {
				return
			}
			words = words[2:]
		case "hand":
			if !late {
				p.Hand("list", words[1], n(2))
			}
			words = words[3:]
		case "fact":
			if !late {
				p.Tell(n(1))
			} else if !p.Told(n(1)) {
				return
			}
			words = words[2:]
		case "note":
			if !late {
				p.Note(words[1], n(2))
			} else {
				p.Skip(observe.Skip{Table: "Port_Binding", Row: row.LogicalPort, Text: fmt.Sprint(p.Noted(words[1]))})
			}
			words = words[3:]
		case "tell":
			it, ok := p.Get(key(0))
			p.Skip(observe.Skip{Table: "Port_Binding", Row: row.LogicalPort, Text: fmt.Sprint(ok, it.Value, it.Why)})
			words = words[1:]
		}
	}
}

func value(k, v int) object.Value {
	dst := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(k)}), 32)
	return object.NewRoute(200, dst, fmt.Sprint("dev", v), netip.Addr{})
}

func key(k int) object.Key { return value(k, 0).Key() }

// derive is a pass with two phases of rows, one of which depends on the value of a third phase, and
// lists that are kept up.
func derive(m *parts.Memory, snap observe.Snapshot, base object.Set) (object.Set, []observe.Skip) {
	out := base.Clone()
	p := parts.Begin(m, snap, &out, "early", "sum", "late", "list")
	program := func(word string) func(*observe.PortBinding) {
		return func(row *observe.PortBinding) { run(p, row, word == "late", strings.Fields(row.ExternalIDs[word])) }
	}
	parts.Ports(p, "early", "", nil, program("early"))
	virtual := p.Select("virtual", func(row *observe.PortBinding) bool { return row.Type == observe.PortVirtual })
	counts := parts.Tally(p, "types", 1, func(row *observe.PortBinding) []string { return []string{row.Type} })
	sum := parts.Value(p, "sum", []any{virtual, counts["patch"]}, func() int {
		p.Skip(observe.Skip{Table: "sum", Text: fmt.Sprint(len(virtual), counts["patch"])})
		n := len(virtual) / 2
		if p.Has(key(1)) {
			n++
		}
		return n
	})
	for d := range byte(3) {
		at := observe.UUID{d}
		if int(d) <= sum {
			parts.Rows(p, "late", fmt.Sprint(d), sum, p.On(at), parts.ByName, program("late"))
		}
	}
	parts.Handed(p, "list", sum, func(name string, values []any) {
		p.Skip(observe.Skip{Table: "list", Row: name, Text: fmt.Sprint(values)})
		k, _ := strconv.Atoi(name)
		_ = p.Add(object.Item{Value: value(k, len(values)), Why: []object.Source{{Driver: "toy", Table: "list", Row: name}}})
	})
	p.End()
	return out, p.Skips()
}

func TestRandomPartsComeToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var memory parts.Memory
		snap := observe.Snapshot{SB: &observe.Southbound{}}
		var base object.Set
		for range 30 {
			sb := *snap.SB
			for range rapid.IntRange(0, 3).Draw(t, "changes") {
				change(t, &sb)
			}
			snap.SB = &sb
			if rapid.IntRange(0, 7).Draw(t, "base") == 0 {
				base = object.Set{}
				for k := range 4 {
					if rapid.Bool().Draw(t, "there") {
						base.Put(object.Item{Value: value(k, rapid.IntRange(0, 1).Draw(t, "value"))})
					}
				}
			}
			again, skipsAgain := derive(&memory, snap, base)
			whole, skips := derive(nil, snap, base)
			if diff := cmp.Diff(text(whole), text(again)); diff != "" {
				t.Fatalf("whole (-), again (+)\n%s", diff)
			}
			less := func(a, b observe.Skip) int { return strings.Compare(a.Table+a.Row+a.Text, b.Table+b.Row+b.Text) }
			slices.SortFunc(skips, less)
			slices.SortFunc(skipsAgain, less)
			if diff := cmp.Diff(skips, skipsAgain); diff != "" {
				t.Fatalf("skips: whole (-), again (+)\n%s", diff)
			}
		}
	})
}

// change adds, removes or changes one of up to 12 rows.
func change(t *rapid.T, sb *observe.Southbound) {
	name := fmt.Sprint(rapid.IntRange(0, 11).Draw(t, "row"))
	var edits []rowlist.Edit[*observe.PortBinding]
	defer func() { sb.Ports = sb.Ports.With(edits, observe.ComparePorts) }()
	have, there := sb.Port(name)
	if there {
		edits = append(edits, rowlist.Edit[*observe.PortBinding]{Row: have, Remove: true})
		if rapid.IntRange(0, 2).Draw(t, "remove") == 0 {
			return
		}
	}
	row := &observe.PortBinding{
		LogicalPort: name, Datapath: observe.UUID{byte(rapid.IntRange(0, 2).Draw(t, "datapath"))},
		Type:        rapid.SampledFrom([]string{"", observe.PortVirtual, observe.PortPatch}).Draw(t, "type"),
		ExternalIDs: map[string]string{"early": program(t), "late": program(t)},
	}
	edits = append(edits, rowlist.Edit[*observe.PortBinding]{Row: row})
}

func program(t *rapid.T) string {
	var out []string
	n := func(most int) string { return fmt.Sprint(rapid.IntRange(0, most).Draw(t, "n")) }
	for range rapid.IntRange(0, 4).Draw(t, "words") {
		switch rapid.IntRange(0, 9).Draw(t, "word") {
		case 0, 1, 2:
			out = append(out, "add", n(3), n(1), n(2))
		case 3:
			out = append(out, "block", n(3), n(1), n(2))
		case 4:
			out = append(out, "keep", n(3), n(9))
		case 5:
			out = append(out, "if", n(3))
		case 8:
			out = append(out, "hand", n(3), n(2))
		case 9:
			out = append(out, "note", n(3), n(2))
		case 6:
			out = append(out, rapid.SampledFrom([]string{"row", "on", "fact"}).Draw(t, "of"), n(2))
		default:
			out = append(out, "tell")
		}
	}
	return strings.Join(out, " ")
}

// text has all that items say, in order.
func text(s object.Set) []string {
	var out []string
	for _, it := range s.Sorted() {
		out = append(out, fmt.Sprintf("%s why %v after %v keeps %v block %v rank %d", object.Text(it.Value), it.Why, it.After,
			it.Keeps, it.Block, it.Rank))
	}
	return out
}

// TestManyReasons: what more parts want than reasons are kept, and one of them goes.
func TestManyReasons(t *testing.T) {
	var memory parts.Memory
	snap := observe.Snapshot{SB: &observe.Southbound{}}
	var ports []*observe.PortBinding
	for i := range 60 {
		ports = append(ports, &observe.PortBinding{
			LogicalPort: fmt.Sprintf("%03d", i), ExternalIDs: map[string]string{"early": "add 1 1 0"},
		})
	}
	snap.SB.Ports = rowlist.Of(ports...)
	derive(&memory, snap, object.Set{})
	for snap.SB.Ports.Len() > 0 {
		sb := *snap.SB
		at := sb.Ports.Len() * 2 / 3 % 7
		at = min(at, sb.Ports.Len()-1)
		sb.Ports = rowlist.Of(slices.Delete(sb.Ports.Slice(), at, at+1)...)
		snap.SB = &sb
		again, _ := derive(&memory, snap, object.Set{})
		whole, _ := derive(nil, snap, object.Set{})
		if diff := cmp.Diff(text(whole), text(again)); diff != "" {
			t.Fatalf("%d rows: whole (-), again (+)\n%s", sb.Ports.Len(), diff)
		}
	}
}

// TestOnlyWhatChangedRuns counts the rows that are derived.
func TestOnlyWhatChangedRuns(t *testing.T) {
	var memory parts.Memory
	snap := observe.Snapshot{SB: &observe.Southbound{}}
	var ports []*observe.PortBinding
	for i := range 1000 {
		ports = append(ports, &observe.PortBinding{LogicalPort: fmt.Sprintf("%04d", i)})
	}
	snap.SB.Ports = rowlist.Of(ports...)
	pass := func() (ran []string) {
		var out object.Set
		p := parts.Begin(&memory, snap, &out, "rows")
		parts.Ports(p, "rows", "", nil, func(row *observe.PortBinding) {
			ran = append(ran, row.LogicalPort)
			if row.LogicalPort == "0500" {
				p.Port("0007")
			}
			_ = p.Add(object.Item{Value: value(1, 1)})
		})
		p.End()
		return ran
	}
	if n := len(pass()); n != 1000 {
		t.Fatalf("%d rows ran at first", n)
	}
	for _, tt := range []struct{ change, want string }{{"", ""}, {"0003", "0003"}, {"0007", "0007 0500"}} {
		sb := *snap.SB
		if row, ok := sb.Port(tt.change); ok {
			c := *row
			edits := []rowlist.Edit[*observe.PortBinding]{{Row: row, Remove: true}, {Row: &c}}
			sb.Ports = sb.Ports.With(edits, observe.ComparePorts)
		}
		snap.SB = &sb
		if ran := strings.Join(pass(), " "); ran != tt.want {
			t.Errorf("after a change of %q these ran: %q, want %q", tt.change, ran, tt.want)
		}
	}
}

// TestOnlyWhoIsHandedAnotherRuns: of the parts that one hands something, those run again that get something else.
func TestOnlyWhoIsHandedAnotherRuns(t *testing.T) {
	var memory parts.Memory
	for _, tt := range []struct{ hands, want string }{
		{"a1 b1 c1", "a[1] b[1] c[1]"},
		{"a1 b1 c1", ""},
		{"a1 b2 c1", "b[2]"},
		{"a1 c1", ""},
		{"c1 a1 c2 d1", "c[1 2] d[1]"},
		{"c2 a1 c1 d1", "c[2 1]"},
	} {
		row := &observe.PortBinding{LogicalPort: "p", ExternalIDs: map[string]string{"hands": tt.hands}}
		snap := observe.Snapshot{SB: &observe.Southbound{Ports: rowlist.Of(row)}}
		var out object.Set
		p := parts.Begin(&memory, snap, &out, "rows", "list")
		parts.Ports(p, "rows", "", nil, func(row *observe.PortBinding) {
			for _, word := range strings.Fields(row.ExternalIDs["hands"]) {
				p.Hand("list", word[:1], word[1:])
			}
		})
		var ran []string
		parts.Handed(p, "list", nil, func(name string, values []any) {
			p.Skip(observe.Skip{Row: name})
			ran = append(ran, name+fmt.Sprint(values))
		})
		p.End()
		if got := strings.Join(ran, " "); got != tt.want {
			t.Errorf("when %q is handed these ran: %q, want %q", tt.hands, got, tt.want)
		}
	}
}

// TestValueFrom: a value is made from the one before, as long as something is remembered.
func TestValueFrom(t *testing.T) {
	var m parts.Memory
	at := func(m *parts.Memory, given int) []int {
		p := parts.Begin(m, observe.Snapshot{}, new(object.Set), "values")
		defer p.End()
		return parts.ValueFrom(p, "values", "", given, func(former []int) []int {
			return append(slices.Clone(former), given)
		})
	}
	for _, step := range []struct {
		given int
		want  []int
	}{{1, []int{1}}, {1, []int{1}}, {2, []int{1, 2}}, {2, []int{1, 2}}, {1, []int{1, 2, 1}}} {
		if got := at(&m, step.given); !slices.Equal(got, step.want) {
			t.Errorf("given %d: %v, want %v", step.given, got, step.want)
		}
	}
	if got := at(nil, 7); !slices.Equal(got, []int{7}) {
		t.Errorf("%v without a memory", got)
	}
}

// either is equal to any other one of its kind.
type either struct{ n int }

func (either) EqualTo(o any) bool { _, ok := o.(either); return ok }

// TestGivenByItsOwnIdea: what is given tells by itself whether it is what was given before.
func TestGivenByItsOwnIdea(t *testing.T) {
	var m parts.Memory
	var ran, ranRow, ranHanded int
	rows := []*int{new(int)}
	for n := range 3 {
		p := parts.Begin(&m, observe.Snapshot{}, new(object.Set), "values", "rows", "handed")
		parts.Value(p, "values", either{n}, func() int { ran++; return n })
		parts.Rows(p, "rows", "", either{n}, slices.Clone(rows), func(*int) string { return "row" }, func(*int) {
			ranRow++
			p.Hand("handed", "to", 1)
		})
		parts.Handed(p, "handed", either{n}, func(string, []any) { ranHanded++ })
		p.End()
	}
	if ran != 1 || ranRow != 1 || ranHanded != 1 {
		t.Errorf("a value ran %d times, a row %d, what is handed something %d", ran, ranRow, ranHanded)
	}
}
