package drivers_test

import (
	"maps"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// world is a cloud as each of its chassis sees it. All views have the same
// Southbound and Northbound rows.
type world struct {
	name  string
	sb    *observe.Southbound
	nb    *observe.Northbound
	views map[string]observe.Snapshot // by system-id
}

// worlds are the dumps of a real OVN and the stories of the drivers' scenarios.
func worlds(t *testing.T) []world {
	t.Helper()
	var out []world
	for _, path := range fixtures(t) {
		if strings.HasPrefix(filepath.Base(path), "expected") {
			continue
		}
		f, err := file.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		w := world{name: filepath.Base(path), sb: f.Southbound, nb: f.Northbound, views: map[string]observe.Snapshot{}}
		for key := range f.OVS {
			view, err := f.Snapshot(key)
			if err != nil {
				t.Fatal(err)
			}
			w.views[view.Chassis] = view
		}
		out = append(out, w)
	}
	stories := slices.Concat(glob(t, "bgp/testdata/*.txtar"), glob(t, "evpn/testdata/*.txtar"),
		glob(t, "native/testdata/*.txtar"))
	for _, path := range stories {
		a, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range a.Files {
			if section.Name != "snapshot" {
				continue
			}
			s, err := story.Parse(string(section.Data))
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, told(t, filepath.Base(path), s))
		}
	}
	return out
}

// fixtures are the files with dumps of a real OVN.
func fixtures(t *testing.T) []string {
	t.Helper()
	return slices.Concat(glob(t, "../observe/file/testdata/*.json"), glob(t, "*/testdata/fixtures/*.json"))
}

// told is the world of a story.
func told(t *testing.T, name string, s *story.Story) world {
	t.Helper()
	first, err := s.Snapshot("")
	if err != nil {
		t.Fatal(err)
	}
	w := world{name: name, sb: first.SB, nb: first.NB, views: map[string]observe.Snapshot{}}
	for _, c := range first.SB.Chassis {
		if w.views[c.Name], err = s.Snapshot(c.Name); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	return paths
}

// mutate changes rows of the world at random, in ways that a database may be
// changed or damaged in. The rows of w itself stay as they are.
func (w world) mutate(t *rapid.T) world {
	sb := *w.sb
	sb.Chassis, sb.Datapaths = slices.Clone(sb.Chassis), slices.Clone(sb.Datapaths)
	sb.Balancers, sb.DPGroups = slices.Clone(sb.Balancers), slices.Clone(sb.DPGroups)
	sb.Advertised, sb.MACs = slices.Clone(sb.Advertised), slices.Clone(sb.MACs)
	w.sb = &sb
	for range rapid.IntRange(0, 8).Draw(t, "mutations") {
		switch rapid.IntRange(0, 9).Draw(t, "table") {
		case 0:
			w.dropRow(t)
		case 1:
			w.changeChassis(t)
		case 2:
			w.changeBalancer(t)
		case 3:
			w.changeAdvertised(t)
		case 4:
			w.changeMAC(t)
		case 5:
			w.changeRouting(t)
		default:
			w.changePort(t)
		}
	}
	views := map[string]observe.Snapshot{}
	for name, view := range w.views {
		view.SB, view.NB = w.sb, w.nb
		views[name] = view
	}
	w.views = views
	return w
}

// pick draws an index of a list; false if it is empty.
func pick[T any](t *rapid.T, list []T, label string) (int, bool) {
	if len(list) == 0 {
		return 0, false
	}
	return rapid.IntRange(0, len(list)-1).Draw(t, label), true
}

func (w world) dropRow(t *rapid.T) {
	switch rapid.IntRange(0, 4).Draw(t, "drop from") {
	case 0:
		if i, ok := pick(t, w.sb.Datapaths, "datapath"); ok {
			w.sb.Datapaths = slices.Delete(w.sb.Datapaths, i, i+1)
		}
	case 1:
		if i, ok := pick(t, w.sb.Balancers, "balancer"); ok {
			w.sb.Balancers = slices.Delete(w.sb.Balancers, i, i+1)
		}
	case 2:
		if i, ok := pick(t, w.sb.DPGroups, "group"); ok {
			w.sb.DPGroups = slices.Delete(w.sb.DPGroups, i, i+1)
		}
	default:
		ports := w.sb.Ports.Slice()
		if i, ok := pick(t, ports, "port"); ok {
			story.ReplacePort(w.sb, ports[i], nil)
		}
	}
}

// changeChassis drops a chassis, or the bridge mappings that its row tells.
func (w world) changeChassis(t *rapid.T) {
	i, ok := pick(t, w.sb.Chassis, "chassis")
	if !ok {
		return
	}
	if rapid.Bool().Draw(t, "drop it") {
		w.sb.Chassis = slices.Delete(w.sb.Chassis, i, i+1)
		return
	}
	c := *w.sb.Chassis[i]
	c.OtherConfig, c.ExternalIDs = maps.Clone(c.OtherConfig), maps.Clone(c.ExternalIDs)
	if text, ok := c.OtherConfig[mappings]; ok && rapid.Bool().Draw(t, "as before OVN 22.09") {
		c.ExternalIDs = map[string]string{mappings: text}
	}
	delete(c.OtherConfig, mappings)
	w.sb.Chassis[i] = &c
}

const mappings = "ovn-bridge-mappings"

func (w world) changeBalancer(t *rapid.T) {
	i, ok := pick(t, w.sb.Balancers, "balancer")
	if !ok {
		return
	}
	lb := *w.sb.Balancers[i]
	other := w.sb.Balancers[rapid.IntRange(0, len(w.sb.Balancers)-1).Draw(t, "another")]
	switch rapid.IntRange(0, 3).Draw(t, "change") {
	case 0:
		lb.VIPs = other.VIPs
	case 1:
		lb.LRGroup = observe.UUID{}
	case 2:
		lb.LSGroup, lb.Group, lb.Datapaths = other.LSGroup, other.Group, other.Datapaths
	case 3:
		lb.LSGroup, lb.LRGroup = lb.LRGroup, lb.LSGroup
	}
	w.sb.Balancers[i] = &lb
}

// changePort makes one change to a row of Port_Binding; its name stays.
func (w world) changePort(t *rapid.T) {
	ports := w.sb.Ports.Slice()
	i, ok := pick(t, ports, "port")
	if !ok {
		return
	}
	p := *ports[i]
	p.Options, p.ExternalIDs = maps.Clone(p.Options), maps.Clone(p.ExternalIDs)
	other := ports[rapid.IntRange(0, len(ports)-1).Draw(t, "another port")]
	switch rapid.IntRange(0, 13).Draw(t, "change") {
	case 0, 1:
		p.Chassis = observe.UUID{}
		if c, ok := pick(t, w.sb.Chassis, "to"); ok && rapid.IntRange(0, 3).Draw(t, "bound") > 0 {
			p.Chassis = w.sb.Chassis[c].UUID
		}
	case 2:
		p.Down = !p.Down
	case 3:
		p.Type = rapid.SampledFrom([]string{
			observe.PortVIF, observe.PortVirtual, observe.PortPatch, observe.PortLocalnet,
			observe.PortChassisRedirect, observe.PortL3Gateway, "remote",
		}).Draw(t, "type")
	case 4:
		p.Addresses, p.Unknown = nil, rapid.Bool().Draw(t, "unknown")
	case 5:
		p.Addresses = other.Addresses
	case 6:
		p.Addresses = append(slices.Clone(p.Addresses), other.Addresses...)
	case 7:
		p.NAT = other.NAT
	case 8:
		p.Datapath = other.Datapath
	case 9:
		p.Options = maps.Clone(other.Options)
	case 10:
		p.ExternalIDs = maps.Clone(other.ExternalIDs)
	case 11:
		clearOne(t, p.Options)
		clearOne(t, p.ExternalIDs)
	case 12:
		p.Addresses, p.Problems = nil, []string{`mac: "nonsense" is not an address`}
	case 13:
		p.Addresses = nil // an element without any address, and one of another prefix length
		p.Addresses = append(p.Addresses, observe.PortAddress{MAC: object.MAC{2}})
		for _, a := range addressesOf(other) {
			bits := rapid.IntRange(8, a.BitLen()).Draw(t, "bits")
			p.Addresses = append(p.Addresses, observe.PortAddress{
				MAC:   object.MAC{2, 1},
				Addrs: []netip.Prefix{netip.PrefixFrom(a, bits)},
			})
		}
	}
	story.ReplacePort(w.sb, ports[i], &p)
}

// clearOne removes a key that is drawn.
func clearOne(t *rapid.T, m map[string]string) {
	keys := slices.Sorted(maps.Keys(m))
	if i, ok := pick(t, keys, "key"); ok {
		delete(m, keys[i])
	}
}

func addressesOf(p *observe.PortBinding) []netip.Addr {
	var out []netip.Addr
	for _, el := range p.Addresses {
		for _, prefix := range el.Addrs {
			out = append(out, prefix.Addr())
		}
	}
	return out
}

// mutateView changes what a node knows of itself: bridges, ports, devices, and what
// it has learned, whose order means nothing.
func mutateView(t *rapid.T, view observe.Snapshot) observe.Snapshot {
	vswitch := *view.OVS
	vswitch.Mappings, vswitch.Bridges = slices.Clone(vswitch.Mappings), slices.Clone(vswitch.Bridges)
	for range rapid.IntRange(0, 2).Draw(t, "changes of Open_vSwitch") {
		if i, ok := pick(t, vswitch.Mappings, "mapping"); ok && rapid.Bool().Draw(t, "drop mapping") {
			vswitch.Mappings = slices.Delete(vswitch.Mappings, i, i+1)
		}
		i, ok := pick(t, vswitch.Bridges, "bridge")
		if !ok {
			continue
		}
		b := vswitch.Bridges[i]
		b.Patches = slices.Clone(b.Patches)
		switch rapid.IntRange(0, 3).Draw(t, "change of bridge") {
		case 0:
			vswitch.Bridges = slices.Delete(vswitch.Bridges, i, i+1)
			continue
		case 1:
			b.MAC = object.MAC{}
		case 2:
			b.Made = nil
		case 3:
			if n, ok := pick(t, b.Patches, "patch port"); ok {
				b.Patches[n].OFPort = 0
			}
		}
		vswitch.Bridges[i] = b
	}
	view.OVS = &vswitch
	if view.Host != nil && rapid.Bool().Draw(t, "an address more") {
		host := *view.Host
		net := rapid.SampledFrom([]string{"10.0.0.9/24", "192.168.7.1/24", "10.0.0.0/8"}).Draw(t, "of")
		p := netip.MustParsePrefix(net)
		host.Addresses = append(slices.Clone(host.Addresses),
			observe.DeviceAddress{Dev: "eth0", Addr: p.Addr(), Net: p.Masked()})
		view.Host = &host
	}
	if view.Learned != nil {
		learned := *view.Learned
		learned.Paths, learned.EVPN = rapid.Permutation(learned.Paths).Draw(t,
			"paths"), rapid.Permutation(learned.EVPN).Draw(t, "routes")
		view.Learned = &learned
	}
	return view
}
