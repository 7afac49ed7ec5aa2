package packaging

import (
	"cmp"
	"debug/elf"
	"debug/gosym"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// maxSize is how large the program may be, in bytes, as it is packaged for amd64: what it has
// now, so that more is a decision. It should be 25 MB without the client of the Kubernetes API,
// which may have 12 MB (docs/performance.md).
const maxSize = 33_500_000

// The program is not larger than it may be. What has made it so is in the table: a package
// that nothing needed before, or a use of reflect.Value.Method, for which the linker keeps
// every method of every type (docs/performance.md).
func TestSize(t *testing.T) {
	program := filepath.Join(t.TempDir(), "bgp-ovn")
	cmd := exec.Command("../scripts/build", program)
	cmd.Env = append(os.Environ(), "GOARCH=amd64", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/build: %v\n%s", err, out)
	}
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	said := fmt.Sprintf("the program has %.1f MB, and %.1f at most are allowed\n%s", float64(info.Size())/1e6, maxSize/1e6,
		sizes(t, program))
	t.Log(said)
	if info.Size() > maxSize {
		t.Error(said)
	}
}

// sizes lists the sections of a program, and the machine code in it by where it is from. That
// is the smaller half: the tables of the runtime and the types come on top.
func sizes(t *testing.T, program string) string {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var b strings.Builder
	for _, s := range file.Sections {
		if s.Type != elf.SHT_NOBITS && s.Size > 100_000 {
			fmt.Fprintf(&b, "%8.2f MB  %s\n", float64(s.Size)/1e6, s.Name)
		}
	}
	lines, err := file.Section(".gopclntab").Data()
	if err != nil {
		t.Fatal(err)
	}
	table, err := gosym.NewTable(nil, gosym.NewLineTable(lines, file.Section(".text").Addr))
	if err != nil {
		t.Fatal(err)
	}
	code := map[string]uint64{}
	for _, f := range table.Funcs {
		code[origin(f.Name)] += f.End - f.Entry
	}
	names := slices.SortedFunc(maps.Keys(code), func(a, b string) int {
		return cmp.Or(cmp.Compare(code[b], code[a]), cmp.Compare(a, b))
	})
	for _, name := range names[:min(len(names), 25)] {
		fmt.Fprintf(&b, "%8.2f MB  code of %s\n", float64(code[name])/1e6, name)
	}
	return b.String()
}

// origin is the module that a function is of, or the package of Go's library.
func origin(name string) string {
	name, _, _ = strings.Cut(name, "[") // types that a generic one is made of
	parts := strings.Split(name, "/")
	parts[len(parts)-1], _, _ = strings.Cut(parts[len(parts)-1], ".")
	if most := 3; len(parts) > most && strings.Contains(parts[0], ".") {
		parts = parts[:most]
	}
	return strings.Join(parts, "/")
}
