package config

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

//go:embed reference.tmpl
var referenceText string

// placeholder stands in the text for a table: its kind, and the key that it is about. A
// template would do the same; one of them in the program keeps the linker from leaving out
// methods that nothing calls, which are megabytes (docs/performance.md).
var placeholder = regexp.MustCompile(`\{\{[a-z]+( [a-z._]+)?\}\}`)

// Reference is docs/configuration.md: the tables are made from the declarations of
// the keys, so that it cannot say anything else than the program does.
func Reference() string {
	s := defaults(drivers.All())
	all := table(&s)
	fields := func(name string) []key.Key {
		i := slices.IndexFunc(all, func(k key.Key) bool { return k.Name == name })
		return all[i].Fields // the text names keys that there are: a test runs it
	}
	return placeholder.ReplaceAllStringFunc(referenceText, func(text string) string {
		switch what, name, _ := strings.Cut(strings.Trim(text, "{}"), " "); what {
		case "keys":
			return keyTable(all)
		case "classes":
			return classTable()
		case "fields":
			return fieldTable(fields(name), true)
		case "plain":
			return fieldTable(fields(name), false)
		}
		return text // stays, and a test finds it
	})
}

// keyTable lists all keys by the names of their flags.
func keyTable(all []key.Key) string {
	all = slices.Clone(all)
	sorting.Sort(all, func(a, b key.Key) int { return strings.Compare(a.Flag(), b.Flag()) })
	var b strings.Builder
	b.WriteString("| Key | Flag | Default | Change | Meaning |\n|---|---|---|---|---|\n")
	for _, k := range all {
		change := "restart"
		if k.Live {
			change = "reload"
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | `%s` | %s | %s |\n", k.Name, k.Flag(), k.Default(), change, cell(k.Help))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// fieldTable lists the keys of an element, in the order of their declaration.
func fieldTable(fields []key.Key, defaults bool) string {
	var b strings.Builder
	if defaults {
		b.WriteString("| Key | Default | Meaning |\n|---|---|---|\n")
	} else {
		b.WriteString("| Key | Meaning |\n|---|---|\n")
	}
	for _, k := range fields {
		if defaults {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", k.Name, k.Default(), cell(k.Help))
		} else {
			fmt.Fprintf(&b, "| `%s` | %s |\n", k.Name, cell(k.Help))
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// cell is a text that may stand in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", "or") }

// classTable lists the classes of announcements in order of precedence.
func classTable() string {
	var b strings.Builder
	b.WriteString("| Class | What is announced as such |\n|---|---|\n")
	for _, c := range expose.Classes() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", c, c.Meaning())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
