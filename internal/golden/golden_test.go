package golden

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var suite = Suite{Given: []string{"in", "step"}, Want: []string{"out", "note"}}

// write makes a directory with one file and returns its suite.
func write(t *testing.T, name, text string) (s Suite, path string) {
	t.Helper()
	s = suite
	s.Dir = t.TempDir()
	path = filepath.Join(s.Dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, path
}

// upper is the rule under test: out is in, in capitals.
func upper(c *Case) {
	c.Want("out", strings.ToUpper(c.Section("in")))
	c.WantSome("note", strings.Repeat("empty\n", strings.Count(c.Section("in"), "-")))
}

// follow answers each step right behind it.
func follow(c *Case) {
	c.Each(func(name, text string) {
		if name != "in" {
			c.Want("out", strings.ToUpper(text))
		}
	})
}

func open(t *testing.T, s Suite) *Case { return &Case{File: s.Files(t)[0], t: t} }

// Each way in which a file and a test can differ is named with its file and section.
func TestProblems(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		run        func(*Case)
		want       string // empty: no problem
	}{
		{"equal", "Why.\n-- in --\na\n-- out --\nA\n", upper, ""},
		{"different", "-- in --\na\nb\n-- out --\nA\nC\n", upper, "case.txtar:out (want)"},
		{"the line", "-- in --\na\nb\n-- out --\nA\nC\n", upper, "-C\n+B"},
		{"missing", "-- in --\na\n", upper, `section "out" is missing`},
		{"missing note", "-- in --\n-\n-- out --\n-\n", upper, `section "note" is missing`},
		{"too much", "-- in --\na\n-- out --\nA\n-- note --\nempty\n", upper, `section "note" is expected, but`},
		{"not read", "-- in --\na\n-- step 1 --\nb\n-- out --\nA\n", upper, `section "step 1" is not used`},
		{"twice", "-- in --\na\n-- out --\nA\n-- out --\nA\n", upper, `section "out" is there twice`},
		{"order", "-- out --\nA\n-- in --\na\n", upper, `section "out" is missing`},
		{"order of results", "-- in --\n-\n-- note --\nempty\n-- out --\n-\n", upper, "not in the order"},
		{"steps", "-- in --\n-- step 1 --\na\n-- out --\nA\n-- step 2 --\nb\n-- out --\nB\n", follow, ""},
		{"second step", "-- in --\n-- step 1 --\na\n-- out --\nA\n-- step 2 --\nb\n-- out --\nA\n", follow, "-A\n+B"},
		{"nothing computed", "-- in --\na\n-- out --\nA\n", func(c *Case) { c.Section("in") }, "no such result"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := write(t, "case.txtar", tt.file)
			c := open(t, s)
			tt.run(c)
			c.place()
			got := strings.Join(c.problems(), "\n")
			if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// What is rewritten has no problems any more, and what is given is still there.
func TestRewrite(t *testing.T) {
	for name, run := range map[string]func(*Case){"upper": upper, "follow": follow} {
		s, path := write(t, "case.txtar", "Why.\n-- in --\na-b\n-- step 1 --\nc\n-- out --\nwrong\n-- note --\nold\n")
		c := open(t, s)
		c.Section("step 1")
		run(c)
		if err := c.rewrite(); err != nil {
			t.Fatal(err)
		}
		again := open(t, s)
		again.Section("step 1")
		run(again)
		if got := again.problems(); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(text), "Why.\n-- in --\na-b\n-- step 1 --\nc\n") {
			t.Errorf("%s: %v:\n%s", name, err, text)
		}
	}
}

// A file or section that no test would ever look at is an error.
func TestRead(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"case.txtr", "-- in --\n", "no test uses this file"},
		{"case.txtar", "-- inn --\n", `unknown section "inn": use one of in, step, out, note`},
		{"case.txtar", "-- in --\n", ""},
	} {
		s, path := write(t, tt.name, tt.text)
		_, err := s.read(path)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s %q: got %v, want %q", tt.name, tt.text, err, tt.want)
		}
	}
}

func TestFile(t *testing.T) {
	s, _ := write(t, "case.txtar", "-- in --\nname: a b\nlist: c\n-- out x --\n-- out y --\n")
	f := s.Files(t)[0]
	if got := f.Named("out"); !slices.Equal(got, []string{"out x", "out y"}) || !f.Has("out x") || f.Has("out") {
		t.Errorf("named out: %q", got)
	}
	got := ""
	f.Options(t, "in", func(key, value string) error {
		got += key + "=" + value + ";"
		return nil
	})
	if got != "name=a b;list=c;" {
		t.Errorf("options %q", got)
	}
	if err := f.options("in", func(string, string) error { return errors.New("bad") }); err == nil ||
		!strings.HasSuffix(err.Error(), "case.txtar:in:1: name: bad") {
		t.Errorf("got %v", err)
	}
}
