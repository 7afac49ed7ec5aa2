package object

import (
	"net/netip"
	"strconv"
	"strings"
)

// KindFDB is an entry of a forwarding database of a bridge or VXLAN device.
const KindFDB Kind = 9

var fdbKind = kindOf[FDB](traits{
	kind: KindFDB, name: "fdb", key: fdbKey, readKey: readFDBKey, parse: parseFDB,
})

// FDB is an entry of a forwarding database, in one of three forms:
//
//   - with MAC and Dst, of a VXLAN device (NTF_SELF): frames to MAC go to the
//     VTEP Dst;
//   - with MAC alone, of the bridge that Dev is a port of (NTF_MASTER,
//     NTF_EXT_LEARNED): frames to MAC go to the port Dev;
//   - with Dst alone, of a VXLAN device: what is flooded goes to Dst too.
type FDB struct {
	// Dev is the device's name.
	Dev string `json:"dev"`
	// MAC is NDA_LLADDR; zero for a flooding entry.
	MAC MAC `json:"lladdr"`
	// Dst is the address of the VTEP (NDA_DST); invalid in a bridge's entry.
	Dst netip.Addr `json:"dst,omitzero"`
	// SrcVNI is the VNI of an entry on a device that has several (NDA_SRC_VNI); 0 for
	// one that has its own.
	SrcVNI uint32 `json:"src_vni,omitempty"`
	// Learned enters what others tell as a control plane does that has learnt it
	// (NTF_EXT_LEARNED) on a VXLAN device; those of a bridge always are.
	Learned bool `json:"extern_learn,omitempty"`
}

// The forms of entries, as they stand in a key.
const (
	fdbSelf   = "self"
	fdbMaster = "master"
	fdbFlood  = "flood"
)

func (d FDB) form() string {
	switch {
	case d.MAC.IsZero():
		return fdbFlood
	case d.Dst.IsValid():
		return fdbSelf
	default:
		return fdbMaster
	}
}

// Key is device, form and MAC. Of a MAC a VXLAN device knows one destination,
// of flooding many.
func (d FDB) Key() Key {
	k := Key{Kind: KindFDB, Name: d.Dev, Sub: d.form() + " " + d.MAC.String()}
	if d.form() == fdbFlood {
		k.Sub, k.Prefix = fdbFlood, netip.PrefixFrom(d.Dst, d.Dst.BitLen())
	}
	k.Num = d.SrcVNI
	return k
}

// wordSrcVNI is before the VNI of an entry in the text of a key.
const wordSrcVNI = "src_vni"

func fdbKey(k Key) string {
	text := k.Sub
	if k.Sub == fdbFlood {
		text = "flood " + k.Prefix.Addr().String()
	}
	text += " dev " + k.Name
	if k.Num != 0 {
		text += " " + wordSrcVNI + " " + strconv.FormatUint(uint64(k.Num), 10)
	}
	return text
}

func readFDBKey(f *fields) Key {
	k := Key{Sub: f.oneOf(fdbSelf, fdbMaster, fdbFlood)}
	if k.Sub == fdbFlood {
		k.Prefix = f.host()
	} else {
		k.Sub += " " + f.mac().String()
	}
	k.Name = f.wordAfter("dev")
	k.Num = f.srcVNI()
	return k
}

// srcVNI reads the VNI of an entry, if there is one.
func (f *fields) srcVNI() uint32 {
	if !f.more() || f.words[0] != wordSrcVNI {
		return 0
	}
	return f.uint32After(wordSrcVNI)
}

// Attrs prints the VTEP if it is not part of the key.
func (d FDB) Attrs() string {
	text := ""
	if d.form() == fdbSelf {
		text = "dst " + d.Dst.String()
	}
	if d.Learned {
		text += " extern_learn"
	}
	return strings.TrimPrefix(text, " ")
}

// DependsOn names the device.
func (d FDB) DependsOn() []Key { return []Key{DeviceNeed(d.Dev)} }

func parseFDB(f *fields) (Value, error) {
	var d FDB
	switch f.oneOf(fdbSelf, fdbMaster, fdbFlood) {
	case fdbFlood:
		d.Dst = f.addr()
		d.Dev = f.wordAfter("dev")
		d.SrcVNI = f.srcVNI()
	case fdbSelf:
		d.MAC = f.mac()
		d.Dev = f.wordAfter("dev")
		d.SrcVNI = f.srcVNI()
		f.literal("dst")
		d.Dst = f.addr()
	case fdbMaster:
		d.MAC = f.mac()
		d.Dev = f.wordAfter("dev")
		d.SrcVNI = f.srcVNI()
	}
	if f.more() {
		f.literal("extern_learn")
		d.Learned = true
	}
	return d, f.end()
}
