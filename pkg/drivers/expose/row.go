package expose

import (
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/isolate"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Row calls derive, which adds what one database row leads to, and reports whether
// it returned. If it panics, that is a defect of the driver that costs this row
// only: what it has added is taken back, the row is reported, and what it led to in
// earlier rounds is held. Every loop over rows is to call it; a panic outside of it
// costs the driver all that it adds.
func (e *Exposer) Row(table, row string, derive func()) bool {
	p := e.attempt(derive)
	if p != nil {
		e.panicked(p, table+" "+row, object.Source{Table: table, Row: row})
	}
	return p == nil
}

// Part is Row for what several rows lead to together, such as a virtual network.
// what names it, and rows is asked for them after a panic: objects that have one of
// them as their source are held, or without any all objects of the driver.
func (e *Exposer) Part(what string, rows func() []object.Source, derive func()) bool {
	p := e.attempt(derive)
	if p != nil {
		e.panicked(p, what, rows()...)
	}
	return p == nil
}

// attempt calls derive and takes back what it added if it panics.
func (e *Exposer) attempt(derive func()) *isolate.Panic {
	return isolate.Run(func() { e.out.Atomically(derive) })
}

// panicked reports a panic at something that rows lead to.
func (e *Exposer) panicked(p *isolate.Panic, what string, rows ...object.Source) {
	if len(rows) == 0 {
		rows = []object.Source{{}}
	}
	stack := ""
	if where := p.String(); !e.seen[where] { // one stack is enough for 100,000 rows with the same defect
		if e.seen == nil {
			e.seen = map[string]bool{}
		}
		e.seen[where], stack = true, p.Stack()
	}
	for _, src := range rows {
		e.Skip(observe.Skip{
			Table: src.Table, Row: src.Row, Code: observe.SkipPanic, Driver: e.driver, Hold: true, Stack: stack,
			Text: fmt.Sprintf("driver %s panicked at %s: %s; the objects it led to are held", e.driver, what, p),
		})
	}
}
