package desired_test

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/parts"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// madeUp is a driver that originates one address for each row of a made-up table:
// 192.0.2.N for row N. It panics where it is told to.
type madeUp struct {
	name string
	rows int
	// panics are the rows at which it does, after it has added something for them;
	// behind the last row it does so outside of any.
	panics []int
	// asked panics when it is asked anything else.
	asked bool
}

func (m madeUp) Name() string { return m.name }

func (m madeUp) Desired(_ observe.Snapshot, out *object.Set) []observe.Skip {
	e := expose.New(m.name, expose.DefaultOptions(), out)
	for n := range m.rows {
		row := fmt.Sprint(n)
		e.Row("Row", row, func() {
			e.Originate(prefixOf(n), e.Why("made up", "Row", row))
			m.panicAt(n)
			e.Originate(prefixOf(n+100), e.Why("made up", "Row", row))
		})
	}
	m.panicAt(m.rows)
	return e.Skips()
}

func (m madeUp) panicAt(n int) {
	for _, at := range m.panics {
		if at == n {
			panic("made up")
		}
	}
}

func (m madeUp) Explain(_ observe.Snapshot, addr netip.Addr) []reason.Account {
	if m.asked {
		panic("made up")
	}
	return []reason.Account{{
		What:  "address of " + m.name,
		Steps: []reason.Step{{Stage: "policy", Text: addr.String(), OK: true}},
	}}
}

func (m madeUp) Tables(*parts.Memory, observe.Snapshot) []uint32 {
	if m.asked {
		panic("made up")
	}
	return []uint32{uint32(m.rows)}
}

func (m madeUp) Imports(observe.Snapshot) map[uint32][]string {
	if m.asked {
		panic("made up")
	}
	return map[uint32][]string{uint32(m.rows): {m.name}}
}

func prefixOf(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}), 32)
}

// hosts lists the last octets of what is desired.
func hosts(res desired.Result) string {
	var out []string
	for _, p := range object.Of[object.Path](res.Want) {
		out = append(out, fmt.Sprint(p.Prefix.Addr().As4()[3]))
	}
	return strings.Join(out, " ")
}

// TestPanicAtRow: a panic costs the whole of its row, which is reported and held,
// and nothing else.
func TestPanicAtRow(t *testing.T) {
	first, second := madeUp{name: "first", rows: 4, panics: []int{1, 2}}, madeUp{name: "second", rows: 2}
	res := desired.Compute(observe.Snapshot{}, nil, first, second)
	// Rows 1 of both drivers are the same address: one reason is enough.
	if got, want := hosts(res), "0 1 3 100 101 103"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if len(res.Skipped) != 2 {
		t.Fatalf("want two rows reported, got %v", res.Skipped)
	}
	for i, s := range res.Skipped {
		want := fmt.Sprintf("Row %d: driver-panic: driver first panicked at Row %d: made up at desired/panic_test.go:", i+1,
			i+1)
		if !strings.HasPrefix(s.String(), want) || !s.Hold || s.Driver != "first" || s.Stack != "" {
			t.Errorf("got %+v, want %s...", s, want)
		}
	}
	if len(res.Panics) != 1 || !strings.Contains(res.Panics[0].Stack, "madeUp.Desired") {
		t.Errorf("want one stack that leads to the driver, got %+v", res.Panics)
	}
}

// TestPanicOfDriver: outside of its rows a panic costs all that the driver adds,
// even what it shares with others, and nothing of theirs.
func TestPanicOfDriver(t *testing.T) {
	first, second, third := madeUp{name: "first", rows: 2}, madeUp{
		name: "second", rows: 4,
		panics: []int{1, 4},
	}, madeUp{name: "third", rows: 3}
	got := desired.Compute(observe.Snapshot{}, nil, first, second, third)
	want := desired.Compute(observe.Snapshot{}, nil, first, third)
	if !reflect.DeepEqual(got.Want.Sorted(), want.Want.Sorted()) {
		t.Errorf("got %s, want %s", hosts(got), hosts(want))
	}
	if len(got.Skipped) != 1 || len(got.Panics) != 1 {
		t.Fatalf("got %v, %v", got.Skipped, got.Panics)
	}
	s := got.Skipped[0]
	if s.Row != "" || s.Driver != "second" || !s.Hold ||
		!strings.HasPrefix(s.String(), "driver-panic: driver second panicked: made up at desired/panic_test.go:") {
		t.Errorf("got %+v", s)
	}
}

// TestPanicsAreTheSame: panics do not make the result depend on anything but the
// input.
func TestPanicsAreTheSame(t *testing.T) {
	compute := func() desired.Result {
		return desired.Compute(observe.Snapshot{}, nil,
			madeUp{name: "first", rows: 5, panics: []int{4, 0}}, madeUp{
				name: "second", rows: 1,
				panics: []int{1},
			}, madeUp{name: "third", rows: 3, panics: []int{2}})
	}
	want := compute()
	for range 3 {
		got := compute()
		if !reflect.DeepEqual(got.Want.Sorted(), want.Want.Sorted()) || !reflect.DeepEqual(got.Skipped, want.Skipped) ||
			!reflect.DeepEqual(texts(got), texts(want)) {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

func texts(res desired.Result) (out []string) {
	for _, p := range res.Panics {
		out = append(out, p.Text)
	}
	return out
}

// TestPanicWhenAsked: explanations, tables and route targets of the other drivers
// are there all the same.
func TestPanicWhenAsked(t *testing.T) {
	good, bad := madeUp{name: "good", rows: 7}, madeUp{name: "bad", rows: 8, asked: true}
	addr := netip.MustParseAddr("192.0.2.1")
	if accounts, p := desired.Explain(good, observe.Snapshot{}, addr); p != nil || len(accounts) != 1 {
		t.Errorf("got %v, %v", accounts, p)
	}
	accounts, p := desired.Explain(bad, observe.Snapshot{}, addr)
	if p == nil || !strings.Contains(p.Stack, "madeUp.Explain") || len(accounts) != 1 {
		t.Fatalf("got %v, %v", accounts, p)
	}
	if s, blocked := accounts[0].Blocked(); !blocked || s.Code != reason.DriverPanic ||
		!strings.HasPrefix(s.Text, "driver bad panicked when it was asked about 192.0.2.1: made up at") {
		t.Errorf("got %+v", accounts[0])
	}
	if got := desired.Tables(observe.Snapshot{}, bad, good); !reflect.DeepEqual(got, []uint32{7}) {
		t.Errorf("got tables %v", got)
	}
	if got := desired.Imports(observe.Snapshot{}, bad, good); !reflect.DeepEqual(got, map[uint32][]string{7: {"good"}}) {
		t.Errorf("got imports %v", got)
	}
}
