package view

import (
	"strings"
	"unicode/utf8"
)

// maxColumns is the width of a terminal that all text fits.
const maxColumns = 100

// column is the head of a column and how wide it may be.
type column struct {
	head  string
	width int
}

// table is text in columns. What does not fit is cut off in the middle, where addresses
// and names differ least; JSON has it whole.
type table struct {
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

// String aligns the columns: each is as wide as its longest cell.
func (t *table) String() string {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = utf8.RuneCountInString(c.head)
		for _, l := range t.lines {
			if l.note == "" {
				widths[i] = max(widths[i], min(c.width, utf8.RuneCountInString(l.cells[i])))
			}
		}
	}
	var b strings.Builder
	print := func(cells []string) {
		var line strings.Builder
		for i, cell := range cells {
			cell = fit(cell, widths[i])
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
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
		for _, part := range wrap(l.note, maxColumns-4) {
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
