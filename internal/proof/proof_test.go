package proof

import "testing"

func TestCount(t *testing.T) {
	t.Setenv(variable, "")
	if got := Count(5, 200); got != 5 {
		t.Errorf("the short form tries %d times, want 5", got)
	}
	t.Setenv(variable, "full")
	if got := Count(5, 200); got != 200 {
		t.Errorf("the full form tries %d times, want 200", got)
	}
}
