package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// narrator prints the story.
type narrator struct {
	w      io.Writer
	began  time.Time
	colour bool
	step   int
	title  string
}

func newNarrator(f *os.File) *narrator {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	_, plain := os.LookupEnv("NO_COLOR")
	return &narrator{w: f, began: time.Now(), colour: err == nil && !plain}
}

// chapter begins a numbered step.
func (n *narrator) chapter(title string) {
	n.step++
	n.title = fmt.Sprintf("%d. %s", n.step, title)
	fmt.Fprintf(n.w, "\n%s\n", n.paint("1", n.title))
}

// say prints what happened.
func (n *narrator) say(format string, args ...any) {
	fmt.Fprintf(n.w, "   %s\n", fmt.Sprintf(format, args...))
}

// quote prints a command and what it printed.
func (n *narrator) quote(command, output string) {
	fmt.Fprintf(n.w, "   %s\n", n.paint("36", "$ bgp-ovn "+command))
	for _, line := range fold(output) {
		fmt.Fprintf(n.w, "   %s\n", n.paint("2", "| "+line))
	}
}

// fold keeps the first of consecutive steps of a plan that have verb and kind
// in common, and says how many more there are.
func fold(output string) []string {
	var out []string
	last, more := "", 0
	flush := func() {
		if more > 0 {
			out = append(out, fmt.Sprintf("  (%d more like this)", more))
		}
		more = 0
	}
	for line := range strings.Lines(output) {
		words := strings.Fields(line)
		if len(words) > 2 && strings.Contains("+-~!", words[0]) && words[0]+words[1] == last {
			more++
			continue
		}
		flush()
		if last = ""; len(words) > 2 {
			last = words[0] + words[1]
		}
		out = append(out, strings.TrimRight(line, "\n"))
	}
	flush()
	return out
}

func (n *narrator) paint(code, text string) string {
	if !n.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// short rounds a duration to three digits.
func short(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	default:
		return d.Round(10 * time.Microsecond).String()
	}
}
