package story

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// split cuts a line into words at blanks. A word in "..." or '...' may have blanks
// and the other quote in it; there is no escape character.
func split(line string) ([]string, error) {
	var words []string
	for line = strings.TrimSpace(line); line != ""; line = strings.TrimSpace(line) {
		if q := line[0]; q == '"' || q == '\'' {
			end := strings.IndexByte(line[1:], q)
			if end < 0 {
				return nil, fmt.Errorf("no closing %c", q)
			}
			words = append(words, line[1:end+1])
			line = line[end+2:]
			continue
		}
		end := strings.IndexByte(line, ' ')
		if end < 0 {
			end = len(line)
		}
		words = append(words, line[:end])
		line = line[end:]
	}
	return words, nil
}

// quote is the inverse of split for one word, which must not have both quotes.
func quote(w string) string {
	switch {
	case strings.Contains(w, `"`):
		return "'" + w + "'"
	case w == "" || strings.Contains(w, " "):
		return `"` + w + `"`
	default:
		return w
	}
}

// reader takes words from a line and keeps the first error. After it there are no
// words left, so that callers need not ask.
type reader struct {
	words []string
	err   error
}

// more reports whether there is another word.
func (r *reader) more() bool { return r.err == nil && len(r.words) > 0 }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf(format, args...)
	}
}

// word takes the next word; empty, with an error kept, if there is none.
func (r *reader) word() string {
	if !r.more() {
		r.fail("a word is missing at the end of the line")
		return ""
	}
	w := r.words[0]
	r.words = r.words[1:]
	return w
}

// rest takes all words that are left.
func (r *reader) rest() []string {
	out := r.words
	r.words = nil
	return out
}

func (r *reader) mac() object.MAC {
	m, err := object.ParseMAC(r.word())
	if err != nil {
		r.fail("%w", err)
	}
	return m
}

// number takes an unsigned decimal number of at most that many bits.
func (r *reader) number(bits int) uint64 {
	w := r.word()
	n, err := strconv.ParseUint(w, 10, bits)
	if err != nil {
		r.fail("%q is not a number of %d bits", w, bits)
	}
	return n
}

// pair takes KEY=VALUE.
func (r *reader) pair() (key, value string) {
	w := r.word()
	key, value, ok := strings.Cut(w, "=")
	if !ok {
		r.fail("%q is not key=value", w)
	}
	return key, value
}
