package host

import (
	"net/netip"
	"os/exec"
	"slices"
	"testing"
)

func TestSurvey(t *testing.T) {
	l := newLab(t)
	l.ip("link add up0 mtu 1400 type veth peer name up1")
	l.ip("link set up0 alias bgp-ovn up")
	l.ip("link set up1 up")
	l.ip("address add 192.0.2.2/24 dev up0")
	l.ip("route add 198.51.100.0/24 via 192.0.2.1 mtu lock 1300")
	l.ip("route add unreachable 203.0.113.0/24")
	to := []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.1"),
		netip.MustParseAddr("fe80::1%up0"),
	}
	s, err := SurveyNetwork(t.Context(), "bgp-ovn", to)
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(s.Devices, func(d Device) bool { return d.Name == "up0" })
	if at < 0 {
		t.Fatalf("up0 is not among %v", s.Devices)
	}
	if d := s.Devices[at]; !d.Ours || d.MTU != 1400 || d.Type != "veth" {
		t.Errorf("up0 is %+v", d)
	}
	want := []RouteTo{{to[0], "up0", 0}, {to[1], "up0", 1300}, {to[2], "", 0}, {to[3], "up0", 0}}
	if !slices.Equal(s.Routes, want) {
		t.Errorf("routes\n%v\nwant\n%v", s.Routes, want)
	}
	if s.L3mdev[0] != nil || s.L3mdev[1] != nil {
		t.Errorf("rules of VRFs in a namespace without: %v", s.L3mdev)
	}
}

// VRF and VXLAN are as ip(8) made them; a kernel without them has none.
func TestSurveyOfVRFAndVXLAN(t *testing.T) {
	l := newLab(t)
	has := func(args ...string) bool { return exec.Command("ip", args...).Run() == nil }
	vrf := has("link", "add", "red", "type", "vrf", "table", "1001")
	vxlan := has("link", "add", "vx", "type", "vxlan", "dstport", "4790", "external") &&
		has("link", "add", "vy", "type", "vxlan", "id", "7", "dstport", "4790", "local", "192.0.2.2", "gbp")
	rule := has("rule", "add", "priority", "1500", "l3mdev")
	s, err := SurveyNetwork(l.Context(), "bgp-ovn", nil)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]Device{}
	for _, d := range s.Devices {
		seen[d.Name] = d
	}
	if d := seen["red"]; vrf != (d.Table == 1001) {
		t.Errorf("red is %+v, made: %v", d, vrf)
	}
	if d := seen["vx"]; vxlan != (d.Port == 4790 && slices.Equal(d.Modes, []string{"external"})) {
		t.Errorf("vx is %+v, made: %v", d, vxlan)
	}
	if d := seen["vy"]; vxlan != (d.VNI == 7 && d.Port == 4790 && !d.IPv6 && slices.Equal(d.Modes, []string{"gbp"})) {
		t.Errorf("vy is %+v, made: %v", d, vxlan)
	}
	if rule != slices.Contains(s.L3mdev[0], 1500) {
		t.Errorf("rules %v, made: %v", s.L3mdev, rule)
	}
}
