// Package proof is what the tests named TestProof… share. Each tries a promise of
// docs/reliability.md in two forms: a short one that `make test` runs, and a full
// one of `make chaos`. Each prints what it has counted.
package proof

import (
	"fmt"
	"os"
	"testing"
)

// variable chooses the form: CHAOS=full in the environment is the full one.
const variable = "CHAOS"

// Full says whether the full form was asked for.
func Full() bool { return os.Getenv(variable) == "full" }

// Count is how often something is tried: short in `make test`, full in `make chaos`.
func Count(short, full int) int {
	if Full() {
		return full
	}
	return short
}

// Report prints what a proof has counted, as one line of its log:
//
//	proof: TestProofCrashPoints: 12480 crash points in 96 scenarios
//
// `make chaos` collects these lines.
func Report(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf("proof: %s: %s", t.Name(), fmt.Sprintf(format, args...))
}
