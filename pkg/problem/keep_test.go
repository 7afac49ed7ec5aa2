package problem

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestKeep: what is kept and recalled by another process is what the same one would have
// said: since when what is there, and what went.
func TestKeep(t *testing.T) {
	var before, after Memory
	before.Observe(at(0), []Finding{peer("a"), peer("b"), {Code: "frozen"}})
	before.Observe(at(5), []Finding{peer("a")})
	raw, err := json.Marshal(before.Keep(at(6)))
	if err != nil {
		t.Fatal(err)
	}
	var k Kept
	if err := json.Unmarshal(raw, &k); err != nil {
		t.Fatal(err)
	}
	after.Recall(at(8), k)
	if got, want := gones(&after, at(8)), gones(&before, at(8)); got != want || strings.Count(got, "\n") != 2 {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := after.Observe(at(9), []Finding{peer("a")}); !got[0].Since.Equal(at(0)) {
		t.Errorf("a problem that goes on: since %s", got[0].Since)
	}
	after.Observe(at(10), nil)
	if got := gones(&after, at(10)); !strings.Contains(got, "02:00-02:10 peer a") {
		t.Errorf("one that went after the restart: got\n%s", got)
	}
	if again, err := json.Marshal(before.Keep(at(6))); err != nil || string(again) != string(raw) {
		t.Errorf("the same memory gives other bytes: %s", again)
	}
}

// TestKeepIsBounded: however much went wrong and whatever a file says, little is kept.
func TestKeepIsBounded(t *testing.T) {
	var m Memory
	var many []Finding
	for i := range 5000 {
		f := peer(fmt.Sprint(i))
		f.Text = strings.Repeat("é", 5000)
		many = append(many, f)
	}
	m.Observe(at(0), many)
	m.Observe(at(1), many[:2500])
	raw, err := json.Marshal(m.Keep(at(2)))
	if err != nil || len(raw) > 400_000 {
		t.Errorf("%d octets, %v", len(raw), err)
	}
	k := Kept{}
	for i := range 5000 {
		p := pastOf(many[i], at(0))
		p.To = at(1)
		k.Open, k.Gone = append(k.Open, p), append(k.Gone, p)
	}
	k.Gone = append(k.Gone, Past{Code: "x", From: at(5), To: at(4)}, Past{Code: "x", From: at(5), To: at(500)}, Past{})
	k.Open = append(k.Open, Past{Code: "x", From: at(500)}, Past{})
	var recalled Memory
	recalled.Recall(at(2), k)
	if len(recalled.open) > keptOpen || len(recalled.past) > mostPast || strings.Contains(gones(&recalled, at(2)), "x ") {
		t.Errorf("%d are open and %d gone", len(recalled.open), len(recalled.past))
	}
}
