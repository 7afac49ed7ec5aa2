package drivers

import (
	"fmt"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
)

// Config holds the options of every driver.
type Config struct {
	BGP    bgp.Config
	EVPN   evpn.Config
	Fabric fabric.Config
}

// Names returns the drivers that can be configured.
func Names() []string { return []string{bgp.Name, evpn.Name} }

// New returns the driver of that name; the predecessor's names are accepted.
func New(name string, cfg Config) (desired.Driver, error) {
	switch Canonical(name) {
	case bgp.Name:
		return bgp.New(cfg.BGP), nil
	case evpn.Name:
		return evpn.New(cfg.EVPN), nil
	default:
		return nil, fmt.Errorf("unknown driver %q: use one of %s", name, strings.Join(Names(), ", "))
	}
}

// Fabric returns the driver of the node's own routes and prefixes, which runs
// beside whichever others are configured; false if nothing is asked of it.
func Fabric(cfg Config) (desired.Driver, bool) {
	return fabric.New(cfg.Fabric), !cfg.Fabric.Empty()
}

// Canonical translates the predecessor's name of a driver.
func Canonical(name string) string {
	switch name {
	case "ovn_bgp_driver":
		return bgp.Name
	case "ovn_evpn_driver":
		return evpn.Name
	default:
		return name
	}
}
