package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	zebraPath = "/usr/lib/frr/zebra"
	bgpdPath  = "/usr/lib/frr/bgpd"
)

// Tor is the top of rack: FRR's zebra and bgpd. It peers with every chassis
// over IPv4 and over IPv6, carries both families on either session, and helps
// with graceful restart. It announces to the chassis what it learnt (which
// they drop, it is their own AS) and no default route: that is static there.
type Tor struct {
	*Node
	Zebra, BGPD *Daemon

	neighbours []netip.Addr
}

func newTor(l *Lab) (*Tor, error) {
	node, err := newNode(l, "tor")
	if err != nil {
		return nil, err
	}
	t := &Tor{Node: node}
	// Without this zebra changes an IPv6 route by deleting and adding it, a gap
	// that is FRR's own.
	t.Zebra = t.frr("zebra", zebraPath, "--v6-rr-semantics")
	t.BGPD = t.frr("bgpd", bgpdPath)
	return t, nil
}

// own gives the directory to user frr, whom the daemons become: zebra has no
// option against that, and refuses users outside group frrvty.
func (t *Tor) own() error {
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
	if err := os.Chmod(t.lab.Dir, 0o755); err != nil {
		return err
	}
	if err := passable(t.Dir); err != nil {
		return err
	}
	return os.Chown(t.Dir, uid, gid)
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

// frr declares a daemon with all its files in our directory.
func (t *Tor) frr(name, path string, options ...string) *Daemon {
	file := func(suffix string) string { return filepath.Join(t.Dir, name+suffix) }
	args := append([]string{
		path, "-A", "127.0.0.1", "-P", "0", "-z", filepath.Join(t.Dir, "zserv.api"),
		"--vty_socket", t.Dir, "-i", file(".pid"), "-f", file(".conf"), "--log", "file:" + file(".log"),
	}, options...)
	return t.Daemon(name, listening(file(".vty")), args...)
}

func (t *Tor) start(ctx context.Context) error {
	files := map[string]string{"zebra.conf": zebraConfig, "bgpd.conf": t.bgpConfig(), "vtysh.conf": ""}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(t.Dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := t.own(); err != nil {
		return fmt.Errorf("prepare FRR: %w", err)
	}
	if err := t.Zebra.Start(ctx); err != nil {
		return err
	}
	return t.BGPD.Start(ctx)
}

// zebraConfig keeps next hops inside the kernel's routes, so that a watcher of
// routes sees where they lead, and takes away zebra's own delay.
const zebraConfig = `no zebra nexthop kernel enable
zebra work-queue 0
`

func (t *Tor) bgpConfig() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("router bgp %d", TorAS)
	line(" bgp router-id 198.51.100.1")
	line(" no bgp ebgp-requires-policy")
	line(" no bgp default ipv4-unicast")
	line(" no bgp network import-check")
	line(" bgp bestpath as-path multipath-relax")
	for _, n := range t.neighbours {
		line(" neighbor %s remote-as %d", n, ChassisAS)
		line(" neighbor %s timers 3 9", n)
		line(" neighbor %s timers connect 1", n)
		line(" neighbor %s graceful-restart-helper", n)
		if n.Is6() {
			line(" neighbor %s capability extended-nexthop", n)
		}
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		line(" address-family %s unicast", family)
		line("  maximum-paths 16")
		for _, n := range t.neighbours {
			line("  neighbor %s activate", n)
		}
		line(" exit-address-family")
	}
	return b.String()
}

// Vtysh runs commands in one vtysh, each as if typed.
func (t *Tor) Vtysh(ctx context.Context, commands ...string) (string, error) {
	args := []string{"--vty_socket", t.Dir, "--config_dir", t.Dir}
	for _, c := range commands {
		args = append(args, "-c", c)
	}
	out, err := t.Run(ctx, "vtysh", args...)
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
func (t *Tor) Configure(ctx context.Context, lines ...string) error {
	_, err := t.Vtysh(ctx, append([]string{"configure terminal"}, lines...)...)
	return err
}

// AwaitPeer waits until the session with one address of a chassis is up.
func (t *Tor) AwaitPeer(ctx context.Context, peer netip.Addr) error {
	return await(ctx, fmt.Sprintf("BGP session with %s", peer), func(ctx context.Context) (bool, error) {
		peers, err := t.Peers(ctx)
		if err != nil {
			return false, err
		}
		if state := peers[peer]; state != "Established" {
			return false, fmt.Errorf("its state is %q", state)
		}
		return true, nil
	})
}

// setPort cuts or mends the cable to a chassis at this side. IPv6 addresses
// vanish from a link that goes down; they are put back.
func (t *Tor) setPort(c *Chassis, up bool) error {
	if err := t.SetLink(c.Name, up); err != nil || !up {
		return err
	}
	if err := t.addAddrs(c.Name, netip.PrefixFrom(c.TorAddr6, 127)); err != nil {
		return err
	}
	return t.AddRoute(netip.PrefixFrom(c.Loopback, 32), c.Addr4)
}
