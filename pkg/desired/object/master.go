package object

// KindMaster is a device that others created, in a VRF or bridge.
const KindMaster Kind = 4

var masterKind = kindOf[Master](traits{
	kind: KindMaster, name: "master", key: nameOnly, readKey: readName, parse: parseMaster,
	provides: KindDevice, // it is of use only once it is where it is to be
})

// Master puts a device that others created, such as the internal port of an OVS
// bridge, into a VRF or bridge and sets its admin state. Links of ours have both
// in themselves. Deleting it releases the device (IFLA_MASTER 0).
type Master struct {
	// Dev is the device's name.
	Dev string `json:"dev"`
	// Master is the name of the VRF or bridge (IFLA_MASTER).
	Master string `json:"master"`
	// Up is IFF_UP.
	Up bool `json:"up"`
}

// Key is the device's name: it has one master at most.
func (m Master) Key() Key { return Key{Kind: KindMaster, Name: m.Dev} }

// Attrs prints the master and the admin state.
func (m Master) Attrs() string { return "of " + m.Master + " " + upOrDown(m.Up) }

// DependsOn names the master and the port that makes the device.
func (m Master) DependsOn() []Key {
	return []Key{{Kind: KindOVSPort, Name: m.Dev}, DeviceNeed(m.Master)}
}

func parseMaster(f *fields) (Value, error) {
	m := Master{Dev: f.word()}
	m.Master = f.wordAfter("of")
	m.Up = f.oneOf("up", "down") == "up"
	return m, f.end()
}
