package wire

import "github.com/bgp-ovn/bgp-ovn/pkg/observe"

// global is the only row of table SB_Global. A Southbound has its options and
// not the row, so this table goes through a list of its own.
type global struct {
	uuid    observe.UUID
	options map[string]string
}

var globalSpec = &spec[observe.Southbound, global]{
	name: "SB_Global",
	get:  globals,
	set:  publishGlobal,
	id:   func(g *global) *observe.UUID { return &g.uuid },
	key:  func(*global) string { return "" },
	columns: []column[global]{
		mapping("options", func(g *global) *map[string]string { return &g.options }),
	},
}

// globals makes a row of the options of a Southbound, for writing.
func globals(sb *observe.Southbound) []*global {
	if sb.Global == nil {
		return nil
	}
	return []*global{{uuid: observe.UUID{15: 1}, options: sb.Global}}
}

// publishGlobal is the reverse.
func publishGlobal(sb *observe.Southbound, rows []*global) {
	sb.Global = nil
	if len(rows) > 0 {
		sb.Global = rows[0].options
	}
}
