package object

import "strings"

// KindSysctl is a kernel setting under /proc/sys.
const KindSysctl Kind = 5

var sysctlKind = kindOf[Sysctl](traits{
	kind: KindSysctl, name: "sysctl", key: nameOnly, readKey: readName, parse: parseSysctl,
})

// Sysctl is one kernel setting. It is a [Setting]: when it is no longer
// wanted, it gets back the value from before our first change.
type Sysctl struct {
	// Path is relative to /proc/sys and written with slashes, because device
	// names may contain dots: net/ipv4/conf/br-ex.100/proxy_arp.
	Path string `json:"path"`
	// Val is what is written, without a newline.
	Val string `json:"value"`
}

// Key is the path.
func (s Sysctl) Key() Key { return Key{Kind: KindSysctl, Name: s.Path} }

// Attrs prints the value.
func (s Sysctl) Attrs() string { return "= " + s.Val }

// DependsOn names the device when the path is one of net/<family>/conf|neigh/<device>.
func (s Sysctl) DependsOn() []Key {
	part := strings.Split(s.Path, "/")
	if len(part) == 5 && part[0] == "net" && (part[2] == "conf" || part[2] == "neigh") &&
		part[3] != "all" && part[3] != "default" {
		return []Key{DeviceNeed(part[3])}
	}
	return nil
}

func (s Sysctl) setting() {}

func parseSysctl(f *fields) (Value, error) {
	s := Sysctl{Path: f.word()}
	f.literal("=")
	s.Val = f.rest()
	return s, f.err
}
