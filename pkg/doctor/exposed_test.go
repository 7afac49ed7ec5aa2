package doctor

import "testing"

// A password that others on the node can read is a warning with what to do.
func TestExposedPassword(t *testing.T) {
	f := wellNode()
	f.Node.Exposed = []Exposure{{Text: "/etc/x: everybody can read it", Remedy: "chmod o= /etc/x"}}
	found := Examine(f)
	last := found[len(found)-1]
	if want := (Finding{LevelWarn, "passwords", "/etc/x: everybody can read it", "chmod o= /etc/x"}); last != want {
		t.Errorf("got %+v, want %+v", last, want)
	}
}
