package ovs

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const mac = "3a:f7:e9:54:e8:4d"

// Lines as ovs-ofctl 3.1 prints them, and what they are to us.
var lines = []struct {
	line string
	want object.Flow
}{
	{
		" cookie=0x3e7, priority=900,ip,in_port=1 actions=set_field:" + mac + "->eth_dst,NORMAL",
		object.Flow{Cookie: 0x3e7, Priority: 900, Match: "ip,in_port=1", Actions: "mod_dl_dst:" + mac + ",NORMAL"},
	},
	{
		" cookie=0x3e7, table=3, priority=900,ipv6,in_port=1 actions=mod_dl_dst:" + mac + ",NORMAL",
		object.Flow{Cookie: 0x3e7, Table: 3, Priority: 900, Match: "ipv6,in_port=1", Actions: "mod_dl_dst:" + mac +
			",NORMAL"},
	},
	{
		" cookie=0x3e7, duration=0.019s, table=5, n_packets=1, n_bytes=42, importance=6, ip actions=drop",
		object.Flow{Cookie: 0x3e7, Table: 5, Priority: 32768, Match: "ip", Actions: "importance=6,drop"},
	},
	{" priority=0 actions=NORMAL", object.Flow{Match: "any", Actions: "NORMAL"}},
	{" cookie=0x3e7, actions=drop", object.Flow{Cookie: 0x3e7, Priority: 32768, Match: "any", Actions: "drop"}},
	{
		" cookie=0x3e7, idle_timeout=500, send_flow_rem priority=901,ip,in_port=LOCAL actions=drop",
		object.Flow{Cookie: 0x3e7, Priority: 901, Match: "ip,in_port=LOCAL", Actions: "idle_timeout=500,send_flow_rem,drop"},
	},
	{
		" cookie=0xffffffffffffffff, reset_counts actions=ct(commit,exec(set_field:1->ct_mark)),pop_vlan,set_field:" + mac +
			"->eth_src",
		object.Flow{
			Cookie: 1<<64 - 1, Priority: 32768, Match: "any",
			Actions: "ct(commit,exec(set_field:1->ct_mark)),strip_vlan,mod_dl_src:" + mac,
		},
	},
	{
		" table=254, priority=65535,reg0=0x1/0x1 actions=set_field:" + mac + "/ff:ff:ff:00:00:00->eth_dst",
		object.Flow{Table: 254, Priority: 65535, Match: "reg0=0x1/0x1", Actions: "set_field:" + mac +
			"/ff:ff:ff:00:00:00->eth_dst"},
	},
}

func TestParseFlow(t *testing.T) {
	for _, c := range lines {
		c.want.Bridge = "br-ex"
		got, err := parseDump("br-ex", []byte(c.line+"\n"))
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", c.line, got, err, c.want)
		}
	}
}

// What cannot be read must not be left out.
func TestParseFlowMalformed(t *testing.T) {
	for _, line := range []string{
		"cookie=0x3e7, table=3",
		"cookie=0x3e7, table=256, ip actions=drop",
		"cookie=blue, ip actions=drop",
		"cookie=0x3e7, priority=65536,ip actions=drop",
		"cookie=0x3e7, priority=,ip actions=drop",
		"cookie=0x3e7, ip udp actions=drop",
		"ovs-ofctl: something went wrong",
		"\x00",
	} {
		if got, err := parseDump("br-ex", []byte(" priority=0 actions=NORMAL\n "+line+"\n")); err == nil {
			t.Errorf("%q: got %+v, want an error", line, got)
		}
	}
}

func TestParseEvent(t *testing.T) {
	for line, want := range map[string]event{
		"event=ADDED table=1 cookie=0x3e7 ip,in_port=5 actions=set_field:" + mac + "->eth_dst,NORMAL": {
			cookie: 0x3e7, key: eventKey{1, "ip,in_port=5"}, actions: "mod_dl_dst:" + mac + ",NORMAL",
		},
		"event=DELETED reason=delete table=0 cookie=0 actions=NORMAL": {
			deleted: true, key: eventKey{0, "any"}, actions: "NORMAL",
		},
		"event=MODIFIED table=1 cookie=0x5 priority=7,ip": {cookie: 5, key: eventKey{1, "ip"}, actions: "drop"},
	} {
		if got, err := parseEvent(line); err != nil || got != want {
			t.Errorf("%s\n got %+v, %v\nwant %+v", line, got, err, want)
		}
	}
	for _, line := range []string{"event=ABBREV xid=0x4", "event=ADDED table=x", "event="} {
		if got, err := parseEvent(line); err == nil {
			t.Errorf("%q: got %+v, want an error", line, got)
		}
	}
}

// Whatever is accepted can be printed as a plan's line and read back.
func FuzzParseFlow(f *testing.F) {
	for _, c := range lines {
		f.Add(c.line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		_, _ = parseEvent(line)
		flow, err := parseFlow("br-ex", line)
		if err != nil {
			return
		}
		if flow.Match == "" || flow.Actions == "" {
			t.Fatalf("%q: got %+v, with an empty part", line, flow)
		}
		again, err := object.Parse(object.Text(flow))
		if err != nil || again != flow {
			t.Fatalf("%q: got %+v back, %v, want %+v", line, again, err, flow)
		}
		if again, err := canonicalActions(flow.Actions); err != nil || again != flow.Actions {
			t.Fatalf("%q: %q is not canonical: %q, %v", line, flow.Actions, again, err)
		}
		if strings.ContainsAny(flow.Match, " \t\n") {
			t.Fatalf("%q: match %q has blanks", line, flow.Match)
		}
	})
}
