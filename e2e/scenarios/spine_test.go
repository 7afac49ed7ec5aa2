package scenarios

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// A chassis with two tops of rack, and a spine above them: both tops of rack
// have the VMs' routes and the spine shares its load between them, as the chassis
// does in the other direction with the default routes it has learned. One of
// them dies, in two ways, and the traffic goes on through the other.
func TestTopOfRackDies(t *testing.T) {
	w := startSpine(t)
	addrs := w.guest(t)
	w.both(t, addrs)

	t.Run("both carry", func(t *testing.T) {
		before := w.carried(t)
		running := w.traffic(t, addrs)
		after := w.carried(t)
		for i, tor := range []*lab.Tor{w.Tor, w.Tor2} {
			for j, way := range []string{"to the chassis", "from the chassis"} {
				if n := after[i][j] - before[i][j]; n < 20 {
					t.Errorf("%s carried %d packets %s, of the load of %d addresses", tor.Name, n, way, len(addrs))
				}
			}
		}
		undisturbed(t, running...)
	})
	t.Run("its bgpd is killed", func(t *testing.T) {
		running := w.traffic(t, addrs)
		harness.Check(t, w.Tor.BGPD.Kill())
		w.only(t, addrs, w.Tor2)
		outcome(t, running...)
		harness.Check(t, w.Tor.BGPD.Start(testContext(t)))
		w.both(t, addrs)
	})
	t.Run("its cable is cut", func(t *testing.T) {
		running := w.traffic(t, addrs)
		second := w.hv.Uplinks()[1]
		harness.Check(t, w.hv.SetUplink(second, false))
		w.only(t, addrs, w.Tor)
		outcome(t, running...)
		harness.Check(t, w.hv.SetUplink(second, true))
		w.both(t, addrs)
	})
}

// spineWorld is a lab of its own: one chassis, two tops of rack, a spine.
type spineWorld struct {
	*lab.Lab
	hv    *lab.Chassis
	agent *product.Agent
}

func startSpine(t *testing.T) spineWorld {
	t.Helper()
	ctx := testContext(t)
	l := harness.Must(lab.Start(ctx, lab.Options{
		Log: os.Stderr, KeepDir: os.Getenv("LAB_KEEP") != "", OVN: product.OVN(), Spine: true,
		Chassis: []lab.ChassisSpec{{Gateway: true}},
	}))(t)
	t.Cleanup(func() { harness.Check(t, l.Close()) })
	w := spineWorld{Lab: l, hv: l.Chassis[0]}
	w.agent = harness.Must(product.New(w.hv, shared.bin))(t)
	harness.Check(t, w.agent.Start(ctx))
	for _, u := range w.hv.Uplinks() {
		for _, peer := range []netip.Addr{u.Addr4, u.Addr6} {
			harness.Check(t, u.Tor.AwaitPeer(ctx, peer))
		}
	}
	return w
}

// guest plugs a VM with many addresses: the kernels choose a way by addresses, so
// of sixteen flows the chance that all go one way is one in 32,768.
func (w spineWorld) guest(t *testing.T) []netip.Addr {
	t.Helper()
	ctx := testContext(t)
	public := harness.Must(w.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0,
		netip.MustParsePrefix("172.24.4.0/24"), netip.MustParsePrefix("2001:db8:4::/64")))(t)
	spec := lab.PortSpec{Name: "vm-spine", Network: public, Chassis: w.hv}
	for i := range 8 {
		spec.Addrs = append(spec.Addrs, netip.MustParseAddr(fmt.Sprintf("172.24.4.%d", 31+i)),
			netip.MustParseAddr(fmt.Sprintf("2001:db8:4::%x", 31+i)))
	}
	p := harness.Must(w.Neutron.Port(ctx, spec))(t)
	harness.Must(w.hv.PlugVM(ctx, p))(t)
	return spec.Addrs
}

// both waits until either side shares its load between both tops of rack.
func (w spineWorld) both(t *testing.T, addrs []netip.Addr) {
	t.Helper()
	w.shared(t, addrs, w.Tor.Name, w.Tor2.Name)
	w.defaults(t, lab.FabricLink, lab.SecondFabricLink)
}

// only waits until neither side counts on the other top of rack.
func (w spineWorld) only(t *testing.T, addrs []netip.Addr, tor *lab.Tor) {
	t.Helper()
	link := lab.FabricLink
	if tor == w.Tor2 {
		link = lab.SecondFabricLink
	}
	w.shared(t, addrs, tor.Name)
	w.defaults(t, link)
}

// shared waits until the spine sends the addresses to exactly these.
func (w spineWorld) shared(t *testing.T, addrs []netip.Addr, tors ...string) {
	t.Helper()
	var have string
	w.await(t, func() bool {
		fib := harness.Must(w.Spine.FIB())(t)
		for _, a := range addrs {
			var links []string
			for _, hop := range fib[netip.PrefixFrom(a, a.BitLen())] {
				links = append(links, hop.Link)
			}
			if have = strings.Join(links, " "); have != strings.Join(tors, " ") {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprintf("the spine sends an address to %q, want %v", have, tors) })
}

// defaults waits until the chassis has default routes of both families over
// exactly these links.
func (w spineWorld) defaults(t *testing.T, links ...string) {
	t.Helper()
	var have string
	w.await(t, func() bool {
		have = learnedOn(t, w.hv)
		for _, link := range []string{lab.FabricLink, lab.SecondFabricLink} {
			want := 0
			for _, l := range links {
				if l == link {
					want = 2
				}
			}
			if strings.Count(have, "dev "+link) != want {
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprintf("the chassis has\n%s\nwant both families over %v", have, links) })
}

func (w spineWorld) await(t *testing.T, ok func() bool, what func() string) {
	t.Helper()
	ctx := harness.Context(t, 30*time.Second)
	if err := harness.Until(ctx, "the routes", ok); err != nil {
		t.Fatalf("%s\n%s", what(), w.agent.Tail(20))
	}
}

// traffic runs to all addresses, once all answer.
func (w spineWorld) traffic(t *testing.T, addrs []netip.Addr) (running []*lab.Traffic) {
	t.Helper()
	ctx := testContext(t)
	for _, a := range addrs {
		harness.Check(t, w.Host.AwaitPing(ctx, a))
	}
	for _, a := range addrs {
		tr := harness.Must(w.Host.SendTraffic(a, trafficInterval))(t)
		t.Cleanup(func() { _, _ = tr.Stop() })
		running = append(running, tr)
	}
	for _, tr := range running {
		harness.Check(t, tr.AwaitAnswers(ctx, 10))
	}
	return running
}

// carried counts the packets that each top of rack has sent to the chassis and
// has received from it.
func (w spineWorld) carried(t *testing.T) (n [2][2]int) {
	t.Helper()
	for i, tor := range []*lab.Tor{w.Tor, w.Tor2} {
		for j, counter := range []string{"tx_packets", "rx_packets"} {
			out, err := tor.Command(t.Context(), "cat", "/sys/class/net/"+w.hv.Name+"/statistics/"+counter).Output()
			harness.Check(t, err)
			n[i][j] = harness.Must(strconv.Atoi(strings.TrimSpace(string(out))))(t)
		}
	}
	return n
}
