package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// looksRecorded compares the Southbound database of the lab with those that were recorded of
// a running OVN-Kubernetes: the ports of a node that rules read, and load balancers. What is
// written into the Northbound database, and the flows, lab TestWriterBesideRecorded compares.
func (c *cluster) looksRecorded(hv *lab.Chassis) {
	c.t.Helper()
	ports := func(node, bridge string) (out []string) {
		for _, name := range []string{
			bridge + "_N", "rtoe-GR_N", "etor-GR_N", "rtoj-GR_N", "jtor-GR_N", "rtos-N", "cr-rtos-N", "stor-N", "k8s-N",
		} {
			out = append(out, strings.ReplaceAll(name, "N", node))
		}
		return out
	}
	dual, local := c.recorded("dual-stack"), c.recorded("etp-local")
	columns := []string{"logical_port", "type", "mac", "nat_addresses", "options", "external_ids"}
	want := shape(dual["Port_Binding"], columns, ports("worker-a", "breth0"))
	got := shape(c.rows("Port_Binding", columns), columns, ports(hv.Hostname, "br-ex"))
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("ports (-OVN-Kubernetes +lab):\n%s", diff)
	}
	columns = []string{"name", "protocol", "options", "external_ids"}
	balancers := func(service, node string) (out []string) {
		for _, scope := range []string{"cluster", "node_local_router_" + node, "node_switch_" + node} {
			out = append(out, "Service_default/"+service+"_TCP_"+scope)
		}
		return out
	}
	want = shape(local["Load_Balancer"], columns, balancers("loc", "worker-a"))
	got = shape(c.rows("Load_Balancer", columns), columns, balancers("web", hv.Hostname))
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Errorf("load balancers (-OVN-Kubernetes +lab):\n%s", diff)
	}
}

type row = map[string]any

// recorded are the tables of a fixture.
func (c *cluster) recorded(name string) map[string][]row {
	c.t.Helper()
	data, err := os.ReadFile("../../pkg/drivers/kube/testdata/fixtures/" + name + ".json")
	harness.Check(c.t, err)
	var file struct{ SB map[string][]row }
	harness.Check(c.t, json.Unmarshal(data, &file))
	return file.SB
}

// rows are those of a table of the lab's Southbound database.
func (c *cluster) rows(table string, columns []string) (out []row) {
	c.t.Helper()
	text := harness.Must(c.Central.Sbctl(harness.Context(c.t, patience), "--format=json",
		"--columns="+strings.Join(columns, ","), "list", table))(c.t)
	var list struct {
		Headings []string
		Data     [][]any
	}
	harness.Check(c.t, json.Unmarshal([]byte(text), &list))
	for _, values := range list.Data {
		r := row{}
		for i, name := range list.Headings {
			r[name] = values[i]
		}
		out = append(out, r)
	}
	return out
}

// names and numbers are what differs from one cluster to the next, in the order in which
// they are replaced.
var names = []struct {
	is *regexp.Regexp
	as string
}{
	{regexp.MustCompile(`Service_default/[a-z]+_`), "Service_S_"},
	{regexp.MustCompile(`\["hairpin_orig_tuple","true"\],`), ""}, // northd 25.03 writes it by itself, 26.03 does not
	{regexp.MustCompile(`breth0|br-ex`), "BRIDGE"},
	{regexp.MustCompile(`worker-a|hv\d+\.lab\.example`), "NODE"},
	{regexp.MustCompile(`physnet\d*`), "PHYSNET"},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`), "CHASSIS"},
	{regexp.MustCompile(`([0-9a-f]{2}:){5}[0-9a-f]{2}`), "MAC"},
	{regexp.MustCompile(`\d+\.\d+\.\d+\.\d+(/\d+)?`), "IPV4"},
	{regexp.MustCompile(`[0-9a-f]{4}:[0-9a-f:]+(/\d+)?|fd\d\d::[0-9a-f]+(/\d+)?`), "IPV6"},
}

// shape are the rows that have one of these names in their first column, as text without
// names and numbers of the cluster.
func shape(rows []row, columns, wanted []string) (out []string) {
	for _, r := range rows {
		if name, _ := r[columns[0]].(string); !slices.Contains(wanted, name) {
			continue
		}
		var b strings.Builder
		for _, column := range columns {
			text, err := json.Marshal(r[column])
			if err != nil {
				text = []byte(err.Error())
			}
			fmt.Fprintf(&b, "%s=%s ", column, text)
		}
		text := b.String()
		for _, n := range names {
			text = n.is.ReplaceAllString(text, n.as)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

// drained waits until the status and the metrics of a node have a drain by a cordon in one of
// these phases; none: until it is in service.
func (c *cluster) drained(hv *lab.Chassis, phases ...string) {
	c.t.Helper()
	a := c.agents[hv.Index-1]
	harness.Eventually(c.t, patience, func() string {
		st, err := a.Status(c.t.Context())
		if err != nil {
			return err.Error()
		}
		text, err := a.Metrics(c.t.Context())
		if err != nil {
			return err.Error()
		}
		metric := strings.Contains(text, "\nbgp_ovn_drain{phase=\"")
		switch {
		case len(phases) == 0 && (st.Drain != nil || metric):
			return fmt.Sprintf("drained: %+v, metric %v", st.Drain, metric)
		case len(phases) == 0:
			return ""
		case st.Drain == nil || st.Drain.By != "cordon" || !slices.Contains(phases, st.Drain.Phase):
			return fmt.Sprintf("drain is %+v, want %v", st.Drain, phases)
		case !strings.Contains(text, "\nbgp_ovn_drain{phase=\""+st.Drain.Phase+"\"} 1\n"):
			return "no metric of phase " + st.Drain.Phase
		}
		return ""
	})
}

// communities waits until the top of rack has these of a node with every external address.
func (c *cluster) communities(s *lab.KubeService, hv *lab.Chassis, want string) {
	c.t.Helper()
	for _, v := range s.External {
		family, peer := lab.IPv4, hv.Addr4
		if v.Is6() {
			family, peer = lab.IPv6, hv.Addr6
		}
		harness.Eventually(c.t, patience, func() string {
			text, err := c.Tor.Vtysh(c.t.Context(), fmt.Sprintf("show bgp %s unicast %s/%d json", family, v, v.BitLen()))
			if err != nil {
				return err.Error()
			}
			var route struct {
				Paths []struct {
					Community struct{ String string }
					Peer      struct{ PeerID string }
				}
			}
			if err := json.Unmarshal([]byte(text), &route); err != nil {
				return err.Error()
			}
			for _, p := range route.Paths {
				if p.Peer.PeerID == peer.String() && p.Community.String == want {
					return ""
				}
			}
			return fmt.Sprintf("%s of %s has not communities %q: %+v", v, peer, want, route.Paths)
		})
	}
}
