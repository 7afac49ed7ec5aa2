package lab

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

const (
	zebraPath = "/usr/lib/frr/zebra"
	bfddPath  = "/usr/lib/frr/bfdd"
	bgpdPath  = "/usr/lib/frr/bgpd"
)

// FRR is a router of its own on a node: zebra and bgpd with all their files in
// one directory, so that any number of them can run beside each other.
type FRR struct {
	*Node
	Zebra, BGPD *Daemon
	BFDD        *Daemon // where neighbours are watched by BFD, otherwise nil

	dir    string
	config func() string // of bgpd, asked when it starts
}

// newFRR declares the daemons of a node. Its directory is given to user frr, and
// so must hold nothing else.
func newFRR(node *Node, dir string, config func() string) *FRR {
	f := &FRR{Node: node, dir: dir, config: config}
	// Without this zebra changes an IPv6 route by deleting and adding it, a gap
	// that is FRR's own.
	f.Zebra = f.daemon("zebra", zebraPath, "--v6-rr-semantics")
	f.BGPD = f.daemon("bgpd", bgpdPath)
	return f
}

// NewFRR declares FRR on a node that was not made for it, such as a chassis that
// is to be taken over from it: bgpConfig is bgpd.conf. Start starts it.
func (n *Node) NewFRR(bgpConfig string) (*FRR, error) {
	dir, err := n.lab.subdir(filepath.Join(n.Name, "frr"))
	if err != nil {
		return nil, err
	}
	return newFRR(n, dir, func() string { return bgpConfig }), nil
}

// daemon declares one with all its files in our directory.
func (f *FRR) daemon(name, path string, options ...string) *Daemon {
	file := func(suffix string) string { return filepath.Join(f.dir, name+suffix) }
	args := append([]string{
		path, "-A", "127.0.0.1", "-P", "0", "-z", filepath.Join(f.dir, "zserv.api"),
		"--vty_socket", f.dir, "-i", file(".pid"), "-f", file(".conf"), "--log", "file:" + file(".log"),
	}, options...)
	d := f.Node.Daemon(name, listening(file(".vty")), args...)
	d.log = file(".out")
	return d
}

// BGPLog is what bgpd has logged since it was first started.
func (f *FRR) BGPLog() (string, error) {
	text, err := os.ReadFile(filepath.Join(f.dir, "bgpd.log"))
	return string(text), err
}

// zebraConfig keeps next hops inside the kernel's routes, so that a watcher of
// routes sees where they lead, and takes away zebra's own delay.
const zebraConfig = `no zebra nexthop kernel enable
zebra work-queue 0
`

// PatientBFD is a profile that bears with a machine that has other work.
const PatientBFD = "patient"

// bfddConfig is what neighbours are watched with: the slower end decides.
const bfddConfig = `bfd
 profile quick
  detect-multiplier 10
  receive-interval 50
  transmit-interval 50
 profile ` + PatientBFD + `
  detect-multiplier 10
  receive-interval 300
  transmit-interval 300
`

// Watch adds the daemon that watches neighbours by BFD.
func (f *FRR) Watch() {
	f.BFDD = f.daemon("bfdd", bfddPath, "--bfdctl", filepath.Join(f.dir, "bfdd.sock"))
}

// Start writes the configuration and starts the daemons.
func (f *FRR) Start(ctx context.Context) error {
	files := map[string]string{
		"zebra.conf": zebraConfig, "bgpd.conf": f.config(), "vtysh.conf": "", "bfdd.conf": bfddConfig,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := f.own(slices.Collect(maps.Keys(files))...); err != nil {
		return fmt.Errorf("prepare FRR: %w", err)
	}
	return f.Resume(ctx)
}

// Crash kills both daemons, after they have written down what they were told since
// their start.
func (f *FRR) Crash(ctx context.Context) error {
	out, err := f.Vtysh(ctx, "write memory")
	if err != nil {
		return err
	}
	if strings.Contains(out, "Can't") {
		return fmt.Errorf("write memory: %s", strings.TrimSpace(out))
	}
	return errors.Join(f.BGPD.Kill(), f.Zebra.Kill())
}

// Resume starts the daemons as they were when they crashed.
func (f *FRR) Resume(ctx context.Context) error {
	if err := f.Zebra.Start(ctx); err != nil {
		return err
	}
	if f.BFDD != nil {
		if err := f.BFDD.Start(ctx); err != nil {
			return err
		}
	}
	return f.BGPD.Start(ctx)
}

// Stop ends both in the orderly way, bgpd first.
func (f *FRR) Stop(ctx context.Context) error {
	if err := f.BGPD.Stop(ctx); err != nil {
		return err
	}
	return f.Zebra.Stop(ctx)
}

// own gives the directory and files in it to user frr, whom the daemons become: zebra
// has no option against that, and refuses users outside group frrvty. Of files of
// others they cannot write the next version.
func (f *FRR) own(files ...string) error {
	frr, err := user.Lookup("frr")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(frr.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(frr.Gid)
	if err != nil {
		return err
	}
	if err := os.Chmod(f.lab.Dir, 0o755); err != nil {
		return err
	}
	if err := passable(f.dir); err != nil {
		return err
	}
	errs := []error{os.Chown(f.dir, uid, gid)}
	for _, name := range files {
		errs = append(errs, os.Chown(filepath.Join(f.dir, name), uid, gid))
	}
	return errors.Join(errs...)
}

// passable finds a directory on the way that keeps other users out, as that of
// testing.T.TempDir does.
func passable(dir string) error {
	for ; dir != "/"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("user frr cannot pass %s (mode %o): choose another Options.Dir", dir, info.Mode().Perm())
		}
	}
	return nil
}

// Vtysh runs commands in one vtysh, each as if typed.
func (f *FRR) Vtysh(ctx context.Context, commands ...string) (string, error) {
	args := []string{"--vty_socket", f.dir, "--config_dir", f.dir}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := f.Run(ctx, "vtysh", args...)
	if err != nil {
		return out, err
	}
	// vtysh ends with success whatever the daemons say.
	for _, l := range strings.Split(out, "\n") {
		if strings.HasPrefix(l, "% ") {
			return out, errors.New("vtysh: " + strings.TrimSpace(l))
		}
	}
	return out, nil
}

// Configure runs vtysh commands in configuration mode.
func (f *FRR) Configure(ctx context.Context, lines ...string) error {
	_, err := f.Vtysh(ctx, append([]string{"configure terminal"}, lines...)...)
	return err
}

// File has a vtysh of its own read a file of configuration.
func (f *FRR) File(ctx context.Context, path string) error {
	out, err := f.Run(ctx, "vtysh", "--vty_socket", f.dir, "--config_dir", f.dir, "-f", path)
	if err == nil && strings.Contains(out, "% ") {
		err = errors.New("vtysh: " + strings.TrimSpace(out))
	}
	return err
}

// AwaitPeer waits until the session with one address of a chassis is up.
func (f *FRR) AwaitPeer(ctx context.Context, peer netip.Addr) error {
	return f.awaitPeer(ctx, peer.String())
}

// AwaitNeighbour waits until the session with whoever is at the other end of a link is up.
func (f *FRR) AwaitNeighbour(ctx context.Context, link string) error { return f.awaitPeer(ctx, link) }

func (f *FRR) awaitPeer(ctx context.Context, peer string) error {
	return harness.Await(ctx, fmt.Sprintf("BGP session with %s", peer), func(ctx context.Context) (bool, error) {
		peers, err := f.Peers(ctx)
		if err != nil {
			return false, err
		}
		if state := peers[peer]; state != "Established" {
			return false, fmt.Errorf("its state is %q", state)
		}
		return true, nil
	})
}
