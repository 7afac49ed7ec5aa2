package harness

import (
	"os"
	"testing"
)

// arm64 is where scripts/install-deps unpacks the emulator.
const arm64 = "/var/cache/bgp-ovn-test/qemu/qemu-aarch64-static"

// Arm64 is the program that runs those of arm64 on this machine.
func Arm64(t testing.TB) string {
	t.Helper()
	if _, err := os.Stat(arm64); err != nil {
		t.Fatalf("scripts/install-deps test unpacks qemu for arm64: %v", err)
	}
	return arm64
}
