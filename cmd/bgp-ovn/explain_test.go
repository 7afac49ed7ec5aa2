package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestExplainByName: what stands for one address is explained, what stands for several is
// listed, and of what stands for nothing it is said what was looked at.
func TestExplainByName(t *testing.T) {
	const chassis = "hv1"
	for _, tt := range []struct {
		name, file, target string
		exit               int
		want               []string
	}{
		{
			"a port", "virtual-port.json", "octavia-lb-3dd2f706-d144-4bb9-a767-98d4d2539505", exitSame,
			[]string{
				"port octavia-lb-3dd2f706-d144-4bb9-a767-98d4d2539505 (31c4951b-2fb5-475c-a9cc-1468df707f4a), of\n" +
					"  public, on chassis hv1",
				"172.24.4.170  fixed IP of virtual port octavia-lb-3dd2f706-d144-4bb9-a767-98d4d2539505  WOULD BE ADVERTISED",
			},
		},
		{
			"a VM with a floating IP", "fip-distributed.json", "b130576c-6ba4-4863-a73f-a858e3d0fcbd", exitDiffers,
			[]string{
				"stands for 2 addresses; ask about one: bgp-ovn explain ADDRESS",
				"10.10.0.12    port 43817047                 priv, hv2.lab.example  no",
			},
		},
		{
			"a prefix", "fip-distributed.json", "172.24.4.0/24", exitDiffers,
			[]string{
				"172.24.4.0/24 stands for 3 addresses",
				"172.24.4.100  port cr-lrp-ad2ab0e6 of router r1  r1, hv1.lab.example    yes",
			},
		},
		{
			"a bridge", "fip-distributed.json", "br-ex", exitSame,
			[]string{"bridge br-ex\n172.24.4.100  floating or gateway IP"},
		},
		{
			"a VNI", "evpn-router.json", "1001", exitDiffers, []string{"stands for", "10.60.0.11      on network eva"},
		},
		{
			"nothing", "fip-distributed.json", "nonsense", exitError,
			[]string{`explain "nonsense": nothing has this name, UUID or address; looked at 11 ports, 3 networks and routers`},
		},
		{
			"no address", "fip-distributed.json", "hv1.lab.example", exitError,
			[]string{"chassis hv1.lab.example has no address here"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, errs, exit := run(t, nil, "explain", tt.target, "--snapshot", fixtures+tt.file, "--chassis", chassis)
			for _, want := range tt.want {
				if !strings.Contains(out+errs, want) {
					t.Errorf("got\n%s%swant in it\n%s", out, errs, want)
				}
			}
			if exit != tt.exit {
				t.Errorf("exit status %d, want %d:\n%s%s", exit, tt.exit, out, errs)
			}
			for line := range strings.Lines(out) {
				if len(line) > 131 { // steps of an explanation have no line breaks
					t.Errorf("%d columns: %s", len(line), line)
				}
			}
		})
	}
}

// TestFoundJSON: the list has the same in fields.
func TestFoundJSON(t *testing.T) {
	out, errs, _ := run(t, nil, "explain", "172.24.4.0/24", "--snapshot", fixtures+"fip-distributed.json", "--chassis",
		"hv1", "-o", "json")
	var got struct {
		Version int
		Target  string
		Total   int
		Matches []struct {
			Kind, Name, ID, By string
			Addresses          []struct {
				Address, Relation string
				Announced         bool
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	if got.Version != 1 || got.Target != "172.24.4.0/24" || got.Total != 4 || len(got.Matches) != 4 ||
		len(got.Matches[0].Addresses) != 1 || got.Matches[0].By != "address" {
		t.Errorf("got %+v", got)
	}
}

// TestNamesBeforeUUIDs: lines for people have the name of a port, JSON has its UUID and
// what it is called.
func TestNamesBeforeUUIDs(t *testing.T) {
	const uuid, name = "31c4951b-2fb5-475c-a9cc-1468df707f4a", "octavia-lb-3dd2f706-d144-4bb9-a767-98d4d2539505"
	for _, command := range []string{"plan", "desired"} {
		out, errs, _ := run(t, nil, command, "--snapshot", fixtures+"virtual-port.json", "--chassis", "hv1")
		if !strings.Contains(out, "# Port_Binding "+name+" (") || strings.Contains(out, uuid) {
			t.Errorf("%s: got\n%s%s", command, out, errs)
		}
		out, _, _ = run(t, nil, command, "--snapshot", fixtures+"virtual-port.json", "--chassis", "hv1", "-o", "json")
		if !strings.Contains(out, `"`+uuid+`": "`+name+`"`) || !strings.Contains(out, `"row": "`+uuid+`"`) {
			t.Errorf("%s: the JSON form lacks the UUID or the name", command)
		}
	}
}
