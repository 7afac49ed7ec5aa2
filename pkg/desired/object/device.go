package object

// KindDevice is the admin state of a device that others created.
const KindDevice Kind = 1

var deviceKind = kindOf[Device](traits{
	kind: KindDevice, name: "device", key: nameOnly, readKey: readName, parse: parseDevice,
	foundOnly: "Open vSwitch or the operator",
	lasting:   true, // brought down, it would lose the routes that others have on it
})

// Device is the admin state of a network device that somebody else made, such
// as the internal port of a provider bridge. It is a [Setting]: never created,
// never deleted, only set.
type Device struct {
	// Name is IFLA_IFNAME.
	Name string `json:"name"`
	// Up is IFF_UP.
	Up bool `json:"up"`
}

// Key is the device's name.
func (d Device) Key() Key { return Key{Kind: KindDevice, Name: d.Name} }

// Attrs prints the admin state.
func (d Device) Attrs() string { return upOrDown(d.Up) }

// DependsOn is empty.
func (d Device) DependsOn() []Key { return nil }

func (d Device) setting() {}

func parseDevice(f *fields) (Value, error) {
	d := Device{Name: f.word()}
	d.Up = f.oneOf("up", "down") == "up"
	return d, f.end()
}
