package config

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

// All problems are said at once, in the order of the lines; then those of variables
// and flags.
func TestAllProblemsAtOnce(t *testing.T) {
	src := source(
		t,
		drivers.All(),
		"fuse: {share: 2}\nlog: {level: loud}\nstat: /x\n",
		map[string]string{"BGP_OVN_BGP_AS": "x"},
		"--bgp-origin=y",
		"--drivers=frr",
	)
	_, problems := Load(src)
	var got []string
	for _, p := range problems {
		got = append(got, p.Place.String()+" "+p.Key)
	}
	want := src.Path + ":1 fuse.share|" + src.Path + ":2 log.level|" + src.Path + ":3 stat" +
		"|--bgp-origin bgp.origin|--drivers drivers[0]|environment variable BGP_OVN_BGP_AS bgp.as"
	if strings.Join(got, "|") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "|"), want)
	}
	if n := strings.Count(problems.Err().Error(), "\n"); n > 0 {
		t.Errorf("%d line ends in %s", n, problems.Err())
	}
}

// badFlags are wrong texts of flags.
var badFlags = []struct{ arg, want string }{
	{
		"--bgp-as=x",
		`--bgp-as: bgp.as: "x" is not an autonomous system number: use 1 to 4294967294, or the form 65000.1`,
	},
	{"--flows-manage=x", `--flows-manage: flows.manage: "x" is neither true nor false: use true or false`},
	{
		`--originate=10.0.0.0/8,"x`,
		`--originate: originate: "10.0.0.0/8,\"x" is not a list with commas: ` +
			`quote a value that has a comma or a quote in it, as in "a,b",c`,
	},
	{
		"--drivers=osp_ovn_bgp_driver,frr",
		`--drivers: drivers[1]: unknown driver "frr": use one of osp_ovn_bgp_driver, osp_ovn_evpn_driver, ovn_native_driver, k8s_ovn_bgp_driver`,
	},
	{
		"--bgp-peers=address=192.0.2.1",
		"--bgp-peers: bgp.peers[0].as: missing: set the neighbour's autonomous system number, or external",
	},
	{
		"--bgp-peers=address=192.0.2.1,as=1,hold_tme=9",
		`--bgp-peers: bgp.peers[0]: item 3 has an unknown key "hold_tme": did you mean hold_time?`,
	},
	{
		"--bgp-attributes=med=3",
		"--bgp-attributes: bgp.attributes: there is no class: " +
			"begin with class=NAME; use gateway, fip, vip, provider, tenant, subnet, ovn, loopback or originate",
	},
	{
		"--bgp-attributes=class=fip,metric=3",
		`--bgp-attributes: bgp.attributes: item 2 has an unknown key "metric": see docs/configuration.md`,
	},
	{
		"--evpn-vnis=vni=7,red",
		`--evpn-vnis: evpn.vnis[0]: item 2 is not KEY=VALUE: quote an item that has a comma in it: "KEY=a,b"`,
	},
	{
		"--evpn-vnis=vni=7,import=x",
		`--evpn-vnis: evpn.vnis[0].import[0]: "x" is not a route target (RFC 4360): ` +
			`use AS:NUMBER or IPV4:NUMBER, or "*:NUMBER" for any AS`,
	},
}

func TestBadFlags(t *testing.T) {
	for _, tt := range badFlags {
		_, problems := Load(source(t, drivers.All(), "", nil, tt.arg))
		if problems.Err() == nil || problems.Err().Error() != tt.want {
			t.Errorf("%s: got\n%v\nwant\n%s", tt.arg, problems.Err(), tt.want)
		}
	}
}

// Whatever is wrong with a neighbour, its password is in no message, nor is a piece
// of it.
func TestPasswordIsNotRepeated(t *testing.T) {
	const secret = "s3cret"
	for _, file := range []string{
		"bgp: {peers: [{address: x, as: y, password: s3cret}]}\n",
		"bgp: {peers: [{address: x, password: [s3cret]}]}\n",
		"bgp: {peers: [{address: x, password: {s3cret: s3cret}}]}\n",
		"bgp: {peers: [{address: x, password: *s3cret}]}\n",
		"bgp: {peers: [{address: x, password: a, s3cret}]}\n",
		"bgp: {peers: [{address: x, pasword: s3cret}]}\n",
		"bgp: {peers: [{address: x, password: !s3cret }]}\n",
		"bgp: {peers: [{address: x, password: 's3cret}]}\n",
		"bgp: {peers: [{address: x, password: @s3cret}]}\n",
		"bgp: {peers: [{address: x, password: " + strings.Repeat("s3cret", 20) + "}]}\n",
	} {
		if _, problems := Load(source(t, drivers.All(), file, nil)); len(problems) == 0 ||
			strings.Contains(problems.Err().Error(), secret) {
			t.Errorf("%s: %v", file, problems.Err())
		}
	}
	for _, text := range []string{
		"address=x,as=y,password=s3cret", "address=x,password=a,s3cret",
		"address=x,password=a,s3cret=b", "address=x,pasword=s3cret",
		`address=x,"password=s3cret`, `address=x,"password=s3cret"x`, "s3cret", "=s3cret",
	} {
		for _, src := range []Source{
			source(t, drivers.All(), "", nil, "--bgp-peers="+text),
			source(t, drivers.All(), "", map[string]string{"BGP_OVN_BGP_PEERS": text}),
		} {
			if _, problems := Load(src); len(problems) == 0 || strings.Contains(problems.Err().Error(), secret) {
				t.Errorf("%s: %v", text, problems.Err())
			}
		}
	}
	fs := Flags()
	if err := fs.Parse([]string{"--bgp-peers=address=192.0.2.1,as=1,password=s3cret"}); err != nil {
		t.Fatal(err)
	}
	if text := fs.Lookup("bgp-peers").Value.String(); strings.Contains(text, secret) {
		t.Errorf("the flag prints %s", text)
	}
}

// A hostile file costs neither memory nor a message of megabytes.
func TestBounds(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for i := range 9 {
		c, d := string(rune('a'+i)), string(rune('b'+i))
		bomb += d + ": &" + d + " [*" + c + strings.Repeat(",*"+c, 7) + "]\n"
	}
	var unknown strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&unknown, "key%d: 1\n", i)
	}
	for name, text := range map[string]string{
		"aliases": bomb, "many problems": unknown.String(),
		"long value": "log: {level: " + strings.Repeat("x", 100_000) + "}\n",
		"too long":   strings.Repeat("#", maxFile+1), "deep": strings.Repeat("[", 20_000),
		"deep map": strings.Repeat("{a: ", 9_000),
		"long key": strings.Repeat("k", 100_000) + ": 1\n",
	} {
		path := writeFile(t, text)
		_, problems := Load(Source{Path: path})
		if len(problems) == 0 || len(problems) > 102 || len(problems.Err().Error()) > 40_000 {
			t.Errorf("%s: %d problems, %d bytes", name, len(problems), len(fmt.Sprint(problems.Err())))
		}
	}
	if err := os.Mkdir(t.TempDir()+"/dir", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, problems := Load(Source{Path: t.TempDir()}); len(problems) != 1 {
		t.Errorf("a directory: %v", problems)
	}
}
