package config

import (
	"strings"
	"testing"
)

// FuzzRead holds that whatever a file holds, reading it ends without a panic, says
// the same each time in bounded single lines, and leaves settings that can be used
// to find a running controller; if nothing is wrong, drivers can be made of it.
func FuzzRead(f *testing.F) {
	for _, b := range badFiles {
		f.Add([]byte(b.file))
	}
	for _, b := range badPeers {
		f.Add([]byte("bgp: {peers: [{" + b.peer + "}]}\n"))
	}
	for _, b := range badEVPN {
		f.Add([]byte("drivers: [osp_ovn_evpn_driver]\n" + b.lines))
	}
	for name, w := range written {
		f.Add([]byte(document(name, w.file)))
	}
	f.Add([]byte(evpnFile))
	f.Add([]byte(policyFile))
	f.Add([]byte("bgp: {peers: [&a {address: 192.0.2.1, as: 1}, {<<: *a, address: 192.0.2.2}]}\n"))
	f.Add([]byte("? {a: b}\n: c\n? [d]\n: e\n"))
	f.Add([]byte("chassis: !!binary aGk=\nsocket: |\n  /tmp/\n  x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, problems := Read("f.yaml", text)
		if s.Socket == "" && !strings.Contains(string(text), "socket") {
			t.Error("the control socket has been lost")
		}
		again, twice := Read("f.yaml", text)
		said := ""
		if err := problems.Err(); err != nil {
			said = err.Error()
		}
		if err := twice.Err(); err != nil && err.Error() != said || err == nil && said != "" {
			t.Errorf("two readings say\n%s\n%v", said, err)
		}
		if strings.ContainsAny(said, "\n\r\x00") || len(said) > 64<<10 {
			t.Errorf("%d bytes are said, or more than a line: %q", len(said), said)
		}
		if changed, _ := Changes(s, again); len(changed) > 0 {
			t.Errorf("two readings differ in %v", changed)
		}
		if len(problems) == 0 {
			if len(s.NewDrivers()) < len(s.Drivers) || len(s.Drivers) == 0 {
				t.Errorf("drivers %v make %v", s.Drivers, s.NewDrivers())
			}
			s.PeerItems()
		}
	})
}
