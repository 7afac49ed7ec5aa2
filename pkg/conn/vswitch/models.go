package vswitch

import (
	"encoding/json"
	"fmt"

	"github.com/ovn-org/libovsdb/model"
	"github.com/ovn-org/libovsdb/ovsdb"
)

// Database is the name of the database in its schema.
const Database = "Open_vSwitch"

// The tables that are read.
const (
	TableRoot      = "Open_vSwitch"
	TableBridge    = "Bridge"
	TablePort      = "Port"
	TableInterface = "Interface"
)

// Root is the only row of table Open_vSwitch.
type Root struct {
	UUID        string            `ovsdb:"_uuid"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// Bridge is a row of table Bridge.
type Bridge struct {
	UUID         string   `ovsdb:"_uuid"`
	Name         string   `ovsdb:"name"`
	Ports        []string `ovsdb:"ports"`
	DatapathType string   `ovsdb:"datapath_type"`
}

// Port is a row of table Port.
type Port struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Interfaces  []string          `ovsdb:"interfaces"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
	Tag         *int              `ovsdb:"tag"`
}

// Interface is a row of table Interface. OFPort is empty until ovs-vswitchd
// has processed the row and -1 where it could not create the port. IfIndex is the kernel's
// number of the device that has the name now, which need not be the one that ovs-vswitchd has
// open; empty or 0 while there is none.
type Interface struct {
	UUID        string            `ovsdb:"_uuid"`
	Name        string            `ovsdb:"name"`
	Type        string            `ovsdb:"type"`
	OFPort      *int              `ovsdb:"ofport"`
	MAC         *string           `ovsdb:"mac"`
	MACInUse    *string           `ovsdb:"mac_in_use"`
	IfIndex     *int              `ovsdb:"ifindex"`
	ExternalIDs map[string]string `ovsdb:"external_ids"`
}

// Model returns what libovsdb needs to know of the structs above. A server
// whose schema lacks one of the columns is refused by the client: all of them
// have been there since Open vSwitch 1.10. Columns that only the server knows
// are ignored.
func Model() model.ClientDBModel {
	m, err := model.NewClientDBModel(Database, map[string]model.Model{
		TableRoot:      &Root{},
		TableBridge:    &Bridge{},
		TablePort:      &Port{},
		TableInterface: &Interface{},
	})
	if err != nil {
		panic(fmt.Sprintf("the models of package vswitch are wrong: %v", err))
	}
	return m
}

// Schema returns the part of vswitch.ovsschema that Model covers, for an
// in-process server. Unlike in the original every table is a root table,
// because column Open_vSwitch.bridges, which keeps bridges alive there, is not
// part of it.
func Schema() ovsdb.DatabaseSchema {
	var s ovsdb.DatabaseSchema
	if err := json.Unmarshal([]byte(schema), &s); err != nil {
		panic(fmt.Sprintf("the schema of package vswitch is wrong: %v", err))
	}
	return s
}

const schema = `{
  "name": "Open_vSwitch",
  "version": "8.3.1",
  "tables": {
    "Open_vSwitch": {
      "isRoot": true,
      "columns": {
        "external_ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}
      }
    },
    "Bridge": {
      "isRoot": true,
      "indexes": [["name"]],
      "columns": {
        "name": {"type": "string", "mutable": false},
        "ports": {"type": {"key": {"type": "uuid", "refTable": "Port"}, "min": 0, "max": "unlimited"}},
        "datapath_type": {"type": "string"}
      }
    },
    "Port": {
      "isRoot": true,
      "indexes": [["name"]],
      "columns": {
        "name": {"type": "string", "mutable": false},
        "interfaces": {"type": {"key": {"type": "uuid", "refTable": "Interface"}, "min": 1, "max": "unlimited"}},
        "external_ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}},
        "tag": {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 4095}, "min": 0, "max": 1}}
      }
    },
    "Interface": {
      "isRoot": true,
      "indexes": [["name"]],
      "columns": {
        "name": {"type": "string", "mutable": false},
        "type": {"type": "string"},
        "ofport": {"type": {"key": "integer", "min": 0, "max": 1}},
        "mac": {"type": {"key": "string", "min": 0, "max": 1}},
        "mac_in_use": {"type": {"key": "string", "min": 0, "max": 1}},
        "ifindex": {"type": {"key": {"type": "integer", "minInteger": 0}, "min": 0, "max": 1}},
        "external_ids": {"type": {"key": "string", "value": "string", "min": 0, "max": "unlimited"}}
      }
    }
  }
}`
