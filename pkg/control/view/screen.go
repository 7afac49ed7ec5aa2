package view

import (
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Screen is a terminal that is written to: text fits its columns, and is coloured where
// that helps. What is written to anything else fits 100 columns and has no colour.
type Screen struct {
	io.Writer
	// Columns is how wide it is; 0 is 100.
	Columns int
	// Colour says that colours are wanted.
	Colour bool
}

// leastColumns is the width below which nothing can be laid out: a terminal that is
// narrower breaks the lines itself.
const leastColumns = 60

// columnsOf is how wide text for w may be.
func columnsOf(w io.Writer) int {
	if s, ok := w.(Screen); ok && s.Columns > 0 {
		return max(s.Columns, leastColumns)
	}
	return maxColumns
}

// onScreen is text as it is written to w.
func onScreen(w io.Writer, text string) string {
	if s, ok := w.(Screen); ok && s.Colour {
		return paint(text)
	}
	return text
}

// hanging breaks lines that are too long for a screen between words; what follows is
// indented. Commands are left whole, so that they can be copied, and so is everything that
// is not for a screen.
func hanging(w io.Writer, text string) string {
	if _, ok := w.(Screen); !ok {
		return text
	}
	columns := columnsOf(w)
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line) <= columns || strings.HasPrefix(strings.TrimSpace(line), "try:") {
			b.WriteString(line + "\n")
			continue
		}
		lead := line[:len(line)-len(strings.TrimLeft(line, " "))]
		for i, part := range wrapAt(line[len(lead):], columns-len(lead), 4) {
			if b.WriteString(lead); i > 0 {
				b.WriteString("    ")
			}
			b.WriteString(part + "\n")
		}
	}
	return b.String()
}

// wrapAt breaks text at blanks and keeps the blanks within lines: the first line has
// width columns, the others less.
func wrapAt(text string, width, less int) (lines []string) {
	for utf8.RuneCountInString(text) > width {
		runes := []rune(text)
		at := strings.LastIndexByte(string(runes[:width+1]), ' ')
		if at <= 0 {
			if at = strings.IndexByte(text, ' '); at < 0 {
				break
			}
		}
		lines = append(lines, strings.TrimRight(text[:at], " "))
		text = strings.TrimLeft(text[at:], " ")
		if len(lines) == 1 {
			width -= less
		}
	}
	return append(lines, text)
}

// The colours, by what they mean.
const (
	bad    = "31" // red
	good   = "32" // green
	doubt  = "33" // yellow
	strong = "1"  // bold
	todo   = "36" // cyan: what can be typed
)

// paints are what is coloured of a line: the part that the first group of the pattern
// matches, or all of it. The first pattern that matches a line counts.
var paints = []struct {
	pattern *regexp.Regexp
	colour  string
}{
	{regexp.MustCompile(`^bgp-ovn .* on chassis \S+: (healthy)$`), good},
	{regexp.MustCompile(`^bgp-ovn .* on chassis .*: (DOWN, .*)$`), bad},
	{regexp.MustCompile(`^bgp-ovn .* on chassis .*: ((?:DEGRADED|WARNING), .*)$`), doubt},
	{regexp.MustCompile(`^  ! (\S+:)`), bad},
	{regexp.MustCompile(`^ +try: +(.*)$`), todo},
	{regexp.MustCompile(`(NOT ADVERTISED|NOT REACHABLE HERE|ADVERTISED, NOT REACHABLE HERE)`), bad},
	{regexp.MustCompile(`  ((?:WOULD BE )?ADVERTISED|REACHABLE HERE)`), good},
	{regexp.MustCompile(`^[A-Z]+(?: [A-Z]+)*(?:  +[A-Z]+(?: [A-Z]+)*)+$`), strong},
	{regexp.MustCompile(`  (Established)  `), good},
	{regexp.MustCompile(`  (Idle|Connect|Active|OpenSent|OpenConfirm|quarantined)(?:  |$)`), bad},
	{regexp.MustCompile(`^ +(MISSING) `), bad},
	{regexp.MustCompile(`^\+ .*$`), good},
	{regexp.MustCompile(`^- .*$`), bad},
	{regexp.MustCompile(`^[~!] .*$`), doubt},
}

// paint colours text, a line at a time.
func paint(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, end := strings.TrimSuffix(line, "\n"), line[len(strings.TrimSuffix(line, "\n")):]
		b.WriteString(paintLine(line) + end)
	}
	return b.String()
}

func paintLine(line string) string {
	for _, p := range paints {
		m := p.pattern.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		at := m[len(m)-2:]
		return line[:at[0]] + "\x1b[" + p.colour + "m" + line[at[0]:at[1]] + "\x1b[0m" + line[at[1]:]
	}
	return line
}
