package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"reflect"

	"github.com/go-logr/logr"
	"github.com/go-logr/stdr"
	"github.com/ovn-org/libovsdb/client"
	"github.com/ovn-org/libovsdb/database/inmemory"
	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"
	"github.com/ovn-org/libovsdb/server"
)

// database is a database served by this process on a unix socket, and a
// connection to write to it.
type database struct {
	remote string
	server *server.OvsdbServer
	client client.Client
}

// serve starts a database of the given tables.
func serve(ctx context.Context, path string, m model.ClientDBModel, schema ovsdb.DatabaseSchema) (*database, error) {
	quieten()
	full, errs := model.NewDatabaseModel(schema, m)
	if len(errs) > 0 {
		return nil, fmt.Errorf("schema of %s: %w", schema.Name, errs[0])
	}
	srv, err := server.NewOvsdbServer(inmemory.NewDatabase(map[string]model.ClientDBModel{schema.Name: m}), full)
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", schema.Name, err)
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve("unix", path) }()
	err = await(ctx, func() (bool, error) {
		select {
		case err := <-failed:
			return false, fmt.Errorf("serve %s: %w", schema.Name, err)
		default:
			return srv.Ready(), nil
		}
	})
	if err != nil {
		return nil, err
	}
	d := &database{remote: "unix:" + path, server: srv}
	silent := logr.Discard()
	if d.client, err = client.NewOVSDBClient(m, client.WithEndpoint(d.remote), client.WithLogger(&silent)); err != nil {
		return nil, err
	}
	return d, d.client.Connect(ctx)
}

// quieten keeps libovsdb's server from printing every row that it handles.
func quieten() {
	stdr.SetVerbosity(0)
	log.SetOutput(io.Discard)
}

// insert adds rows in one transaction and returns their UUIDs. Rows refer to
// each other by the names in their field UUID.
func (d *database) insert(ctx context.Context, rows ...model.Model) ([]string, error) {
	ops, err := d.client.Create(rows...)
	if err != nil {
		return nil, err
	}
	results, err := d.transact(ctx, ops)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(results))
	for i, r := range results {
		ids[i] = r.UUID.GoUUID
	}
	return ids, nil
}

func (d *database) transact(ctx context.Context, ops []ovsdb.Operation) ([]ovsdb.OperationResult, error) {
	results, err := d.client.Transact(ctx, ops...)
	if err != nil {
		return nil, fmt.Errorf("write to %s: %w", d.remote, err)
	}
	if _, err := ovsdb.CheckOperationResults(results, ops); err != nil {
		return nil, fmt.Errorf("write to %s: %w", d.remote, err)
	}
	return results, nil
}

func (d *database) close() {
	d.client.Close()
	d.server.Close()
}

// schemaOf derives a schema from models: one column a field, referring to the
// table in tag "ref". Every table is a root table.
func schemaOf(name, version string, tables map[string]model.Model) (ovsdb.DatabaseSchema, error) {
	out := map[string]any{}
	for table, m := range tables {
		columns := map[string]any{}
		t := reflect.TypeOf(m).Elem()
		for i := range t.NumField() {
			f := t.Field(i)
			if column := f.Tag.Get("ovsdb"); column != "_uuid" {
				columns[column] = map[string]any{"type": columnType(f.Type, f.Tag.Get("ref"))}
			}
		}
		out[table] = map[string]any{"isRoot": true, "columns": columns}
	}
	var s ovsdb.DatabaseSchema
	text, err := json.Marshal(map[string]any{"name": name, "version": version, "tables": out})
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return s, fmt.Errorf("derive schema of %s: %w", name, err)
	}
	return s, nil
}

// columnType is the <type> (RFC 7047 section 3.2) of a field.
func columnType(t reflect.Type, ref string) any {
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"key": atomicType(t.Elem(), ref), "min": 0, "max": 1}
	case reflect.Slice:
		return map[string]any{"key": atomicType(t.Elem(), ref), "min": 0, "max": "unlimited"}
	case reflect.Map:
		return map[string]any{"key": atomicType(t.Key(), ""), "value": atomicType(t.Elem(), ""), "min": 0, "max": "unlimited"}
	default:
		return map[string]any{"key": atomicType(t, ref)}
	}
}

func atomicType(t reflect.Type, ref string) any {
	switch {
	case ref != "":
		return map[string]any{"type": "uuid", "refTable": ref}
	case t.Kind() == reflect.Int:
		return "integer"
	case t.Kind() == reflect.Bool:
		return "boolean"
	default:
		return "string"
	}
}
