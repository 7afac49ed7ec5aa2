package agent

import (
	"errors"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
)

// TestBehind: what waits for the state file is its fault, and no other step's.
func TestBehind(t *testing.T) {
	for text, want := range map[string]string{
		"attempt 8 failed: " + execute.Unrecorded + ": file too large": "state-file",
		"attempt 8 failed: " + errors.ErrUnsupported.Error():           "step-failed",
	} {
		if got := behind(object.Block{Code: object.BlockBackoff, Text: text}); got != want {
			t.Errorf("%s: behind %q, want %q", text, got, want)
		}
	}
}
