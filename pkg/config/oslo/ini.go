package oslo

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// assignment is one option of an oslo.config file with its value.
type assignment struct {
	// group is as it is written; see groupOf.
	group, name, value string
	line               int
}

// groupDefault is the group of options that are not in another one. It is the one
// name that has to be written as it is.
const groupDefault = "DEFAULT"

// groupOf is the group that a name stands for: all but DEFAULT count in lower case.
func groupOf(name string) string {
	if name == groupDefault {
		return name
	}
	return strings.ToLower(name)
}

// key names the option whatever the case of its group.
func (a assignment) key() string { return groupOf(a.group) + "/" + a.name }

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
// comments, and lines that continue the value right above because they begin with a
// blank. Quotes around a value are no part of it. Of an option that is set twice the
// last one counts. Lines that are none of it, with which ovn-bgp-agent does not start,
// are returned as problems.
func parse(text string) (assignments []assignment, problems []string) {
	problem := func(i int, what, line string) {
		problems = append(problems, fmt.Sprintf("line %d: %s: %s", i+1, what, oneLine(line)))
	}
	group := groupDefault
	open := -1 // the assignment that a continuation belongs to
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimRightFunc(line, unicode.IsSpace)
		if line != "" && (line[0] == ' ' || line[0] == '\t') {
			if continued := strings.TrimSpace(line); open >= 0 {
				assignments[open].value += "\n" + continued
			} else {
				problem(i, "it continues nothing", continued)
			}
			continue
		}
		open = -1
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
		case line[0] == '[' && strings.HasSuffix(line, "]") && len(line) > 2:
			group = line[1 : len(line)-1]
		case line[0] == '[' || strings.IndexAny(line, "=:") <= 0:
			problem(i, "neither an option nor a group", line)
		default:
			at := strings.IndexAny(line, "=:")
			open = len(assignments)
			assignments = append(assignments, assignment{
				group, strings.TrimSpace(line[:at]), unquoted(strings.TrimSpace(line[at+1:])), i + 1,
			})
		}
	}
	return lastOfEach(assignments), problems
}

func unquoted(value string) string {
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// lastOfEach keeps of each option the last assignment. A value that begins on a line
// of its own has no empty line before it.
func lastOfEach(all []assignment) []assignment {
	last := map[string]int{}
	for i, a := range all {
		last[a.key()] = i
	}
	var out []assignment
	for i, a := range all {
		if last[a.key()] == i {
			a.value = strings.TrimSpace(a.value)
			out = append(out, a)
		}
	}
	return out
}

// reference is what stands for the value of another option: $name, ${name},
// ${group.name}. A dollar that stands for itself is $$ or \$.
var reference = regexp.MustCompile(`\$\$|\\\$|\$([_a-zA-Z][._a-zA-Z0-9]*)|\$\{([_a-zA-Z][._a-zA-Z0-9]*)\}`)

// mostReferences bounds how many are followed for one value: some that refer to each
// other, or several times to some that do the same, would have no end.
const mostReferences = 100

// resolver puts the values of other options in the place of references to them.
type resolver struct {
	all  []assignment
	left int // references that may still be followed
	// missing is the first option that the file does not have.
	missing string
}

func (r *resolver) resolve(a assignment) string {
	return reference.ReplaceAllStringFunc(a.value, func(found string) string {
		name := strings.Trim(found, `${}\`)
		if name == "" {
			return "$"
		}
		to, ok := find(r.all, groupOf(a.group), name)
		if r.left--; ok && r.left >= 0 {
			return r.resolve(to)
		}
		if r.missing == "" {
			r.missing = name
		}
		return found
	})
}

// find returns the option that a reference in a group means: of the group that it
// names, of the same one, or of DEFAULT.
func find(all []assignment, group, name string) (assignment, bool) {
	groups := []string{group, groupDefault}
	if of, option, dotted := strings.Cut(name, "."); dotted {
		groups, name = []string{groupOf(of)}, option
	}
	for _, g := range groups {
		for _, a := range all {
			if a.key() == g+"/"+name {
				return a, true
			}
		}
	}
	return assignment{}, false
}
