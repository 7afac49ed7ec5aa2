package config

import (
	"strings"
	"testing"
)

// What the running controller would refuse, or the kernel, GoBGP or a client would
// refuse it, is refused where it is written, with the key.
func TestWhatCannotRunIsRefused(t *testing.T) {
	long := "/" + strings.Repeat("x", maxSocketPath)
	for file, want := range map[string]string{
		"state: ''":              "state: an empty path",
		"state: ' '":             "state: an empty path",
		"socket: ''":             "socket: an empty path",
		"socket: " + long:        "is longer than the 107 bytes",
		"socket: \"/run/a\\nb\"": "has control characters",
		"read_socket: " + long:   "is longer than the 107 bytes",
		"{socket: /a, read_socket: /a, read_socket_group: g}":            "read_socket: it is the control socket",
		"bgp: {speaker: 'unix:" + long + "'}":                            "is longer than the 107 bytes",
		"bgp: {speaker: 'unix:run/s'}":                                   "is no socket",
		"ovsdb_connection: ssl:192.0.2.1:6640":                           "there are no certificates for the Open_vSwitch",
		"ovsdb_connection: 'unix:/a?b'":                                  "has one of the characters ? # %",
		"ovsdb_connection: 'unix://a'":                                   "begins with two slashes",
		"ovsdb_connection: 'unix:" + long + "'":                          "is not the address of a database",
		"ovsdb_connection: tcp:192.0.2.1:0":                              "is not the address of a database",
		"ovn_sb_connection: 'unix:" + long + "'":                         "is not the address of a database",
		"ovn_sb_connection: tcp:192.0.2.1:65536":                         "is not the address of a database",
		"{ovn_sb_connection: 'ssl:192.0.2.1:1', ovn_sb_ca_cert: ''}":     "ovn_sb_ca_cert: an ssl: remote needs",
		"{ovn_nb_connection: 'ssl:192.0.2.1:1', ovn_nb_private_key: ''}": "ovn_nb_private_key: key and certificate",
		"ovn_sb_server_name: 'a b'":                                      "is not the name of a server",
		"ovn_sb_server_name: 'https://a'":                                "is not the name of a server",
		"bgp: {damping: {suppress: 1000}}":                               "use 2000 or more, or 0",
		"bgp: {damping: {suppress: 6000, half_life: 0s}}":                "half_life: it is shorter than a second",
		"bgp: {damping: {suppress: 6000, reuse: 6000}}":                  "reuse: it is not below bgp.damping.suppress",
		"bgp: {damping: {suppress: 6000, max_suppress: 15m}}":            "max_suppress: within it a penalty of 6000",
		"ovn_sb_size_limit: 0":                                           "0 is out of range",
		"metrics: {listen: '256.1.1.1:9100'}":                            "is nothing to listen on",
		"bgp: {listen: {address: 224.0.0.1}}":                            "nothing can listen on 224.0.0.1",
		"bgp: {listen: {address: 'fe80::1'}}":                            "nothing can listen on fe80::1",
		"bgp: {listen: {address: '::ffff:192.0.2.1'}}":                   "nothing can listen on",
		"learn: {source4: 0.0.0.0}":                                      "0.0.0.0 is no source of a packet",
		"learn: {source4: 224.0.0.1}":                                    "224.0.0.1 is no source of a packet",
		"learn: {source6: '::'}":                                         ":: is no source of a packet",
		"learn: {source6: 'ff02::1'}":                                    "ff02::1 is no source of a packet",
		"routing: {table_range: 200-253}":                                "has tables of the kernel",
		"routing: {table_range: 1-4294967295}":                           "has tables of the kernel",
		"routing: {table_range: 254-254}":                                "has tables of the kernel",
		"routing: {route_protocol: 84}":                                  "protocol 84 is that of ovn",
		"routing: {route_protocol: 85}":                                  "protocol 85 is that of ovn",
		"native: {learned_protocol: 84}":                                 "use 5 to 255, but neither 84 nor 85",
		"native: {learned_protocol: 85}":                                 "use 5 to 255, but neither 84 nor 85",
		"kube: {policies: [{aggregate4: 33}]}":                           "33 is out of range",
		"kube: {policies: [{aggregate4: 0}]}":                            "0 is out of range",
		"kube: {policies: [{aggregate6: 129}]}":                          "129 is out of range",
		"kube: {on_cordon: leave}":                                       "on_cordon",
		"kube: {advertise: [nodeport]}":                                  "unknown kind",
		"routing: {rule_protocol: 4}":                                    "protocol 4 is that of static",
		"bgp: {as: 0}":                                                   "0 is reserved",
		"bgp: {as: 23456}":                                               "23456 is reserved",
		"bgp: {as: 65535}":                                               "65535 is reserved",
		"bgp: {as: 65536.0}":                                             "is not an autonomous system number",
		"bgp: {as: 65535.65535}":                                         "4294967295 is reserved",
		"bgp: {as: 0.0}":                                                 "0 is reserved",
		"bgp: {as: 0.23456}":                                             "23456 is reserved",
		"bgp: {router_id: 0.0.0.0}":                                      "0.0.0.0 is no BGP identifier",
		"flows: {cookie: 0}":                                             "0 is out of range",
		"bgp: {peers: [{address: 0.0.0.0, as: 1}]}":                      "is no address of a single node",
		"bgp: {peers: [{address: '::', as: 1}]}":                         "is no address of a single node",
		"bgp: {peers: [{address: 'ff02::1%eth0', as: 1}]}":               "is no address of a single node",
		"bgp: {peers: [{address: 'fe80::1', as: 1}]}":                    "is link-local: add the device",
		"bgp: {peers: [{address: '::ffff:192.0.2.1', as: 1}]}":           "write 192.0.2.1",
		"bgp: {peers: [{address: '192.0.2.1', as: 4294967295}]}":         "4294967295 is reserved",
		"bgp: {peers: [{address: '192.0.2.1', as: 1, port: 65536}]}":     "65536 is out of range",
		"bgp: {peers: [{address: '2001:db8::1', as: 1}, {address: '2001:DB8:0:0::1', as: 1}]}": "duplicate neighbour",
		"bgp: {bmp: [{port: 11019}]}":                                "set the station's IP address",
		"bgp: {bmp: [{address: station-1}]}":                         "is not an IP address",
		"bgp: {bmp: [{address: '::'}]}":                              "is no address of a single node",
		"bgp: {bmp: [{address: 192.0.2.50, port: 0}]}":               "out of range",
		"bgp: {bmp: [{address: 192.0.2.50, policy: adj-out}]}":       "unknown policy",
		"bgp: {bmp: [{address: 192.0.2.50}, {address: 192.0.2.50}]}": "duplicate station",
		"bgp: {bmp: [{address: 192.0.2.50, statistics: 65536}]}":     "out of range",
	} {
		_, problems := Read("c.yaml", []byte(file+"\n"))
		err := problems.Err()
		if err == nil || !strings.HasPrefix(err.Error(), "c.yaml:1: ") || !strings.Contains(err.Error(), want) ||
			len(problems) != 1 {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
	}
}

// A form of a number that another program reads as another one is read as it is meant.
func TestDottedAS(t *testing.T) {
	for text, want := range map[string]uint32{"65000.1": 65000<<16 | 1, "1.0": 1 << 16, "0.65000": 65000} {
		if got, err := ParseAS(text); err != nil || got != want {
			t.Errorf("%s is %d, %v", text, got, err)
		}
	}
}
