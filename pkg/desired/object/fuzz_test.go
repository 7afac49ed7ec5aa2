package object

import "testing"

// FuzzParse reads any line as a value, as plans and files have them. What can be read is
// printed as something that reads as the same value.
func FuzzParse(f *testing.F) {
	for _, line := range []string{
		"route 172.24.4.146/32 table 201  dev br-ex", "path ipv4-unicast 172.24.4.146/32", "rule 32000 ipv4 table 201",
		"neigh 172.24.4.146 dev br-ex  mac 02:00:00:00:00:01", "sysctl net/ipv4/ip_forward  1",
		"peer 192.0.2.1  as 65000", "flow br-ex  priority=1", "evpn mac", "link x", "",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if key, err := ParseKey(line); err == nil {
			if again, err := ParseKey(key.Text()); err != nil || again != key {
				t.Errorf("key %q is %+v, and %q is %+v, %v", line, key, key.Text(), again, err)
			}
		}
		v, err := Parse(line)
		if err != nil {
			return
		}
		text := Text(v)
		again, err := Parse(text)
		if err != nil || again != v {
			t.Errorf("%q is %#v, and %q is %#v, %v", line, v, text, again, err)
		}
	})
}
