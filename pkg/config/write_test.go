package config

import (
	"strings"
	"testing"
)

// FuzzText holds that settings written as a file are read as the same settings, and that no
// secret is in it.
func FuzzText(f *testing.F) {
	for name, w := range written {
		f.Add([]byte(document(name, w.file)))
	}
	f.Add([]byte(evpnFile))
	f.Add([]byte(policyFile))
	f.Add([]byte(peersFile))
	f.Add([]byte("drivers: []\nchassis: \"null\"\nsocket: \"/run/a: b #c\"\nlog: {level: debug}\n"))
	f.Add([]byte("bgp: {as: 65000, attributes: {fip: {med: 7}, tenant: {communities: [\"65000:1\"]}}}\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, problems := Read("f.yaml", file)
		if len(problems) > 0 {
			return
		}
		text, err := s.Text()
		if err != nil {
			t.Fatal(err)
		}
		again, problems := Read("text.yaml", []byte(text))
		if len(problems) > 0 {
			t.Fatalf("%v of\n%s", problems, text)
		}
		for i, p := range s.BGP.Peers {
			if len(p.Password) > 8 && strings.Contains(text, p.Password) && !strings.Contains(p.Address, p.Password) {
				t.Errorf("the password of %s is in\n%s", p.Address, text)
			}
			s.BGP.Peers[i].Password = ""
		}
		if changed, _ := Changes(s, again); len(changed) > 0 {
			t.Errorf("%v differ in\n%s\nwhich was\n%s", changed, text, file)
		}
		if twice, err := again.Text(); err != nil || twice != text {
			t.Errorf("%v; written again it is\n%s\nand was\n%s", err, twice, text)
		}
	})
}

const peersFile = `bgp:
  as: 4200000000
  peers:
  - {address: 192.0.2.1, as: 65001, password: correct-horse-battery, hold_time: 9, connect_retry: 5}
  - {address: "fe80::1%eth0", as: 65002, families: [ipv4-unicast, ipv6-unicast], ttl_security: true, prefix_limit: 0}
  - {interface: "bond*", as: external}
  - {interface: eth1, as: internal}
`

// The text of settings is what an operator would have written.
func TestText(t *testing.T) {
	s, problems := Read("f.yaml", []byte(peersFile))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got, err := s.Text()
	if err != nil {
		t.Fatal(err)
	}
	const want = `bgp:
    as: 4200000000
    peers:
        - address: 192.0.2.1
          as: 65001
          hold_time: 9
          connect_retry: 5
        - address: fe80::1%eth0
          as: 65002
          ttl_security: true
          prefix_limit: 0
        - interface: "bond*"
          as: external
        - interface: eth1
          as: 4200000000
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	defaults, err := Defaults().Text()
	if err != nil || defaults != "" {
		t.Errorf("%v; the defaults are written as %q", err, defaults)
	}
}
