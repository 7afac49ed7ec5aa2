package view

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// maxColumns is the width that text fits which is not written to a terminal.
const maxColumns = 100

// column is the head of a column and how wide it is at least, where its cells are longer.
type column struct {
	head  string
	width int
}

// table is text in columns, each as wide as its longest cell. If that is too wide for the
// page, columns give way down to their own width, and further if that is too wide still.
// What does not fit is cut off in the middle, where addresses and names differ least; JSON
// has it whole.
type table struct {
	// page is how wide it may be; 0 is 100 columns.
	page    int
	columns []column
	lines   []line
}

// line is a row, or a note on the row above.
type line struct {
	cells []string
	note  string
}

func (t *table) row(cells ...string) { t.lines = append(t.lines, line{cells: cells}) }
func (t *table) note(text string)    { t.lines = append(t.lines, line{note: text}) }

// gap is the blanks between two columns.
const gap = 2

// leastWidth is what a column keeps however narrow the page is.
const leastWidth = 8

// widths are how wide the columns are.
func (t *table) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, l := range t.lines {
			if l.note == "" {
				widths[i] = max(widths[i], utf8.RuneCountInString(l.cells[i]))
			}
		}
	}
	excess := gap*(len(widths)-1) - cmp.Or(t.page, maxColumns)
	for _, w := range widths {
		excess += w
	}
	for _, own := range []bool{true, false} {
		for excess > 0 {
			widest := -1
			for i, c := range t.columns {
				least := max(leastWidth, utf8.RuneCountInString(c.head))
				if own {
					least = max(least, c.width)
				}
				if widths[i] > least && (widest < 0 || widths[i] > widths[widest]) {
					widest = i
				}
			}
			if widest < 0 {
				break
			}
			widths[widest]--
			excess--
		}
	}
	return widths
}

// String aligns the columns.
func (t *table) String() string {
	widths := t.widths()
	var b strings.Builder
	print := func(cells []string) {
		var line strings.Builder
		for i, cell := range cells {
			cell = fit(cell, widths[i])
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+gap))
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	heads := make([]string, len(t.columns))
	for i, c := range t.columns {
		heads[i] = c.head
	}
	print(heads)
	for _, l := range t.lines {
		if l.note == "" {
			print(l.cells)
			continue
		}
		for _, part := range wrap(l.note, cmp.Or(t.page, maxColumns)-4) {
			b.WriteString("    " + part + "\n")
		}
	}
	return b.String()
}

// fit cuts text to a width, in the middle.
func fit(text string, width int) string {
	runes := []rune(text)
	if len(runes) <= width || width < 5 {
		return text
	}
	front := (width - 2 + 1) / 2
	return string(runes[:front]) + ".." + string(runes[len(runes)-(width-2-front):])
}

// wrap breaks text at blanks into lines of at most width; a longer word stays whole.
func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
