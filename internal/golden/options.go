package golden

import (
	"fmt"
	"strings"
	"testing"
)

// Options calls set for each line "key: value" of a section. What set returns
// fails the test with the place of the line.
func (f *File) Options(t testing.TB, name string, set func(key, value string) error) {
	t.Helper()
	if err := f.options(name, set); err != nil {
		t.Fatal(err)
	}
}

func (f *File) options(name string, set func(key, value string) error) error {
	number := 0
	for line := range strings.Lines(f.Section(name)) {
		number++
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			return fmt.Errorf("%s:%s:%d: want \"key: value\", got %q", f.Path, name, number, strings.TrimSpace(line))
		}
		if err := set(key, value); err != nil {
			return fmt.Errorf("%s:%s:%d: %s: %w", f.Path, name, number, key, err)
		}
	}
	return nil
}
