package key

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// Place is where something was written: a line of a file, or a flag or
// environment variable. The zero value is no place: a default.
type Place struct {
	// File is the path of the file and Line its line, from 1.
	File string
	Line int
	// Source is the flag, such as --bgp-as, or the variable, such as BGP_OVN_BGP_AS.
	Source string
}

// String prints FILE:LINE, or the flag or variable.
func (p Place) String() string {
	switch {
	case p.Source != "":
		return p.Source
	case p.File != "" && p.Line > 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return p.File
	}
}

// Problem is one thing that is wrong with a configuration. It never holds a
// secret.
type Problem struct {
	Place
	// Key is the key in the file with its position: bgp.peers[0].address. It is empty
	// where the file as a whole is concerned.
	Key string
	// Text says what is wrong, Remedy what to do.
	Text, Remedy string
}

// Error prints where, what is wrong, and what to do, in one line.
func (p Problem) Error() string {
	var parts []string
	for _, part := range []string{p.Place.String(), p.Key, p.Text, p.Remedy} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// Problems are all that is wrong with a configuration, in the order of the places.
type Problems []Problem

// Err is one error of one line; nil if there are no problems.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Error()
	}
	return errors.New(strings.Join(texts, "; "))
}

// sorted returns the problems in the order of files and lines, then of flags and
// variables.
func (ps Problems) sorted() Problems {
	sorting.Stable(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Key, b.Key), cmp.Compare(a.Text, b.Text))
	})
	return slices.Compact(ps)
}

// fault is an error that knows its remedy.
type fault struct{ text, remedy string }

func (f *fault) Error() string { return f.text + ": " + f.remedy }

// Wrong is the error of a parser: what is wrong, and what to do.
func Wrong(remedy, format string, args ...any) error {
	return &fault{fmt.Sprintf(format, args...), remedy}
}

// Describe returns what the error of a parser says is wrong, and what to do.
func Describe(err error) (text, remedy string) {
	var f *fault
	if errors.As(err, &f) {
		return f.text, f.remedy
	}
	return err.Error(), ""
}

// Quote prints a value that was written, cut so that a message stays a line and
// with control characters escaped.
func Quote(text string) string {
	const longest = 80
	if len(text) <= longest {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q...", strings.ToValidUTF8(text[:longest], ""))
}

// bare is Quote without the quotes, for numbers and names of keys.
func bare(text string) string {
	quoted := Quote(strings.TrimSpace(text))
	if strings.HasSuffix(quoted, `"...`) {
		return quoted[1:len(quoted)-4] + "..."
	}
	return quoted[1 : len(quoted)-1]
}
