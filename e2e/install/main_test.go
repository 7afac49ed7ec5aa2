// Package install installs the real package, as it is built for release, on Debian with
// systemd as its first process, on chassis of a lab: what an operator does from a bare node
// to a purge.
package install

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// Versions of the package: the one that is built, and one that sorts before it.
const (
	former = "1.0.0"
	newer  = "1.1.0"
)

var (
	shared        *lab.Lab
	public        *lab.Network
	packages      string // directory of the packages
	starter       = harness.NewStarter()
	hostNamespace netns.NsHandle
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

// run exists because os.Exit skips deferred calls.
func run(m *testing.M) (code int) {
	defer starter.Close()
	if err := prepareAll(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(packages)
	if shared == nil {
		return code
	}
	if err := shared.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "close lab:", err)
		code = 1
	}
	return code
}

func prepareAll() (err error) {
	ctx, cancel := harness.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	if hostNamespace, err = netns.Get(); err != nil {
		return err
	}
	if packages, err = os.MkdirTemp("", "bgp-ovn-packages-"); err != nil {
		return err
	}
	for _, suite := range []string{"bookworm", "trixie"} {
		if out, err := exec.CommandContext(ctx, "../../scripts/debian-root", suite).CombinedOutput(); err != nil {
			return fmt.Errorf("debian-root %s: %w: %s", suite, err, out)
		}
	}
	for _, version := range []string{former, newer} {
		if err := build(ctx, "../..", packages, version); err != nil {
			return err
		}
	}
	shared, err = lab.Start(ctx, lab.Options{Log: os.Stderr, Chassis: []lab.ChassisSpec{{Gateway: true}, {}}})
	if err != nil {
		return err
	}
	public, err = shared.Neutron.ProviderNetwork(ctx, "public", "physnet1", 0, netip.MustParsePrefix("172.24.4.0/24"),
		netip.MustParsePrefix("2001:db8:4::/64"))
	return err
}

// build builds the package of this machine's kind from the source in a directory.
func build(ctx context.Context, source, into, version string) error {
	if err := buildFor(ctx, source, into, version, "amd64"); err != nil {
		return err
	}
	for _, file := range []string{debOf(version), rpmOf(version), sbomOf(version)} {
		if _, err := os.Stat(filepath.Join(into, filepath.Base(file))); err != nil {
			return err
		}
	}
	return nil
}

// buildFor builds the package of a kind of machine, as scripts/packages does for a release but for
// the time that its compression takes.
func buildFor(ctx context.Context, source, into, version, arch string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(source, "scripts/packages"), into)
	cmd.Env = append(os.Environ(), "VERSION="+version, "ARCHS="+arch, "COMPRESSION=none", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("scripts/packages: %w: %s", err, out)
	}
	return nil
}

// debOf, rpmOf and sbomOf are the packages of a version, and the list of what is in them.
func debOf(version string) string {
	return filepath.Join(packages, fmt.Sprintf("bgp-ovn_%s_amd64.deb", version))
}

func rpmOf(version string) string {
	return filepath.Join(packages, fmt.Sprintf("bgp-ovn-%s-1.x86_64.rpm", version))
}

func sbomOf(version string) string {
	return filepath.Join(packages, fmt.Sprintf("bgp-ovn_%s_amd64.cdx.json", version))
}

func testContext(t *testing.T) context.Context {
	t.Helper()
	return harness.Context(t, time.Minute)
}
