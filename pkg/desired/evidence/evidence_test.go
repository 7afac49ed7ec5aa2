package evidence_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

const scene = `include base
chassis gw-2
port vmP on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis gw-1 up
port vmQ on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.93" chassis gw-1 up
balancer L1 vip 172.24.4.60:80 ls dp-priv lr dp-r1
set gw1 nat 'fa:16:3e:74:e6:3b 172.24.4.200 172.24.4.201 is_chassis_resident("cr-lrp-gw1")'
`

func source(rule, row string) object.Source {
	return object.Source{Driver: "osp_ovn_bgp_driver", Rule: rule, Table: "Port_Binding", Row: row}
}

func deciding(s object.Source) object.Source { s.Decides = true; return s }

func listing(whose object.Listing, s object.Source) object.Source { s.Lists = whose; return s }

// Every way in which the rows behind an address can change, and what it proves. The
// snapshot is that of gw-1.
func TestJudge(t *testing.T) {
	vm := []object.Source{listing(object.ListsOwn, deciding(source("R1", "vmP")))}
	vmAddr := "172.24.4.92"
	fip := []object.Source{listing(object.ListsOthers, source("R5", "gw1")), deciding(source("R5", "cr-lrp-gw1"))}
	fipAddr := "172.24.4.200"
	tenant := []object.Source{
		listing(object.ListsOwn, source("R8", "vm1")), source("R7", "lrp-p1"), deciding(source("R7", "cr-lrp-gw1")),
	}
	tenantAddr := "10.0.0.5"
	balancer := []object.Source{
		listing(object.ListsOwn, object.Source{Rule: "R12", Table: "Load_Balancer", Row: "L1"}),
		deciding(source("R12", "cr-lrp-gw1")),
	}
	both := []object.Source{vm[0], listing(object.ListsOwn, deciding(source("R1", "vmQ")))}
	for _, c := range []struct {
		name, change string
		why          []object.Source
		addr         string
		want         evidence.Class
		text         string
	}{
		{"nothing has changed", "", vm, vmAddr, evidence.Unexplained, "as they were"},
		{"a VM moved", "set vmP chassis cmp-1", vm, vmAddr, evidence.Elsewhere, "cmp-1"},
		{"to an unknown chassis", "set vmP chassis gw-2\nchassis gone gw-2", vm, vmAddr, evidence.Unbound, "vmP"},
		{"a VM is stopped", "set vmP chassis none", vm, vmAddr, evidence.Unbound, "no chassis"},
		{"stopped and down", "set vmP chassis none down", vm, vmAddr, evidence.Unbound, "no chassis"},
		{"a VM is down", "set vmP down", vm, vmAddr, evidence.Down, "vmP is down"},
		{"a VM is deleted", "drop vmP", vm, vmAddr, evidence.Ended, "vmP is deleted"},
		{"another address", `set vmP mac "fa:16:3e:15:9e:f0 172.24.4.99"`, vm, vmAddr, evidence.Ended, "does not list"},
		{"its network is gone", "drop provnet-c1", vm, vmAddr, evidence.Unexplained, "as they were"},
		{"of two, one moved", "set vmP chassis cmp-1", both, vmAddr, evidence.Unexplained, ""},
		{"of two, both moved", "set vmP chassis cmp-1\nset vmQ chassis cmp-1", both, vmAddr, evidence.Elsewhere, ""},
		{
			"a floating IP is taken away", `set gw1 nat 'fa:16:3e:74:e6:3b 172.24.4.201 is_chassis_resident("cr-lrp-gw1")'`,
			fip, fipAddr, evidence.Ended, "does not list 172.24.4.200",
		},
		{"all are", "set gw1 nat ''", fip, fipAddr, evidence.Unexplained, "nat_addresses"},
		{"their row is deleted", "drop gw1", fip, fipAddr, evidence.Unexplained, "gw1"},
		{
			"it is distributed now", `set gw1 nat 'fa:16:3e:0d:51:22 172.24.4.200 is_chassis_resident("vm1")'`,
			fip, fipAddr, evidence.Elsewhere, "vm1",
		},
		{"to a VM that is bound to nobody", `set gw1 nat 'fa:16:3e:0d:51:22 172.24.4.200 is_chassis_resident("vm1")'` +
			"\nset vm1 chassis none", fip, fipAddr, evidence.Unbound, "vm1"},
		{"the gateway moved", "set cr-lrp-gw1 chassis gw-2", fip, fipAddr, evidence.Elsewhere, "gw-2"},
		{"the gateway is bound to nobody", "set cr-lrp-gw1 chassis none", fip, fipAddr, evidence.Unbound, "cr-lrp-gw1"},
		{"the gateway is deleted", "drop cr-lrp-gw1", fip, fipAddr, evidence.Ended, "cr-lrp-gw1"},
		{"a tenant's VM moved", "set vm1 chassis gw-2", tenant, tenantAddr, evidence.Unexplained, ""},
		{"it is deleted", "drop vm1", tenant, tenantAddr, evidence.Ended, "vm1"},
		{"it is stopped", "set vm1 chassis none", tenant, tenantAddr, evidence.Unbound, "vm1"},
		{"the router's port is deleted", "drop lrp-p1", tenant, tenantAddr, evidence.Unexplained, "lrp-p1"},
		{"its gateway moved", "set cr-lrp-gw1 chassis gw-2", tenant, tenantAddr, evidence.Elsewhere, "gw-2"},
		{"a subnet, the router's port is deleted", "drop lrp-p1", tenant[1:], "10.0.0.0/26", evidence.Unexplained, "lrp-p1"},
		{"a balancer stands", "", balancer, "172.24.4.60", evidence.Unexplained, ""},
		{"our chassis is gone", "chassis gone gw-1", vm, vmAddr, evidence.Unbound, "not in the database"},
		{"and the gateway elsewhere", "chassis gone gw-1\nset cr-lrp-gw1 chassis gw-2", fip, fipAddr, evidence.Elsewhere, ""},
		{"the database is away", "drop vmP\nstale sb away", vm, vmAddr, evidence.Unexplained, "away"},
		{"Open_vSwitch is away", "set vmP chassis cmp-1\nstale ovs away", vm, vmAddr, evidence.Unexplained, "away"},
		{"no row", "", []object.Source{{Table: "address", Row: "192.0.2.1"}}, "192.0.2.1", evidence.NotRows, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := story.Parse(scene + c.change)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Snapshot("gw-1")
			if err != nil {
				t.Fatal(err)
			}
			got := evidence.Judge(path(t, c.addr), c.why, snap)
			if got.Class != c.want || !strings.Contains(got.Text, c.text) {
				t.Errorf("got %s %q, want %s and %q", got.Class, got.Text, c.want, c.text)
			}
		})
	}
}

// A load balancer of which no row is left has ended.
func TestJudgeBalancer(t *testing.T) {
	s, err := story.Parse("include base")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot("gw-1")
	if err != nil {
		t.Fatal(err)
	}
	row := object.Source{Table: "Load_Balancer", Row: "L1", Lists: object.ListsOwn}
	why := []object.Source{row, deciding(source("R12", "cr-lrp-gw1"))}
	if got := evidence.Judge(path(t, "172.24.4.60"), why, snap); got.Class != evidence.Ended {
		t.Errorf("deleted: %+v", got)
	}
	if got := evidence.Judge(path(t, "172.24.4.60"), why, observe.Snapshot{}); got.Class != evidence.Unexplained {
		t.Errorf("without a snapshot: %+v", got)
	}
}

func path(t *testing.T, addr string) object.Key {
	t.Helper()
	p, err := netip.ParsePrefix(addr)
	if err != nil {
		a := netip.MustParseAddr(addr)
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return object.NewPath(p, object.OriginIncomplete).Key()
}

// Where a node reads only the ports that concern it, a port that is missing proves that it
// is deleted only if it was asked for by name.
func TestJudgeWhereNotAllIsRead(t *testing.T) {
	vm := []object.Source{listing(object.ListsOwn, deciding(source("R1", "vmP")))}
	tenant := []object.Source{
		listing(object.ListsOwn, source("R8", "vm1")), source("R7", "lrp-p1"), deciding(source("R7", "cr-lrp-gw1")),
	}
	for _, c := range []struct {
		name, change, addr string
		why                []object.Source
		asked              map[string]bool
		want               evidence.Class
	}{
		{"asked for by name", "drop vmP", "172.24.4.92", vm, map[string]bool{"vmP": true}, evidence.Ended},
		{"not asked for", "drop vmP", "172.24.4.92", vm, nil, evidence.Unbound},
		{"of another network", "drop vm1", "10.0.0.5", tenant, nil, evidence.Unbound},
		{"there and elsewhere", "set vmP chassis cmp-1", "172.24.4.92", vm, nil, evidence.Elsewhere},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := story.Parse(scene + c.change)
			if err != nil {
				t.Fatal(err)
			}
			snap, err := s.Snapshot("gw-1")
			if err != nil {
				t.Fatal(err)
			}
			snap.SB.Asked = &observe.Asked{Ports: c.asked}
			if v := evidence.Judge(path(t, c.addr), c.why, snap); v.Class != c.want || v.Text == "" {
				t.Errorf("got %s: %s, want %s", v.Class, v.Text, c.want)
			}
		})
	}
}
