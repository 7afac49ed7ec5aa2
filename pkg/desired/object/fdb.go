package object

import "net/netip"

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
	return k
}

func fdbKey(k Key) string {
	if k.Sub == fdbFlood {
		return "flood " + k.Prefix.Addr().String() + " dev " + k.Name
	}
	return k.Sub + " dev " + k.Name
}

func readFDBKey(f *fields) Key {
	k := Key{Sub: f.oneOf(fdbSelf, fdbMaster, fdbFlood)}
	if k.Sub == fdbFlood {
		k.Prefix = f.host()
	} else {
		k.Sub += " " + f.mac().String()
	}
	k.Name = f.wordAfter("dev")
	return k
}

// Attrs prints the VTEP if it is not part of the key.
func (d FDB) Attrs() string {
	if d.form() == fdbSelf {
		return "dst " + d.Dst.String()
	}
	return ""
}

// DependsOn names the device.
func (d FDB) DependsOn() []Key { return []Key{DeviceNeed(d.Dev)} }

func parseFDB(f *fields) (Value, error) {
	var d FDB
	switch f.oneOf(fdbSelf, fdbMaster, fdbFlood) {
	case fdbFlood:
		d.Dst = f.addr()
		d.Dev = f.wordAfter("dev")
	case fdbSelf:
		d.MAC = f.mac()
		d.Dev = f.wordAfter("dev")
		f.literal("dst")
		d.Dst = f.addr()
	case fdbMaster:
		d.MAC = f.mac()
		d.Dev = f.wordAfter("dev")
	}
	return d, f.end()
}
