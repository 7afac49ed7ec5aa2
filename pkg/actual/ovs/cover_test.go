package ovs

import "testing"

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		outer, inner string
		want         bool
	}{
		{"any", "ip,in_port=1", true},
		{"ip", "ip,in_port=1", true},
		{"in_port=1", "ip,in_port=1", true},
		{"in_port=1", "ipv6,in_port=1", true},
		{"ip,in_port=1", "tcp,in_port=1", true},
		{"ip,nw_src=10.0.0.0/8", "ip,in_port=1,nw_src=10.1.0.0/16", true},
		{"ip,nw_src=10.0.0.0/8", "ip,in_port=1,nw_src=10.1.0.7", true},
		{"tcp,in_port=1", "ip,in_port=1", false},
		{"in_port=2", "ip,in_port=1", false},
		{"arp", "ip,in_port=1", false},
		{"ip,in_port=1,nw_src=10.0.0.7", "ip,in_port=1", false},
		{"ip,nw_src=10.1.0.0/16", "ip,in_port=1,nw_src=10.0.0.0/8", false},
		{"ip,in_port=1,dl_vlan=7", "ip,in_port=1", false},
	} {
		if got := fieldsOf(tt.outer).covers(fieldsOf(tt.inner)); got != tt.want {
			t.Errorf("%s covers %s: got %t", tt.outer, tt.inner, got)
		}
	}
}
