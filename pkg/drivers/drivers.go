// Package drivers lists the drivers. A new one is a package beside this file
// and a line in All; see docs/writing-a-driver.md.
package drivers

import (
	"fmt"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
)

// Config holds the options of every driver.
type Config struct {
	BGP bgp.Config
}

// Names returns the drivers that can be configured.
func Names() []string { return []string{bgp.Name} }

// New returns the driver of that name; the predecessor's names are accepted.
func New(name string, cfg Config) (desired.Driver, error) {
	switch Canonical(name) {
	case bgp.Name:
		return bgp.New(cfg.BGP), nil
	default:
		return nil, fmt.Errorf("unknown driver %q: use one of %s", name, strings.Join(Names(), ", "))
	}
}

// Canonical translates the predecessor's name of a driver.
func Canonical(name string) string {
	if name == "ovn_bgp_driver" {
		return bgp.Name
	}
	return name
}
