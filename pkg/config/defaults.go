package config

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/fabric"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Defaults are the settings of a node without any configuration.
func Defaults() Settings {
	s, _ := Read("", nil) // nothing in it can be wrong
	return s
}

// database are the files of the predecessor for ssl: remotes, so that its
// certificates go on being used.
func database() Database {
	return Database{
		Key:         "/etc/pki/tls/private/ovn_bgp_agent.key",
		Certificate: "/etc/pki/tls/certs/ovn_bgp_agent.crt",
		CA:          "/etc/ipa/ca.crt",
	}
}

// defaults are the values before anything is read.
func defaults(list drivers.List) Settings {
	s := Settings{
		Drivers:   []string{bgp.Name},
		StateFile: "/var/lib/bgp-ovn/state.db", Socket: "/run/bgp-ovn/control.sock", ReadSocket: "/run/bgp-ovn/read.sock",
		Log:           Log{Level: slog.LevelInfo},
		AuditInterval: 300 * time.Second, StartupGrace: 20 * time.Second,
		OpenVSwitch: OpenVSwitch{Endpoint: "unix:/var/run/openvswitch/db.sock", Timeout: 180 * time.Second},
		Southbound:  database(), Northbound: database(), ProbeInterval: 60 * time.Second,
		SizeLimit: 256,
		BGP: BGP{
			AS: 64999, ListenPort: 179, RestartTime: 120 * time.Second, DeferralTime: 10 * time.Second,
			Damping:      damping.Config{Reuse: 750, HalfLife: 15 * time.Minute, Longest: time.Hour}, // those of RIPE-580
			WithdrawHold: 10 * time.Second, Verify: Verify{Hold: defaultVerifyHold},
		},
		Learn: Learn{Accept: []observe.PrefixRange{
			{Prefix: netip.PrefixFrom(netip.IPv4Unspecified(), 0)},
			{Prefix: netip.PrefixFrom(netip.IPv6Unspecified(), 0)},
		}},
		// The metric lies above those of DHCP, router advertisements and static routes, so
		// that a learned default route never takes over from them: it serves nodes that
		// have no other.
		Fabric: fabric.Config{Metric: 4098, Max: 100},
		Routing: Routing{
			TableRange: TableRange{200, 252}, RulePriority: 32000, RouteProtocol: 98, RuleProtocol: 98,
			TableFiles: []string{"/etc/iproute2/rt_tables", "/usr/share/iproute2/rt_tables"},
		},
		Flows:         Flows{Manage: true, Cookie: 0x3e7},
		ManageSysctls: true,
		Fuse:          Fuse{Share: 0.5, Least: 3, Hold: 30 * time.Second},
		UnboundHold:   10 * time.Second,
		Kube:          Kube{DrainTime: 30 * time.Second},
		Drain:         Drain{Wait: 10 * time.Second, Prepend: 3},
		History:       History{Steps: 10_000, Age: 720 * time.Hour},
		Shared:        drivers.DefaultShared(),
		list:          list,
	}
	for _, spec := range list {
		s.options = append(s.options, spec.Options())
	}
	return s
}
