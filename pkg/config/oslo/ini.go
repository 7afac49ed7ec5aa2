package oslo

import (
	"fmt"
	"strings"
	"unicode"
)

// assignment is one option of an oslo.config file with its value.
type assignment struct {
	group, name, value string
	line               int
}

// where names the option as comments and remarks do.
func (a assignment) where() string {
	return oneLine(fmt.Sprintf("line %d: [%s] %s = %s", a.line, a.group, a.name, a.value))
}

// oneLine makes a text fit for a comment: YAML takes more characters than \n for
// the end of a line, and refuses others altogether.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// list splits a value as the lists of oslo.config are: at commas, blanks dropped.
func (a assignment) list() []string {
	var out []string
	for _, item := range strings.Split(strings.ReplaceAll(a.value, "\n", ","), ",") {
		if item = strings.TrimSpace(item); item != "" {
			out = append(out, item)
		}
	}
	return out
}

// boolean reads the words that oslo.config takes for yes and no.
func (a assignment) boolean() (value, ok bool) {
	switch strings.ToLower(a.value) {
	case "true", "1", "on", "yes":
		return true, true
	case "false", "0", "off", "no":
		return false, true
	default:
		return false, false
	}
}

// parse reads the form of oslo.config: [groups], "name = value" or "name: value",
// comments at the start of a line, and lines that continue the value above because
// they begin with a blank. Of an option that is set twice the last one counts.
// Lines that are none of it are returned as problems.
func parse(text string) (assignments []assignment, problems []string) {
	group := "DEFAULT"
	open := -1 // the assignment that a continuation belongs to
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "":
			open = -1
		case trimmed[0] == '#' || trimmed[0] == ';':
		case line[0] == ' ' || line[0] == '\t':
			if open < 0 {
				problems = append(problems, fmt.Sprintf("line %d: it continues nothing: %s", i+1, trimmed))
				continue
			}
			assignments[open].value = strings.TrimPrefix(assignments[open].value+"\n"+trimmed, "\n")
		case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
			group, open = strings.TrimSpace(trimmed[1:len(trimmed)-1]), -1
		default:
			at := strings.IndexAny(trimmed, "=:")
			if at <= 0 {
				problems = append(problems, fmt.Sprintf("line %d: neither an option nor a group: %s", i+1, trimmed))
				open = -1
				continue
			}
			open = len(assignments)
			name, value := strings.TrimSpace(trimmed[:at]), strings.TrimSpace(trimmed[at+1:])
			assignments = append(assignments, assignment{group, name, value, i + 1})
		}
	}
	return lastOfEach(assignments), problems
}

// lastOfEach keeps of each option the last assignment, without its quotes.
func lastOfEach(all []assignment) []assignment {
	last := map[[2]string]int{}
	for i, a := range all {
		last[[2]string{a.group, a.name}] = i
	}
	var out []assignment
	for i, a := range all {
		if last[[2]string{a.group, a.name}] != i {
			continue
		}
		if n := len(a.value); n > 1 && (a.value[0] == '"' || a.value[0] == '\'') && a.value[n-1] == a.value[0] {
			a.value = a.value[1 : n-1]
		}
		out = append(out, a)
	}
	return out
}
