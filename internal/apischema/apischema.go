// Package apischema makes JSON Schemas of the answers of the API from their Go types, and
// holds answers to them. Only tests use it: docs/api has what it makes.
package apischema

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
)

// Answer is one form of answer that commands print with -o json.
type Answer struct {
	// Name is that of the file of its schema.
	Name string
	// Commands print it.
	Commands []string
	value    any
}

// Answers are all of them.
func Answers() []Answer {
	return []Answer{
		{"apply", []string{"apply"}, control.Applied{}},
		{"audit", []string{"audit"}, control.Audit{}},
		{"bgp-advertised", []string{"bgp advertised"}, control.BGPAdvertised{}},
		{"bgp-peers", []string{"bgp peers", "bgp peer"}, control.BGPPeers{}},
		{"bgp-received", []string{"bgp received", "bgp rejected"}, control.BGPReceived{}},
		{"desired", []string{"desired"}, control.Desired{}},
		{"doctor", []string{"doctor"}, doctor.Report{}},
		{"drain", []string{"drain", "undrain"}, control.Drain{}},
		{"evpn", []string{"evpn"}, control.EVPN{}},
		{"explain", []string{"explain"}, control.Explanation{}},
		{"explain-service", []string{"explain NAMESPACE/NAME"}, control.ServiceExplanation{}},
		{"found", []string{"explain", "trace"}, control.Found{}},
		{"history", []string{"history"}, control.History{}},
		{"kube", []string{"kube"}, control.Kube{}},
		{"peer-release", []string{"peer release"}, control.Released{}},
		{"plan", []string{"plan", "run --dry-run", "adopt", "cleanup"}, control.Plan{}},
		{"plan-file", []string{"plan --out"}, control.PlanFile{}},
		{"quarantine", []string{"quarantine"}, control.Aside{}},
		{"reload", []string{"reload", "plan --set"}, control.Reload{}},
		{"retry", []string{"retry"}, control.Retried{}},
		{"rollback", []string{"rollback"}, control.Rollback{}},
		{"status", []string{"status"}, control.Status{}},
		{"trace", []string{"trace"}, control.Trace{}},
		{"verify", []string{"verify"}, control.Verify{}},
		{"what-if", []string{"what-if"}, control.WhatIf{}},
	}
}

// Of is the schema of an answer, with docs as descriptions of types and fields.
func Of(a Answer, docs Docs) map[string]any {
	g := generator{docs: docs, defs: map[string]any{}}
	root := g.object(reflect.TypeOf(a.value))
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["$id"] = fmt.Sprintf("urn:bgp-ovn:api:v%d:%s", control.Version, a.Name)
	root["title"] = "bgp-ovn " + a.Commands[0]
	root["properties"].(map[string]any)["version"] = map[string]any{
		"const": control.Version, "description": "The version of this form. Fields may be added under the same version.",
	}
	if len(g.defs) > 0 {
		root["$defs"] = g.defs
	}
	return root
}

// generator makes one schema.
type generator struct {
	docs Docs
	defs map[string]any
}

// The types whose JSON form their Go type does not tell.
var special = map[reflect.Type]map[string]any{
	reflect.TypeFor[time.Time]():       {"type": "string", "format": "date-time"},
	reflect.TypeFor[netip.Addr]():      {"type": "string"},
	reflect.TypeFor[netip.Prefix]():    {"type": "string"},
	reflect.TypeFor[json.RawMessage](): {},
	reflect.TypeFor[object.Metric]():   {"type": []string{"integer", "null"}},
	reflect.TypeFor[control.Object](): {
		"type": "object", "required": []string{"kind", "key", "why", "line"},
		"properties": map[string]any{
			"kind": map[string]any{"type": "string"}, "key": map[string]any{"type": "string"},
			"why":  map[string]any{"type": "array", "items": map[string]any{"type": "object"}},
			"line": map[string]any{"type": "string"},
		},
		"description": "A desired object: kind, key, why, line, and the fields of its kind.",
	},
}

var textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()

// of is the schema of a type.
func (g *generator) of(t reflect.Type) map[string]any {
	if s, ok := special[t]; ok {
		return s
	}
	if t.Kind() != reflect.Pointer && t.Implements(textMarshaler) {
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return map[string]any{"anyOf": []any{g.of(t.Elem()), map[string]any{"type": "null"}}}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		return map[string]any{"type": "array", "items": g.of(t.Elem())}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": g.of(t.Elem())}
	case reflect.Struct:
		return g.reference(t)
	default:
		panic(fmt.Sprintf("%s has no form in JSON", t))
	}
}

// reference refers to the schema of a struct.
func (g *generator) reference(t reflect.Type) map[string]any {
	name := t.String()
	if _, ok := g.defs[name]; !ok {
		g.defs[name] = nil // it may contain itself
		g.defs[name] = g.object(t)
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

// object is the schema of a struct.
func (g *generator) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	g.fields(t, properties, &required)
	out := map[string]any{"type": "object", "properties": properties, "required": required}
	if d := g.docs.Type(t); d != "" {
		out["description"] = d
	}
	return out
}

// fields adds the fields of a struct and of those that are embedded in it. What an outer
// field hides stays hidden.
func (g *generator) fields(t reflect.Type, properties map[string]any, required *[]string) {
	for _, f := range reflect.VisibleFields(t) {
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if f.Anonymous && tag == "" || !f.IsExported() || tag == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		s := map[string]any{}
		for k, v := range g.of(f.Type) {
			s[k] = v
		}
		owner := t
		if len(f.Index) > 1 {
			owner = t.FieldByIndex(f.Index[:len(f.Index)-1]).Type
		}
		if d := g.docs.Field(owner, f.Name); d != "" {
			s["description"] = d
		}
		properties[name] = s
		if !strings.Contains(options, "omit") {
			*required = append(*required, name)
		}
	}
}

// Validate says what of an answer in JSON is not as the schema of that name in a
// directory has it.
func Validate(dir, name string, answer []byte) error {
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	schema, err := compiler.Compile(dir + "/" + name + ".json")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(answer))
	if err != nil {
		return err
	}
	if err := schema.Validate(v); err != nil {
		return err
	}
	if found, err := Sentences(answer); err != nil || len(found) > 0 {
		return errors.Join(err, errors.New("no field for each thing: "+strings.Join(found, "; ")))
	}
	return nil
}
