package object

// KindBeacon is a light on a device.
const KindBeacon Kind = 200

var beaconKind = kindOf[Beacon](traits{
	kind: KindBeacon, name: "beacon", key: nameOnly, readKey: readName, parse: parseBeacon,
})

// Beacon is a light on a device, without any mark of ours.
type Beacon struct {
	Name  string `json:"name"`
	Dev   string `json:"dev"`
	Color string `json:"color"`
}

// Key is the name.
func (b Beacon) Key() Key { return Key{Kind: KindBeacon, Name: b.Name} }

// Attrs prints device and color.
func (b Beacon) Attrs() string { return "dev " + b.Dev + " color " + b.Color }

// DependsOn names the device.
func (b Beacon) DependsOn() []Key { return []Key{DeviceNeed(b.Dev)} }

func parseBeacon(f *fields) (Value, error) {
	b := Beacon{Name: f.word()}
	b.Dev = f.wordAfter("dev")
	b.Color = f.wordAfter("color")
	return b, f.end()
}
