// Package gather reads the facts that package doctor examines, from the kernel,
// Open vSwitch and /proc of the node it runs on.
//
// It changes nothing: types of network devices are tried in a network
// namespace of its own, which ends with the trial. It refuses to judge: what
// cannot be read becomes an error within the facts.
//
// Read next: [Facts].
package gather

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// Config says where the facts are found.
type Config struct {
	// Node is what the configuration asks of the machine; it becomes part of the
	// facts.
	Node doctor.Node
	// Running says that a controller answers on the control socket, Checked and Unreachable
	// are what it says of the addresses that it announces.
	Running     bool
	Checked     int
	Unreachable []doctor.Unreachable
	// Chassis overrides external_ids:system-id; may be empty.
	Chassis string
	// RunDir holds the management sockets of bridges; empty is the default of Open
	// vSwitch.
	RunDir string
	// ManageFlows says that bridges are asked by ovs-ofctl, as the controller does.
	ManageFlows bool
	// Alias marks devices that are ours.
	Alias string
	// Peers are the addresses of the BGP neighbours, with a zone if link-local.
	Peers []netip.Addr
	// Kubernetes says how the Kubernetes API is asked; nil if no driver does.
	Kubernetes *kube.Config
}

// Facts reads the facts in the network namespace of the calling thread. The
// context bounds how long Open vSwitch and the kernel may take.
func Facts(ctx context.Context, cfg Config) doctor.Facts {
	f := doctor.Facts{
		Node: cfg.Node, Running: cfg.Running, Checked: cfg.Checked, Unreachable: cfg.Unreachable,
	}
	f.Trials, f.TrialErr = deviceTrials(ctx)
	f.Capabilities, f.CapabilitiesErr = capabilities()
	openVSwitch(ctx, cfg, &f)
	network(ctx, cfg, &f)
	f.Kubernetes = kubernetes(ctx, cfg.Kubernetes)
	// After the trial, which may have loaded the module that has net.vrf.
	f.Sysctls = sysctls(f.Routes)
	var tcpErr, udpErr error
	f.TCP, tcpErr = socketOwners("tcp", cfg.Node.ListenPort)
	f.UDP, udpErr = socketOwners("udp", cfg.Node.VXLANPort)
	f.SocketErr = errors.Join(tcpErr, udpErr)
	return f
}

// kubernetes asks the API for what the controller asks it for. It takes a quarter of the time
// at most.
func kubernetes(ctx context.Context, cfg *kube.Config) *doctor.Kubernetes {
	if cfg == nil {
		return nil
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/4)
		defer cancel()
	}
	t := kube.Try(ctx, *cfg)
	out := &doctor.Kubernetes{Server: t.Server, Fault: t.Fault, Node: t.Node, NoNode: t.NoNode}
	if t.Fault != "" {
		out.Remedy = kube.Remedy(t.Fault)
	}
	for _, k := range t.Kinds {
		kind := doctor.KubernetesKind{Name: k.Name, Fault: k.Fault, Unserved: k.Unserved}
		if k.Fault != "" {
			kind.Remedy = kube.Remedy(k.Fault)
		}
		out.Kinds = append(out.Kinds, kind)
	}
	return out
}

// deviceTrials tries the types of devices that drivers use.
func deviceTrials(ctx context.Context) ([]doctor.DeviceTrial, error) {
	trials, err := kernel.TryLinks(ctx)
	if err != nil {
		return nil, err
	}
	var out []doctor.DeviceTrial
	for _, t := range trials {
		out = append(out, doctor.DeviceTrial{Type: t.Type, Err: t.Err, NotTried: errors.Is(t.Err, kernel.ErrNotTried)})
	}
	return out, nil
}

// capabilities returns the effective ones of this process, of those that are
// examined (proc_pid_status(5): CapEff is a hexadecimal mask, a bit each).
func capabilities() ([]string, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, fmt.Errorf("read capabilities: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		value, ok := strings.CutPrefix(line, "CapEff:")
		if !ok {
			continue
		}
		mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		if err != nil {
			return nil, fmt.Errorf("read capabilities: CapEff: %w", err)
		}
		var out []string
		if mask&(1<<unix.CAP_NET_ADMIN) != 0 {
			out = append(out, doctor.CapNetAdmin)
		}
		if mask&(1<<unix.CAP_NET_BIND_SERVICE) != 0 {
			out = append(out, doctor.CapNetBindService)
		}
		return out, nil
	}
	return nil, errors.New("read capabilities: /proc/self/status does not have CapEff")
}

// network reads devices, the routes to the peers and the rules of VRFs.
func network(ctx context.Context, cfg Config, f *doctor.Facts) {
	s, err := host.SurveyNetwork(ctx, cfg.Alias, cfg.Peers)
	if err != nil {
		f.NetworkErr = err
		return
	}
	for _, d := range s.Devices {
		f.Devices = append(f.Devices, doctor.Device{
			Name: d.Name, Type: d.Type, MTU: d.MTU, Ours: d.Ours, Table: d.Table,
			VNI: d.VNI, Port: d.Port, IPv6: d.IPv6, Modes: d.Modes,
		})
	}
	for _, w := range s.Routes {
		f.Routes = append(f.Routes, doctor.PeerRoute{Peer: w.Addr, Dev: w.Dev, MTU: w.MTU})
	}
	f.L3mdev = s.L3mdev
}

// sysctls reads the settings that are examined. What cannot be read is left out,
// like what does not exist: /proc/sys is readable for everybody.
func sysctls(routes []doctor.PeerRoute) map[string]string {
	paths := []string{doctor.SysctlForward4, doctor.SysctlForward6, doctor.SysctlFilter, doctor.SysctlStrict}
	for _, r := range routes {
		if r.Dev != "" {
			paths = append(paths, doctor.SysctlFilterOf(r.Dev))
		}
	}
	out := map[string]string{}
	for _, path := range paths {
		if text, err := os.ReadFile(filepath.Join("/proc/sys", path)); err == nil {
			out[path] = strings.TrimSpace(string(text))
		}
	}
	return out
}
