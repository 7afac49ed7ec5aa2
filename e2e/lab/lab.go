// Package lab builds a small OpenStack-shaped data centre on one machine, in
// network namespaces, out of the real programs: OVN, Open vSwitch with the
// userspace datapath, and FRR as the top of rack.
//
//	      host ---- tor (FRR, AS 65000)
//	                 |   |   |            fabric: 192.0.2.x/31, 2001:db8:ff::/127 pairs
//	                hv1 hv2 hv3           br-ex in each, without an uplink
//	                 |   |   |  \
//	central (OVN) ---+---+---+   VMs      mgmt: 172.31.0.0/24, underlay (geneve): 172.31.1.0/24
//
// A lab holds no bgp-ovn: tests start that themselves with [Node.Command]. It
// writes what Neutron would write (see [Neutron]) and leaves alone everything
// that the product is to do: addresses, rules and flows of br-ex.
//
// With [Options.Spine] there are two tops of rack, and the host is behind a spine
// that shares its load between them.
//
// Read [Start] next, then [Chassis] and [Tor].
package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// Autonomous systems of the fabric. The chassis share one, as a rack does.
const (
	TorAS     = 65000
	ChassisAS = 64999
)

// ChassisSpec says how one chassis differs from the others.
type ChassisSpec struct {
	// Gateway lets routers' gateway ports live here.
	Gateway bool
	// Bridges maps physical networks to bridges, in order, in the notation of
	// ovn-bridge-mappings. Empty means "physnet1:br-ex".
	Bridges string
}

// Options shape a lab. The zero value is three chassis, two of them gateways.
type Options struct {
	Dir     string        // parent of the lab's own directory, open to user frr; os.TempDir() if empty
	KeepDir bool          // leave logs and databases behind after Close
	Log     io.Writer     // one line per step; nil for silence
	Chassis []ChassisSpec // at most 100
	// Spine puts a second top of rack beside the first, and a spine above both
	// that shares its load between them. The host is behind the spine. Default
	// routes come from there by BGP, and nobody has static ones.
	Spine bool
	// Unnumbered, with a spine, has no addresses on the cables to the tops of rack: they are
	// ports of bridges (see [PeerBridge]), as Neutron's ovn-bgp service has it, and the tops of
	// rack have sessions between link-local addresses, with BFD.
	Unnumbered bool
	// OVN is the directory of another release of OVN, with its programs in bin: what
	// scripts/install-ovn25 makes. It goes in front of $PATH, for the whole process.
	OVN string
}

// Lab is a running lab.
type Lab struct {
	ID      string // prefix of its namespaces, "bo" and four hex digits
	Dir     string // sockets, databases, logs
	Central *Central
	Chassis []*Chassis
	Tor     *Tor
	Tor2    *Tor // nil without a spine
	Spine   *FRR // nil unless asked for
	Host    *Host
	Neutron *Neutron

	opts    Options
	began   time.Time
	claim   *claim
	starter *harness.Starter
	daemons registry
	nodes   []*Node // guarded by daemons.mu
}

// Start builds a lab and returns it once the chassis are registered in the
// Southbound database and FRR runs. When it fails nothing stays behind, except
// the directory if Options.KeepDir is set. It first sweeps dead labs.
func Start(ctx context.Context, o Options) (*Lab, error) {
	if len(o.Chassis) == 0 {
		o.Chassis = []ChassisSpec{{Gateway: true}, {Gateway: true}, {}}
	}
	if o.OVN != "" {
		if err := os.Setenv("PATH", filepath.Join(o.OVN, "bin")+":"+os.Getenv("PATH")); err != nil {
			return nil, err
		}
	}
	if err := checkHost(); err != nil {
		return nil, err
	}
	if err := Sweep(); err != nil {
		return nil, fmt.Errorf("sweep dead labs: %w", err)
	}
	ctx, cancel := harness.WithPatience(ctx)
	defer cancel()
	l := &Lab{opts: o, began: time.Now()}
	if err := l.build(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start lab: %w", err), l.Close())
	}
	l.logf("lab %s is up", l.ID)
	return l, nil
}

func (l *Lab) build(ctx context.Context) error {
	dir, err := os.MkdirTemp(l.opts.Dir, "bgp-ovn-lab-")
	if err != nil {
		return err
	}
	l.Dir = dir
	if l.claim, err = newClaim(dir); err != nil {
		return errors.Join(err, os.Remove(dir))
	}
	l.ID = l.claim.id
	l.starter = harness.NewStarter()
	l.logf("lab %s in %s", l.ID, l.Dir)
	if err := l.wire(); err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	if err := l.startDaemons(ctx); err != nil {
		return err
	}
	l.Neutron = &Neutron{nb: l.Central}
	return l.Neutron.initialise(ctx)
}

// wire makes all namespaces and the links between them.
func (l *Lab) wire() error {
	var err error
	if l.Central, err = newCentral(l); err != nil {
		return err
	}
	if l.Tor, err = newTor(l, "tor", "198.51.100.1"); err != nil {
		return err
	}
	if l.opts.Spine {
		if err := l.newSpine(); err != nil {
			return err
		}
	}
	if l.Host, err = newHost(l); err != nil {
		return err
	}
	for i, spec := range l.opts.Chassis {
		c, err := newChassis(l, i+1, spec)
		if err != nil {
			return err
		}
		l.Chassis = append(l.Chassis, c)
	}
	return nil
}

// startDaemons brings everything up at once: only ovn-controller needs the
// Southbound database, and it waits for it by itself.
func (l *Lab) startDaemons(ctx context.Context) error {
	starts := []func(context.Context) error{l.Central.start, l.startFabric}
	for _, c := range l.Chassis {
		starts = append(starts, c.start)
	}
	if err := together(ctx, starts); err != nil {
		return err
	}
	l.logf("daemons run")
	return l.Central.awaitChassis(ctx, len(l.Chassis))
}

// Close ends every process of the lab, those in its namespaces included, and
// removes the namespaces and the directory. It may be called twice.
func (l *Lab) Close() error {
	if l.claim == nil {
		return nil
	}
	l.closeDaemons()
	if l.starter != nil {
		l.starter.Close()
	}
	errs := []error{harness.RemoveNamespaces(l.ID + "-"), l.closeNodes()}
	if !l.opts.KeepDir {
		errs = append(errs, os.RemoveAll(l.Dir))
	}
	errs = append(errs, l.claim.release())
	l.claim = nil
	return errors.Join(errs...)
}

func (l *Lab) logf(format string, args ...any) {
	if l.opts.Log == nil {
		return
	}
	fmt.Fprintf(l.opts.Log, "lab %5.1fs  %s\n", time.Since(l.began).Seconds(), fmt.Sprintf(format, args...))
}

// subdir makes a directory inside the lab's.
func (l *Lab) subdir(name string) (string, error) {
	dir := filepath.Join(l.Dir, name)
	return dir, os.MkdirAll(dir, 0o755)
}
