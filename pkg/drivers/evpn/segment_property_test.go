package evpn_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
)

// randomStations is a stretched network with stations that are here, elsewhere,
// or in both places; sequence is the highest number by which a MAC is announced
// elsewhere, or one beyond all if it is sticky there.
func randomStations(t *rapid.T) (text string, here map[string]bool, sequence map[string]int) {
	here, sequence = map[string]bool{}, map[string]int{}
	var b strings.Builder
	b.WriteString("include node\nlearned nothing\npatch br-ex provnet-v1 ofport 2\nlocalnet provnet-v1 on dp-vlan " +
		"network public tag 100\n" +
		"made veth-ovs-2001 on br-ex ofport 21\n")
	for i := range 6 {
		mac := fmt.Sprintf("fa:16:3e:00:00:%02x", i)
		if rapid.Bool().Draw(t, "here") {
			here[mac] = true
			fmt.Fprintf(&b, "port vm%d on dp-vlan mac \"%s 172.24.8.%d\" chassis cmp-1 up\n", i, mac, 10+i)
		}
		for vtep := range 3 {
			if !rapid.Bool().Draw(t, "there") {
				continue
			}
			n := rapid.IntRange(0, 6).Draw(t, "sequence")
			extra := fmt.Sprintf("mobility %d", n)
			if n == 6 {
				n, extra = 1000, "sticky"
			}
			sequence[mac] = max(sequence[mac], n+1)
			address := rapid.SampledFrom([]string{"", fmt.Sprintf("172.24.8.%d ", 10+i), "172.24.8.10 "}).Draw(t, "address")
			fmt.Fprintf(&b, "learned type-2 %s %srd 99.99.2.%d:2001 next-hop 99.99.2.%d vni 2001 rt 64999:2001 %s\n", mac,
				address, vtep+2, vtep+2, extra)
		}
	}
	return b.String(), here, sequence
}

// TestStationsAreInOnePlace: of each MAC a bridge has one entry; one that is here
// is behind our leg and is announced with a number that outbids all others, or not
// at all; one that is elsewhere is behind one VTEP and not announced.
func TestStationsAreInOnePlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text, here, sequence := randomStations(t)
		snap := snapshot(t, text, "cmp-1")
		cfg := defaultConfig()
		cfg.Networks = []evpn.NetworkConfig{{
			NetworkRef: expose.NetworkRef{Network: "public", VLAN: 100},
			Method:     evpn.MethodL2VNI, VNI: 2001,
		}}
		res := desired.Compute(snap, nil, evpn.New(cfg))
		entries, selves := map[string]string{}, map[string]int{}
		for _, f := range object.Of[object.FDB](res.Want) {
			switch mac := f.MAC.String(); {
			case f.Dst.IsValid() && !f.MAC.IsZero():
				selves[mac]++
			case !f.MAC.IsZero():
				if entries[mac] != "" {
					t.Fatalf("%s is behind %s and %s", mac, entries[mac], f.Dev)
				}
				entries[mac] = f.Dev
			}
		}
		for mac := range here {
			if entries[mac] != "veth-br-2001" || selves[mac] != 0 {
				t.Fatalf("%s, which is here, is behind %q and %d VTEPs", mac, entries[mac], selves[mac])
			}
		}
		for mac := range sequence {
			if !here[mac] && (entries[mac] != "vxlan-2001" || selves[mac] != 1) {
				t.Fatalf("%s, which is elsewhere, is behind %q and %d VTEPs", mac, entries[mac], selves[mac])
			}
		}
		for _, it := range res.Want.SortedOf(object.KindEVPN) {
			path := it.Value.(object.EVPNPath)
			if path.Type != object.EVPNMacIP {
				continue
			}
			mac := path.MAC.String()
			theirs := sequence[mac] // one more than what they have; 0 if there is none
			blocked := it.Block != nil && it.Block.Code == evpn.BlockDuplicateMAC
			if !here[mac] || blocked != (theirs > 5) || !blocked && int(path.Mobility.Value) != theirs ||
				path.Mobility.Set != (theirs > 0) {
				t.Fatalf("%s, blocked %v, while others have sequence number %d", object.Text(path), it.Block, theirs-1)
			}
		}
		learned := *snap.Learned
		learned.EVPN = append(learned.EVPN[:0:0], learned.EVPN...)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)).Shuffle(len(learned.EVPN), func(i, j int) {
			learned.EVPN[i], learned.EVPN[j] = learned.EVPN[j], learned.EVPN[i]
		})
		snap.Learned = &learned
		if got, want := dump(desired.Compute(snap, nil, evpn.New(cfg))), dump(res); got != want {
			t.Fatalf("in another order:\n%s\nwant:\n%s", got, want)
		}
	})
}
