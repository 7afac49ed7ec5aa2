package sb_test

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// installedSchema is what a server with the installed schema has.
func installedSchema() wire.Schema {
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		panic(err)
	}
	var schema struct {
		Tables map[string]struct{ Columns map[string]struct{ Type any } }
	}
	if err := json.Unmarshal(text, &schema); err != nil {
		panic(err)
	}
	out := wire.Schema{}
	for name, t := range schema.Tables {
		columns := map[string]wire.ColumnType{}
		for column, is := range t.Columns {
			columns[column] = columnOf(is.Type)
		}
		out[name] = columns
	}
	return out
}

func columnOf(is any) wire.ColumnType {
	t, ok := is.(map[string]any)
	if !ok {
		return wire.ColumnType{Kind: fmt.Sprint(is)}
	}
	c := wire.ColumnType{Many: t["max"] == "unlimited"}
	key, ok := t["key"].(map[string]any)
	switch {
	case t["value"] != nil:
		c.Kind = "map"
	case ok:
		c.Kind = fmt.Sprint(key["type"])
	default:
		c.Kind = fmt.Sprint(t["key"])
	}
	return c
}
