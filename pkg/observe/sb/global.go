package sb

import (
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// global is the only row of table SB_Global. A Southbound has its options and
// not the row, so this table goes through a list of its own.
type global struct {
	uuid    observe.UUID
	options map[string]string
}

var globalTable = &wire.Table[observe.Southbound, global]{
	Name: "SB_Global",
	Get:  globals,
	Set:  publishGlobal,
	ID:   func(g *global) *wire.UUID { return (*wire.UUID)(&g.uuid) },
	Key:  func(*global) string { return "" },
	Columns: []wire.Column[*global]{
		wire.Mapping("options", func(g *global) *map[string]string { return &g.options }),
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
