package vm_test

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// BenchmarkManyVNIs runs the benchmark of package manyvnis where VRFs are, and
// reports its numbers as its own.
func BenchmarkManyVNIs(b *testing.B) {
	const pkg = "e2e/vm/manyvnis"
	env := environment(b)
	script := strings.Join([]string{
		"cd", packageDir(b, pkg), "&&", harness.Must(harness.BuildTests(b.Context(), pkg, "guest"))(b),
		"'-test.run=^$'", "-test.bench=.", "-test.benchtime=1x", "-test.timeout=19m", "2>&1",
	}, " ")
	for range b.N {
		var out bytes.Buffer
		runWhereAllIs(b, env, script, 20*time.Minute, &out)
		found := metric.FindAllStringSubmatch(out.String(), -1)
		if b.Failed() || len(found) == 0 {
			b.Fatalf("the benchmark says:\n%s", tail(out.String()))
		}
		for _, m := range found {
			if v, err := strconv.ParseFloat(m[1], 64); err == nil && m[2] != "ns/op" {
				b.ReportMetric(v, m[2])
			}
		}
	}
}

// metric is a number with its unit on the line of a benchmark.
var metric = regexp.MustCompile(`\t\s*([0-9.e+-]+) (\S+)`)
