package product

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// besideVariable has every agent run ovn_native_driver beside the drivers of its configuration: its
// value is the release of OVN that the lab then has, such as 25.03.
const besideVariable = "E2E_BESIDE_NATIVE"

// nativeDriver is the driver that runs beside the others.
const nativeDriver = "ovn_native_driver"

// OVN is the directory of the release that a lab is to have; empty is the installed one.
func OVN() string {
	release := os.Getenv(besideVariable)
	if release == "" {
		return ""
	}
	return filepath.Join("/var/cache/bgp-ovn-test", "ovn-"+release)
}

// beside adds the driver to the lines of a configuration, which may have the key or leave it out.
func beside(lines []string) []string {
	const plain = "drivers: [osp_ovn_bgp_driver]" // the default
	i := slices.IndexFunc(lines, func(l string) bool { return strings.HasPrefix(l, "drivers: ") })
	if i < 0 {
		lines, i = append(lines, plain), len(lines)
	}
	if strings.Contains(lines[i], nativeDriver) {
		return lines
	}
	lines = slices.Clone(lines)
	lines[i] = strings.TrimSuffix(lines[i], "]") + fmt.Sprintf(", %s]", nativeDriver)
	return append(lines, "native: {vrf_mode: never}") // most kernels that run tests have no VRF
}
