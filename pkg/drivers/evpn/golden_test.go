package evpn_test

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/internal/golden/derived"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

var scenarios = golden.Suite{Given: []string{"snapshot", "config", "node"}, Want: []string{"want", "skipped"}}

// TestScenarios runs every story in testdata. A file has the sections
//
//	snapshot  what the world looks like (package story)
//	config    options, one "key: value" a line; absent: the defaults
//	node      the nodes to look at
//
// and for each node "want NODE", the desired set, and "skipped NODE" if there
// is something to report. The base objects of bridges (rule E0) are listed only
// if the configuration says "show: base", and of kinds that it does not concern
// nothing if it says "show: KIND ...".
func TestScenarios(t *testing.T) {
	scenarios.Run(t, func(t *testing.T, c *golden.Case) {
		opts := config(t, c.File)
		world, err := story.Parse(c.Section("snapshot"))
		if err != nil {
			t.Fatal(err)
		}
		for _, node := range c.Fields("node") {
			snap, err := world.Snapshot(node)
			if err != nil {
				t.Fatal(err)
			}
			res := desired.Compute(snap, nil, opts.drivers()...)
			sound(t, res.Want)
			c.Want("want "+node, derived.Objects(t, res.Want, opts.shows, derived.RuleAndRow))
			c.WantSome("skipped "+node, derived.Skips(res.Skipped))
		}
	})
}

// testing.TB cannot be had in a property, so this is what both have.
type fataler interface {
	Helper()
	Fatal(...any)
}

// snapshot is what a node of a story sees.
func snapshot(t fataler, text, node string) observe.Snapshot {
	t.Helper()
	world, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := world.Snapshot(node)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

type options struct {
	cfg     evpn.Config
	show    []string
	withBGP bool
	// reserved are for the other driver.
	reserved []expose.NetworkRef
}

// drivers are those that a configuration enables.
func (o options) drivers() []desired.Driver {
	var all []desired.Driver
	if o.withBGP {
		shared := o.cfg.Expose
		shared.Reserved = o.reserved
		all = append(all, bgp.New(bgp.Config{Expose: shared, TenantMethod: bgp.MethodHost}))
	}
	return append(all, evpn.New(o.cfg))
}

// shows reports whether an object is listed.
func (o options) shows(it object.Item) bool {
	if slices.Contains(o.show, "base") {
		return true
	}
	kind := it.Value.Key().Kind.String()
	return !isBase(it) && (len(o.show) == 0 || slices.Contains(o.show, kind))
}

func defaultConfig() evpn.Config {
	return evpn.Config{Expose: expose.DefaultOptions(), LocalIP: netip.MustParseAddr("99.99.1.1"), Port: 4789, AS: 64999}
}

// config reads options under their names in the configuration file.
func config(t *testing.T, f *golden.File) options {
	t.Helper()
	o := options{cfg: defaultConfig()}
	f.Options(t, "config", func(key, value string) error {
		switch key {
		case "show":
			o.show = strings.Fields(value)
		case "drivers":
			o.withBGP = strings.Contains(value, bgp.Name)
		case "evpn_local_ip":
			o.cfg.LocalIP, _ = netip.ParseAddr(value) // "none" is none
		case "evpn_nic":
			o.cfg.NIC = value
		case "delete_vrf_on_disconnect":
			o.cfg.KeepVRF = value == "false"
		case "advertisement_method_tenant_networks":
			o.cfg.SubnetMethod = value == "subnet"
		case "table_offset":
			n, err := strconv.ParseUint(value, 10, 32)
			o.cfg.TableOffset = uint32(n)
			return err
		case "expose_tenant_networks":
			o.cfg.TenantNetworks = value == "true"
		case "address_scopes":
			o.cfg.AddressScopes = strings.Fields(value)
		case "network":
			o.cfg.Networks = append(o.cfg.Networks, networkConfig(t, value))
			o.reserved = append(o.reserved, o.cfg.Networks[len(o.cfg.Networks)-1].NetworkRef)
		case "vni":
			o.cfg.VNIs = append(o.cfg.VNIs, vniConfig(t, value))
		default:
			return errors.New("unknown option")
		}
		return nil
	})
	return o
}

// networkConfig reads "public:100 l2vni 2001 rd R import A,B export C gateways G,H",
// with a switch's name instead of "public:100" if there is no colon.
func networkConfig(t *testing.T, text string) evpn.NetworkConfig {
	words := strings.Fields(text)
	v := vniConfig(t, strings.Join(words[2:], " "))
	c := evpn.NetworkConfig{Method: evpn.Method(words[1]), VNI: v.VNI, RD: v.RD, Import: v.Import, Export: v.Export}
	network, vlan, ok := strings.Cut(words[0], ":")
	if !ok {
		c.Switch = network
	} else {
		n, err := strconv.ParseUint(vlan, 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		c.Network, c.VLAN = network, uint16(n)
	}
	for i, w := range words {
		if w == "gateways" {
			for _, g := range strings.Split(words[i+1], ",") {
				c.Gateways = append(c.Gateways, netip.MustParseAddr(g))
			}
		}
	}
	return c
}

// vniConfig reads "1001 rd R import A,B export C".
func vniConfig(t *testing.T, text string) evpn.VNIConfig {
	words := strings.Fields(text)
	n, err := strconv.ParseUint(words[0], 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	c := evpn.VNIConfig{VNI: uint32(n)}
	for i := 1; i+1 < len(words); i += 2 {
		switch words[i] {
		case "rd":
			c.RD = words[i+1]
		case "import":
			c.Import = strings.Split(words[i+1], ",")
		case "export":
			c.Export = strings.Split(words[i+1], ",")
		}
	}
	return c
}

// isBase reports whether the item is there with nothing exposed.
func isBase(it object.Item) bool {
	return !slices.ContainsFunc(it.Why, func(s object.Source) bool { return s.Rule != "E0" && s.Rule != "R0" })
}

// sound checks what every desired set must satisfy: all needs are desired too,
// and what is announced needs devices of its VNI and, for prefixes, on a
// route that covers it.
func sound(t *testing.T, s object.Set) {
	t.Helper()
	for k, it := range s.All() {
		for _, need := range it.Needs() {
			if !s.Has(need) && (need.Kind != object.KindDevice || !hasDevice(s, need.Name)) {
				t.Errorf("%s needs %s, which is not desired", k.Text(), need.Text())
			}
		}
		if path, ok := it.Value.(object.EVPNPath); ok && it.Block == nil {
			soundPath(t, s, it, path)
		}
	}
}

func hasDevice(s object.Set, name string) bool {
	return s.Has(object.Key{Kind: object.KindLink, Name: name}) || s.Has(object.Key{Kind: object.KindOVSPort, Name: name})
}

func soundPath(t *testing.T, s object.Set, it object.Item, path object.EVPNPath) {
	t.Helper()
	vxlan, route, port := false, path.Type != object.EVPNPrefix, false
	for _, need := range it.Needs() {
		on, _ := s.Get(need)
		switch v := on.Value.(type) {
		case object.Link:
			vxlan = vxlan || v.Type == object.LinkVXLAN && v.VNI == path.VNI && v.Local == path.NextHop
		case object.OVSPort:
			port = true
		case object.Route:
			route = route || v.Dst.Bits() <= path.Prefix.Bits() && v.Dst.Contains(path.Prefix.Addr())
		}
	}
	if !vxlan || !route || !port {
		t.Errorf("%s needs %v: want its VXLAN device, a port and a route that covers it", object.Text(path), it.Needs())
	}
}
