package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	in := `goos: linux
pkg: github.com/bgp-ovn/bgp-ovn/pkg/agent
BenchmarkBind/1000-2         	       1	         2.900 cpu-ms/change	         5.600 p50-ms	         0.9000 x-of-100
    bench_test.go:3: Benchmark of nothing
PASS
pkg: github.com/bgp-ovn/bgp-ovn/e2e/bench
BenchmarkRound/1k-2  1  1.10 create-x-raw  3 idle-ms
PASS
`
	want := `what          ratios            figures
agent Bind/1000  0.9000 x 100      2.900 cpu-ms/change, 5.600 p50-ms
bench Round/1k   create 1.10 x raw  3 idle-ms
`
	var out bytes.Buffer
	if err := table(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(strings.Fields(out.String()), " "); got != strings.Join(strings.Fields(want), " ") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestTableOfFailures(t *testing.T) {
	for _, in := range []string{"", "pkg: a\nBenchmarkA-2 1 2 ms/op\n--- FAIL: BenchmarkB\nFAIL\ta\t1s\n"} {
		if err := table(strings.NewReader(in), &bytes.Buffer{}); err == nil {
			t.Errorf("%q: no error", in)
		}
	}
}
