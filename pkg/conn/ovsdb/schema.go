package ovsdb

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// databaseSchema is what we need of a <database-schema> (RFC 7047 section 3.2).
// libovsdb's type is not used: it panics on a column without a type, and what
// comes from a socket may be anything.
type databaseSchema struct {
	Version string
	Tables  map[string]struct {
		Columns map[string]struct{ Type columnType }
	}
}

// columnType is a <type>: an atomic type's name or an object.
type columnType struct{ wire.ColumnType }

// UnmarshalJSON reads both forms, of the type and of its key.
func (t *columnType) UnmarshalJSON(text []byte) error {
	if json.Unmarshal(text, &t.Kind) == nil {
		return nil
	}
	var is struct {
		Key, Value json.RawMessage
		Max        any
	}
	if err := json.Unmarshal(text, &is); err != nil {
		return err
	}
	// max is an integer or "unlimited"; absent is 1 (RFC 7047 section 3.2).
	switch max := is.Max.(type) {
	case string:
		t.Many = max == "unlimited"
	case float64:
		t.Many = max > 1
	}
	if is.Value != nil {
		t.Kind = "map"
		return nil
	}
	var base struct{ Type string }
	if json.Unmarshal(is.Key, &t.Kind) == nil {
		return nil
	}
	err := json.Unmarshal(is.Key, &base)
	t.Kind = base.Type
	return err
}

// check demands the columns without which nothing useful can be derived.
func (s *databaseSchema) check(title string, required map[string][]string) error {
	var missing []string
	for _, table := range slices.Sorted(maps.Keys(required)) {
		columns := required[table]
		for _, c := range columns {
			if _, ok := s.Tables[table].Columns[c]; !ok {
				missing = append(missing, table+"."+c)
			}
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("the schema (version %s) is not that of the %s database: it lacks %s",
			s.Version, title, strings.Join(missing, ", "))
	}
	return nil
}

func (s *databaseSchema) wire() wire.Schema {
	out := make(wire.Schema, len(s.Tables))
	for name, t := range s.Tables {
		columns := make(map[string]wire.ColumnType, len(t.Columns))
		for column, is := range t.Columns {
			columns[column] = is.Type.ColumnType
		}
		out[name] = columns
	}
	return out
}

// getSchema asks for the schema of a database (RFC 7047 section 4.1.2).
func (c *conn) getSchema(database string) (*databaseSchema, error) {
	var text []byte
	err := c.call("get_schema", []string{database}, func(d *wire.Decoder) { text = d.Raw() })
	if err != nil {
		return nil, err
	}
	var schema databaseSchema
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("read the schema of %s: %w", database, err)
	}
	return &schema, nil
}
