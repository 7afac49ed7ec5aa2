package config

import (
	"os"
	"strings"
	"testing"
)

// What operators write to save words: anchors, aliases and merges; quoted numbers;
// groups and lists without anything.
func TestYAML(t *testing.T) {
	s := loaded(t, `---
bgp:
  peers:
    - &tor {address: 192.0.2.1, as: "65000", password: 123, hold_time: 9}
    - {<<: *tor, address: 192.0.2.2, hold_time: 12}
    - <<: [{port: 1179}, *tor]
      address: 192.0.2.3
  listen:
  router_id:
learn: {accept: }
log: {}
chassis: 007
`, nil)
	peers := s.BGP.Peers
	if len(peers) != 3 || peers[1].AS != 65000 || peers[1].Password != "123" || peers[1].HoldTime != 12 ||
		peers[2].Port != 1179 ||
		peers[2].HoldTime != 9 {
		t.Errorf("neighbours %+v", peers)
	}
	if s.BGP.ListenPort != 179 || len(s.Learn.Accept) != 0 || s.Chassis != "007" || s.BGP.RouterID.IsValid() {
		t.Errorf("got %+v", s)
	}
	loaded(t, "bgp: {as: 1}\n---\n", nil) // nothing follows
	loaded(t, "# nothing but a remark\n", nil)
}

// The configuration in README.md is valid and says what the text says.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(readme), "`/etc/bgp-ovn/config.yaml`:\n\n")
	if !found {
		t.Fatal("the sample has gone")
	}
	var sample strings.Builder
	for line := range strings.Lines(rest) {
		text, indented := strings.CutPrefix(line, "    ")
		if !indented && strings.TrimSpace(line) != "" {
			break
		}
		sample.WriteString(text)
	}
	s := loaded(t, sample.String(), nil)
	if len(s.BGP.Peers) == 0 || len(s.Shared.Expose.ProxyAddrs) != 1 {
		t.Errorf("read as %+v from\n%s", s, sample.String())
	}
	// As flags it is the same.
	args := []string{"--proxy-ndp-addresses=physnet1=2001:db8:4::1"}
	for _, p := range s.BGP.Peers {
		args = append(
			args,
			"--bgp-peers=address="+p.Address+",as="+printUint32(p.AS)+",families="+strings.Join(p.Families.List(), "+"),
		)
	}
	args = append(args, "--bgp-as="+printUint32(s.BGP.AS))
	if changed, _ := Changes(s, loaded(t, "", nil, args...)); len(changed) > 0 {
		t.Errorf("flags differ in %v for\n%s", changed, sample.String())
	}
}
