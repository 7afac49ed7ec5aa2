// Command table makes one table of what "go test -bench" prints: what was measured, its ratios to
// the floor or the peer of the same run, and the figures.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	if err := table(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// result is one line of a benchmark.
type result struct {
	pkg, name string
	// ratios are values of which the unit says what of, such as x-of-floor; figures are the rest.
	ratios, figures []string
}

// table reads the output of go test and writes the table. A benchmark that failed, or none at all,
// is an error, after the table of the others.
func table(in io.Reader, out io.Writer) error {
	var results []result
	var pkg string
	var failed []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "pkg: "):
			pkg = path.Base(strings.TrimPrefix(line, "pkg: "))
		case strings.HasPrefix(line, "--- FAIL"), strings.HasPrefix(line, "FAIL\t"):
			failed = append(failed, line)
		default:
			if r, ok := parse(line); ok {
				r.pkg = pkg
				results = append(results, r)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tratios\tfigures")
	for _, r := range results {
		fmt.Fprintf(w, "%s %s\t%s\t%s\n", r.pkg, r.name, strings.Join(r.ratios, ", "), strings.Join(r.figures, ", "))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case len(failed) > 0:
		return fmt.Errorf("failed:\n%s", strings.Join(failed, "\n"))
	case len(results) == 0:
		return fmt.Errorf("no benchmark has run")
	}
	return nil
}

// parse reads a line such as "BenchmarkBind/1000-2  1  0.90 x-of-100  2.9 cpu-ms/change".
func parse(line string) (r result, ok bool) {
	words := strings.Fields(line)
	if len(words) < 4 || len(words)%2 != 0 || !strings.HasPrefix(words[0], "Benchmark") {
		return r, false
	}
	name := strings.TrimPrefix(words[0], "Benchmark")
	if i := strings.LastIndexByte(name, '-'); i > 0 { // how many processors there are
		name = name[:i]
	}
	r.name = name
	for pair := range slices.Chunk(words[2:], 2) {
		value, unit := pair[0], pair[1]
		if at := strings.Index("-"+unit, "-x-"); at >= 0 {
			r.ratios = append(r.ratios, strings.TrimSuffix(unit[:at], "-")+" "+value+" x "+
				strings.TrimPrefix(unit[at+len("x-"):], "of-"))
			r.ratios[len(r.ratios)-1] = strings.TrimSpace(r.ratios[len(r.ratios)-1])
			continue
		}
		r.figures = append(r.figures, value+" "+unit)
	}
	return r, true
}
