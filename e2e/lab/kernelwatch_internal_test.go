package lab

import "testing"

// What a bridge tells of a port that is as it was is no change; another state, another
// bridge, a device that goes and a route are.
func TestKnew(t *testing.T) {
	const port = "56: vxlan-1001: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 "
	w := &KernelWatch{links: map[string]bool{
		normal(port + `qdisc noqueue master br-1001 state UNKNOWN mode DEFAULT group default qlen 1000\    link/ether ` +
			"02:f2:62:5e:27:19 brd ff:ff:ff:ff:ff:ff"): true,
		"5: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536": true,
	}}
	for line, want := range map[string]bool{
		port + `master br-1001 state UNKNOWN \    link/ether 02:f2:62:5e:27:19`:       true,
		port + "master br-1002 state UNKNOWN link/ether 02:f2:62:5e:27:19":            false,
		"56: vxlan-1001: <BROADCAST,MULTICAST> mtu 1500 master br-1001 state UNKNOWN": false,
		"Deleted " + port:                        false,
		"10.0.0.5 dev vxlan-1001 table 1001":     false,
		"5: lo: <LOOPBACK,UP,LOWER_UP> mtu 1500": false,
		"5: lo: <LOOPBACK,UP,LOWER_UP>":          true,
	} {
		if got := w.knew(normal(line)); got != want {
			t.Errorf("%s: known %t, want %t", line, got, want)
		}
	}
}
