package object

import "testing"

// TestTableOfKinds: numbers and names are identities, and every kind has what the
// generic code calls without asking.
func TestTableOfKinds(t *testing.T) {
	numbers, names := map[Kind]string{}, map[string]bool{}
	for i, k := range table {
		if other, taken := numbers[k.kind]; taken || k.kind == 0 {
			t.Errorf("kind %s has number %d, as has %q", k.name, k.kind, other)
		}
		if names[k.name] {
			t.Errorf("two kinds are called %s", k.name)
		}
		numbers[k.kind], names[k.name] = k.name, true
		if k.key == nil || k.readKey == nil || k.parse == nil {
			t.Errorf("kind %s lacks key, readKey or parse", k.name)
		}
		if k.kind.Place() != i+1 {
			t.Errorf("kind %s has place %d, want %d", k.name, k.kind.Place(), i+1)
		}
		if k.path && k.session || k.setting && (k.path || k.device || k.marked) {
			t.Errorf("kind %s has traits that exclude each other", k.name)
		}
		if k.provides != 0 && k.provides.Place() > k.kind.Place() {
			t.Errorf("kind %s comes before %s, which it provides", k.name, k.provides)
		}
	}
	for i, k := range table[:len(table)-1] {
		if next := table[i+1]; k.session && !next.session {
			t.Errorf("kind %s comes behind %s, a session: sessions come up last", next.name, k.name)
		}
	}
}

// TestAlternatives: a need for a device is met by whatever makes one of the name.
func TestAlternatives(t *testing.T) {
	got := ""
	for _, k := range DeviceNeed("br-ex").Alternatives() {
		got += k.Text() + "\n"
	}
	want := "link br-ex\novsport br-ex\nmaster br-ex\ndevice br-ex\n"
	if got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	route := Route{Table: 201}.Key()
	if alt := route.Alternatives(); len(alt) != 1 || alt[0] != route {
		t.Errorf("got %v, want the route alone", alt)
	}
}

// TestUnknownKind: a number that is not in the table does no harm.
func TestUnknownKind(t *testing.T) {
	k := Key{Kind: 250, Name: "x"}
	if got := k.Text(); got != "kind(250) x" {
		t.Errorf("got %q", got)
	}
	var s Set
	if s.Has(k) || s.LenOf(k.Kind) != 0 || k.Kind.IsPath() || k.Kind.IsSetting() {
		t.Error("it counts as something")
	}
}
