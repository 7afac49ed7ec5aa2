package bfd_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/bfd"
)

// A packet as bfdd of FRR sends it on a session that is up.
const captured = "20c803180000000100000002000493e0000493e00000c350"

func TestPacketOctets(t *testing.T) {
	b, _ := hex.DecodeString(captured)
	p, err := bfd.Parse(b)
	want := bfd.Packet{
		State: bfd.Up, Independent: true, DetectMult: 3, MyDisc: 1, YourDisc: 2,
		DesiredMinTx: 300_000, RequiredMinRx: 300_000, RequiredMinEcho: 50_000,
	}
	if err != nil || p != want {
		t.Fatalf("got %+v, %v, want %+v", p, err, want)
	}
	if got := hex.EncodeToString(p.Append(nil)); got != captured {
		t.Errorf("octets\ngot  %s\nwant %s", got, captured)
	}
}

func TestPacketsThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, octets, want string }{
		{"short", captured[:46], "less than"},
		{"version 0", "00" + captured[2:], "version 0"},
		{"length under 24", captured[:6] + "17" + captured[8:], "length 23"},
		{"length over the datagram", captured[:6] + "19" + captured[8:], "length 25"},
		{"authentication", captured[:2] + "cc" + captured[4:], "authentication"},
		{"multipoint", captured[:2] + "c9" + captured[4:], "Multipoint"},
		{"multiplier 0", captured[:4] + "00" + captured[6:], "multiplier 0"},
		{"discriminator 0", captured[:8] + "00000000" + captured[16:], "discriminator 0"},
		{"up without ours", captured[:16] + "00000000" + captured[24:], "without our discriminator"},
	} {
		b, _ := hex.DecodeString(c.octets)
		if _, err := bfd.Parse(b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

// What is taken comes back as the same octets, but for what is beyond its length.
func FuzzParse(f *testing.F) {
	b, _ := hex.DecodeString(captured)
	f.Add(b)
	f.Add(b[:10])
	f.Add(append(b, 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := bfd.Parse(b)
		if err != nil {
			return
		}
		again, err := bfd.Parse(p.Append(nil))
		if err != nil || again != p {
			t.Fatalf("%x: %+v became %+v, %v", b, p, again, err)
		}
	})
}
