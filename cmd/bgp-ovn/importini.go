package main

import (
	"fmt"
	"strings"
)

// iniOption is one assignment of an oslo.config file.
type iniOption struct {
	group, name, value string
	line               int
}

// where names the option as the reports do.
func (o iniOption) where() string {
	return fmt.Sprintf("line %d: [%s] %s = %s", o.line, o.group, o.name, strings.ReplaceAll(o.value, "\n", " "))
}

// list splits a value as oslo.config's lists: at commas, blanks dropped.
func (o iniOption) list() []string { return splitList(strings.ReplaceAll(o.value, "\n", ",")) }

// boolean reads the words that oslo.config takes for yes and no.
func (o iniOption) boolean() (value, ok bool) {
	switch strings.ToLower(o.value) {
	case "true", "1", "on", "yes":
		return true, true
	case "false", "0", "off", "no":
		return false, true
	default:
		return false, false
	}
}

// parseINI reads the form of oslo.config: [groups], "name = value" or
// "name: value", comments at the start of a line, and lines that continue the
// value above because they begin with a blank. Of an option that stands twice
// the last one counts. Lines that are none of it are returned as problems.
func parseINI(text string) (options []iniOption, problems []string) {
	group := "DEFAULT"
	open := -1 // the option that a continuation belongs to
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
			options[open].value = strings.TrimPrefix(options[open].value+"\n"+trimmed, "\n")
		case trimmed[0] == '[' && strings.HasSuffix(trimmed, "]"):
			group, open = strings.TrimSpace(trimmed[1:len(trimmed)-1]), -1
		default:
			at := strings.IndexAny(trimmed, "=:")
			if at <= 0 {
				problems = append(problems, fmt.Sprintf("line %d: neither an option nor a group: %s", i+1, trimmed))
				open = -1
				continue
			}
			options = append(options, iniOption{group, strings.TrimSpace(trimmed[:at]), strings.TrimSpace(trimmed[at+1:]), i + 1})
			open = len(options) - 1
		}
	}
	return lastOnes(options), problems
}

// lastOnes keeps of each option the last assignment, without its quotes.
func lastOnes(options []iniOption) []iniOption {
	last := map[[2]string]int{}
	for i, o := range options {
		last[[2]string{o.group, o.name}] = i
	}
	var out []iniOption
	for i, o := range options {
		if last[[2]string{o.group, o.name}] != i {
			continue
		}
		if n := len(o.value); n > 1 && (o.value[0] == '"' || o.value[0] == '\'') && o.value[n-1] == o.value[0] {
			o.value = o.value[1 : n-1]
		}
		out = append(out, o)
	}
	return out
}
