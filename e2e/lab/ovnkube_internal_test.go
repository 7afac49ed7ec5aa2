package lab

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorded is what a fixture has: databases, flows and objects of the API as they were on a
// running OVN-Kubernetes.
type recorded struct {
	SB struct {
		LoadBalancer []recordedBalancer `json:"Load_Balancer"`
		Groups       []struct {
			ID        string          `json:"_uuid"`
			Datapaths json.RawMessage `json:"datapaths"`
		} `json:"Logical_DP_Group"`
		Datapaths []struct {
			ID          string   `json:"_uuid"`
			ExternalIDs ovsdbMap `json:"external_ids"`
		} `json:"Datapath_Binding"`
	}
	Flows map[string]map[string][]string
	Kube  struct {
		Service []struct {
			Metadata struct{ Namespace, Name string }
			Spec     struct {
				ClusterIPs, ExternalIPs []netip.Addr
				ExternalTrafficPolicy   string
				Ports                   []struct{ Port uint16 }
			}
			Status struct {
				LoadBalancer struct{ Ingress []struct{ IP netip.Addr } }
			}
		}
		EndpointSlice []struct {
			Metadata  struct{ Labels map[string]string }
			Ports     []struct{ Port uint16 }
			Endpoints []struct {
				Addresses  []netip.Addr
				NodeName   string
				Conditions struct{ Ready bool }
			}
		}
	}
}

type recordedBalancer struct {
	Name, Protocol string
	VIPs           ovsdbMap `json:"vips"`
	Options        ovsdbMap
	ExternalIDs    ovsdbMap        `json:"external_ids"`
	Switches       json.RawMessage `json:"ls_datapath_group"`
	Routers        json.RawMessage `json:"lr_datapath_group"`
}

// ovsdbMap is a map as OVSDB writes it.
type ovsdbMap map[string]string

func (m *ovsdbMap) UnmarshalJSON(data []byte) error {
	var pairs [][2]string
	if err := json.Unmarshal(data, &[]any{new(string), &pairs}); err != nil {
		return err
	}
	*m = ovsdbMap{}
	for _, p := range pairs {
		(*m)[p[0]] = p[1]
	}
	return nil
}

// TestWriterBesideRecorded holds what OVNKube writes of services to what was recorded of a
// running OVN-Kubernetes for the same services: names, keys, backends, options and
// attachments of load balancers, and the flows of the external bridge, all of them octet for
// octet. Node ports, which the lab does not have, are left out of the recorded.
func TestWriterBesideRecorded(t *testing.T) {
	const mac, patch = "02:42:ac:12:00:02", 2
	for _, name := range []string{"etp-cluster", "etp-local", "dual-stack"} {
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile("../../pkg/drivers/kube/testdata/fixtures/" + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var r recorded
			if err := json.Unmarshal(data, &r); err != nil {
				t.Fatal(err)
			}
			here, there := &Chassis{Hostname: "worker-a"}, &Chassis{Hostname: "worker-b"}
			k := &OVNKube{lab: &Lab{Chassis: []*Chassis{here, there}}}
			var rows, flows []string
			services := r.services(map[string]*Chassis{"worker-a": here, "worker-b": there})
			for _, s := range services {
				for _, b := range k.balancers(s) {
					rows = append(rows, b.onNode(here)...)
				}
				flows = append(flows, serviceFlows(s, mac, patch)...)
			}
			slices.Sort(rows)
			slices.Sort(flows)
			if len(services) < 2 || len(rows) < len(services) {
				t.Fatalf("%d services, rows %v", len(services), rows)
			}
			if diff := cmp.Diff(r.balancers(), rows); diff != "" {
				t.Errorf("rows (-OVN-Kubernetes +lab):\n%s", diff)
			}
			if diff := cmp.Diff(r.serviceFlows(services), flows); diff != "" {
				t.Errorf("flows (-OVN-Kubernetes +lab):\n%s", diff)
			}
			all := slices.Concat(slices.Collect(maps.Values(slices.Collect(maps.Values(r.Flows))[0]))...)
			for _, f := range egressFlows(mac, patch) {
				if !slices.Contains(all, f) {
					t.Errorf("OVN-Kubernetes has no flow %s", f)
				}
			}
		})
	}
}

// services are those of the API, with the endpoints that are ready.
func (r *recorded) services(nodes map[string]*Chassis) (out []*KubeService) {
	for _, s := range r.Kube.Service {
		k := &KubeService{
			Namespace: s.Metadata.Namespace, Name: s.Metadata.Name, Cluster: s.Spec.ClusterIPs, External: s.Spec.ExternalIPs,
			Port: s.Spec.Ports[0].Port, Local: s.Spec.ExternalTrafficPolicy == "Local",
			Endpoints: map[*Chassis][]netip.AddrPort{},
		}
		for _, in := range s.Status.LoadBalancer.Ingress {
			k.External = append(k.External, in.IP)
		}
		for _, slice := range r.Kube.EndpointSlice {
			if slice.Metadata.Labels["kubernetes.io/service-name"] != k.Name {
				continue
			}
			for _, e := range slice.Endpoints {
				if c := nodes[e.NodeName]; e.Conditions.Ready {
					k.Endpoints[c] = append(k.Endpoints[c], netip.AddrPortFrom(e.Addresses[0], slice.Ports[0].Port))
				}
			}
		}
		out = append(out, k)
	}
	return out
}

// rowText is a row of Load_Balancer for a comparison.
func rowText(name string, vips, options map[string]string, attached string) string {
	return fmt.Sprint(name, " vips ", vips, " options ", options, " at ", attached) // maps are printed sorted
}

// onNode are the rows as the Southbound database of the node alone would have them: none of
// a balancer that is attached to nothing of the node.
func (b balancer) onNode(c *Chassis) []string {
	var at []string
	for _, group := range []struct {
		name string
		list []string
	}{{c.Hostname, b.switches}, {"GR_" + c.Hostname, b.routers}} {
		if slices.Contains(group.list, group.name) {
			at = append(at, group.name)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return []string{rowText(b.name, b.vips, b.options, strings.Join(at, ","))}
}

// isNodePort reports whether a key is one of a node port.
func isNodePort(key string) bool {
	return strings.Contains(key, "NODEIP_") || slices.ContainsFunc([]string{
		"192.0.2.11:", "169.254.169.3:", "[2001:db8:2::11]:", "[fd69::3]:",
	}, func(head string) bool { return strings.HasPrefix(key, head) })
}

// balancers are the recorded rows, but for node ports and the service of the API itself.
func (r *recorded) balancers() (out []string) {
	for _, b := range r.SB.LoadBalancer {
		maps.DeleteFunc(b.VIPs, func(key, _ string) bool { return isNodePort(key) })
		if len(b.VIPs) == 0 || strings.Contains(b.Name, "/kubernetes_") {
			continue
		}
		at := slices.Concat(r.group(b.Switches), r.group(b.Routers))
		out = append(out, rowText(b.Name, b.VIPs, b.Options, strings.Join(at, ",")))
	}
	slices.Sort(out)
	return out
}

// group are the names of the datapaths of a group.
func (r *recorded) group(column json.RawMessage) (out []string) {
	for _, g := range r.SB.Groups {
		if !strings.Contains(string(column), g.ID) {
			continue
		}
		for _, d := range r.SB.Datapaths {
			if strings.Contains(string(g.Datapaths), d.ID) {
				out = append(out, d.ExternalIDs["name"])
			}
		}
	}
	return out
}

// serviceFlows are the recorded flows that mention an external address of a service.
func (r *recorded) serviceFlows(services []*KubeService) (out []string) {
	for _, bridges := range r.Flows {
		for _, lines := range bridges {
			for _, line := range lines {
				match, _, _ := strings.Cut(line, " actions=")
				for _, s := range services {
					if slices.ContainsFunc(s.External, func(a netip.Addr) bool {
						return slices.ContainsFunc(strings.Split(match, ","), func(f string) bool {
							_, value, _ := strings.Cut(f, "=")
							return value == a.String()
						})
					}) {
						out = append(out, line)
					}
				}
			}
		}
	}
	slices.Sort(out)
	return out
}
