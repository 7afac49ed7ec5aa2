package doctor

import (
	"fmt"
	"strings"
)

// Level is the outcome of a check.
type Level string

// The levels, in their JSON form.
const (
	LevelOK   Level = "ok"
	LevelWarn Level = "warn" // it may do harm, or it could not be checked
	LevelFail Level = "FAIL" // it does harm
)

// Finding is the outcome of one check.
type Finding struct {
	Level Level `json:"level"`
	// Check names what was checked and is stable: "bridge br-ex", "tcp 179".
	Check string `json:"check"`
	Text  string `json:"text"`
	// Remedy is what to do; empty if and only if the level is LevelOK.
	Remedy string `json:"remedy,omitempty"`
}

// reportVersion is the version of the JSON form of a Report.
const reportVersion = 1

// Report is the result of an examination. Its JSON form is a contract:
// `bgp-ovn doctor -o json`.
type Report struct {
	Version  int       `json:"version"`
	Warnings int       `json:"warnings"`
	Failures int       `json:"failures"`
	Findings []Finding `json:"findings"`
}

// ReportOf counts what was found.
func ReportOf(findings []Finding) Report {
	r := Report{Version: reportVersion, Findings: findings}
	for _, f := range findings {
		switch f.Level {
		case LevelWarn:
			r.Warnings++
		case LevelFail:
			r.Failures++
		}
	}
	return r
}

// Healthy reports whether there is neither a warning nor a failure.
func (r Report) Healthy() bool { return r.Warnings+r.Failures == 0 }

// String has a line for each check, one for each remedy and the counts.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%-4s  %-20s  %s\n", f.Level, f.Check, f.Text)
		if f.Remedy != "" {
			fmt.Fprintf(&b, "      remedy: %s\n", f.Remedy)
		}
	}
	fmt.Fprintf(&b, "%s, %s, %s\n", count(len(r.Findings), "check"), count(r.Warnings, "warning"), count(r.Failures,
		"failure"))
	return b.String()
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
