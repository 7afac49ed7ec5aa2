package main

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
)

const failover = "../../pkg/observe/file/testdata/gateway-failover-before.json"

var tenants = map[string]string{"BGP_OVN_EXPOSE_TENANT_NETWORKS": "true"}

// TestWhatIf: what events lead to on real rows, as text and with the exit status.
func TestWhatIf(t *testing.T) {
	for _, tt := range []struct {
		args string
		exit int
		want string
	}{
		{"--snapshot " + failover + " --chassis-gone hv1", exitDiffers, `if chassis hv1 is gone
  Chassis hv1.lab.example: there -> deleted
  Port_Binding cr-lrp-ad2ab0e6 of router r1 chassis: hv1.lab.example -> hv2.lab.example
  Port_Binding fdc69b0e-4bff-42e0-a350-970c0482fb5e chassis: hv1.lab.example -> nobody
  Port_Binding fdc69b0e-4bff-42e0-a350-970c0482fb5e up: true -> false
moves      path ipv4-unicast 10.10.0.12/32: hv1.lab.example -> hv2.lab.example
moves      path ipv4-unicast 10.10.0.13/32: hv1.lab.example -> hv2.lab.example
moves      path ipv4-unicast 172.24.4.100/32: hv1.lab.example -> hv2.lab.example
moves      path ipv4-unicast 172.24.4.102/32: hv1.lab.example -> hv2.lab.example
moves      path ipv4-unicast 172.24.4.103/32: hv1.lab.example -> hv2.lab.example
nobody     path ipv4-unicast 10.10.0.11/32: was announced by hv1.lab.example
on 3 nodes: 5 move, 1 announced by nobody, 0 by several, 2 as before
`},
		{"--snapshot " + failover + " --peer-down 192.0.2.1", exitSame, `if peer 192.0.2.1 is down
on 3 nodes: 0 move, 0 announced by nobody, 0 by several, 8 as before
`},
		{
			"--snapshot " + failover + " --chassis 96df9bb5-6738-4b5a-ad7a-821f445814ea --peer-down 192.0.2.1", exitSame,
			`if peer 192.0.2.1 is down
on 1 node: 0 move, 0 announced by nobody, 0 by several, 6 as before
not known is what is announced by: hv2.lab.example, hv3.lab.example
`,
		},
		{"--snapshot " + failover + " --chassis-gone hv9", exitError, ""},
		{"--snapshot " + failover, exitError, ""},
		{"--chassis-gone hv1", exitError, ""},
		{"--snapshot " + failover + " --move web-1", exitError, ""},
		{"--snapshot " + failover + " --peer-down tor", exitError, ""},
		{"--snapshot " + failover + " --snapshot " + failover + " --chassis-gone hv1", exitError, ""},
	} {
		out, errs, exit := run(t, tenants, append([]string{"what-if"}, strings.Fields(tt.args)...)...)
		if exit != tt.exit || out != tt.want {
			t.Errorf("%s: exit %d, want %d\n%s%swant\n%s", tt.args, exit, tt.exit, out, errs, tt.want)
		}
	}
	args := []string{"what-if", "--snapshot", failover, "--chassis-gone", "hv1", "-o", "json"}
	first, _, _ := run(t, tenants, args...)
	if again, _, _ := run(t, tenants, args...); again != first {
		t.Errorf("the same question has two answers:\n%s%s", first, again)
	}
	if err := apischema.Validate("../../docs/api", "what-if", []byte(first)); err != nil {
		t.Errorf("%v\n%s", err, first)
	}
	// The only peer of a node is down.
	peers := map[string]string{"BGP_OVN_EXPOSE_TENANT_NETWORKS": "true"}
	conf := writeFile(t, "bgp: {peers: [{address: 192.0.2.1, as: 65000}]}\n")
	out, errs, exit := run(t, peers, "what-if", "--config", conf, "--snapshot", failover, "--peer-down", "192.0.2.1")
	if exit != exitDiffers || !strings.HasSuffix(out, "0 move, 8 announced by nobody, 0 by several, 0 as before\n") {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
}
