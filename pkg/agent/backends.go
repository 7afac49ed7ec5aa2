package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/kernel"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovs"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovsport"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/host"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/rib"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// ledgerKeys are the keys that the ledger has of a kind. The state file has them.
type ledgerKeys interface {
	Keys(object.Kind) []object.Key
}

// mayMakePorts reports whether ports of Open vSwitch may be ours: with the EVPN
// driver, and after it as long as the ledger records one.
func mayMakePorts(s config.Settings, ledger ledgerKeys) bool {
	return s.Flows.Manage && (s.RunsEVPN() || len(ledger.Keys(object.KindOVSPort)) > 0)
}

// localBackends are the kernel and Open vSwitch: flows and, with ports, ports.
// shared is the backend of ports that has a connection already; nil opens one.
func localBackends(
	ctx context.Context, c *closing, s config.Settings, log *slog.Logger, shared *ovsport.Backend, ports bool,
) (*kernel.Backend, []actual.Backend, error) {
	k, err := kernel.New(kernel.Config{Marks: marks(s), Logger: log})
	if err != nil {
		return nil, nil, fmt.Errorf("open netlink: %w", err)
	}
	c.onClose(k.Close)
	backends := []actual.Backend{k}
	if !s.Flows.Manage {
		return k, backends, nil
	}
	cookies := marks(s).Cookies
	if ports && !slices.Contains(cookies, evpn.FlowCookie) {
		cookies = append(cookies, evpn.FlowCookie)
	}
	flows, err := ovs.New(ovs.Config{RunDir: s.OpenVSwitch.RunDir, Cookies: cookies, Logger: log})
	if err != nil {
		return nil, nil, fmt.Errorf("OpenFlow: %w; set flows.manage to false where there is no Open vSwitch", err)
	}
	c.onClose(flows.Close)
	backends = append(backends, flows)
	if !ports {
		return k, backends, nil
	}
	if shared == nil {
		conf := vswitch.Config{Endpoint: s.OpenVSwitch.Endpoint, Timeout: s.OpenVSwitch.Timeout, Logger: log}
		if shared, err = ovsport.Open(ctx, conf); err != nil {
			return nil, nil, fmt.Errorf("ovsdb_connection: %w", err)
		}
	}
	c.onClose(shared.Close)
	return k, append(backends, shared), nil
}

// speakerConfig is who our speaker is, in this process or another one.
func speakerConfig(s config.Settings, log *slog.Logger) bgp.Config {
	conf := bgp.Config{
		Config:   speaker.Config{Socket: s.BGP.Speaker, AS: s.BGP.AS, ListenPort: s.BGP.ListenPort, Logger: log},
		Deferral: s.BGP.DeferralTime,
		OnPeer:   func(bgp.PeerEvent) {},
	}
	if s.BGP.Listen.IsValid() {
		conf.Listen = append(conf.Listen, s.BGP.Listen)
	}
	return conf
}

// newSpeaker starts a speaker, or connects to the one that there is.
func newSpeaker(conf bgp.Config) (*bgp.Backend, error) {
	if conf.Socket != "" {
		remote, err := bgp.Dial(conf)
		if err != nil {
			return nil, fmt.Errorf("bgp.speaker: %w", err)
		}
		return remote, nil
	}
	own, err := bgp.New(conf)
	if err != nil {
		return nil, fmt.Errorf("start the BGP speaker: %w; if the port is taken, stop the other speaker or set "+
			"bgp.listen.port", err)
	}
	return own, nil
}

// openLearned follows what neighbours announce, even if nothing of it is
// accepted, because a reload can change that. Sessions have as long to come up as
// after a graceful restart.
func openLearned(c *closing, s config.Settings, paths *bgp.Backend, log *slog.Logger) (*rib.Source, error) {
	settle := s.BGP.DeferralTime
	if len(s.BGP.Peers) == 0 {
		settle = 0 // there is nobody to wait for
	}
	conf := rib.Config{
		Speaker: rib.TableOf(paths.Conn(), log), Accept: s.Learn.Accept, EVPN: s.FollowsEVPN(), Settle: settle, Logger: log,
	}
	if conf.EVPN {
		routes, err := host.OpenRoutes("", log)
		if err != nil {
			return nil, fmt.Errorf("follow the routes to VTEPs: %w", err)
		}
		c.onClose(routes.Close)
		conf.Resolver = routes
	}
	source, err := rib.Open(conf)
	if err != nil {
		return nil, fmt.Errorf("follow what neighbours announce: %w", err)
	}
	c.onClose(source.Close)
	return source, nil
}

// marks are the numbers that identify what is ours.
func marks(s config.Settings) actual.Marks {
	m := actual.DefaultMarks()
	m.RouteProtocol, m.RuleProtocol = s.Routing.RouteProtocol, s.Routing.RuleProtocol
	m.Cookies, m.TableProtocol = s.Cookies(), s.TableProtocol()
	return m
}

// controllerConfig is what all forms of a node have in common.
func controllerConfig(s config.Settings, obs reconcile.Observer, reader *actual.Reader,
	log *slog.Logger,
) reconcile.Config {
	w := intent(s)
	conf := reconcile.Config{
		Observer: obs, Drivers: w.Drivers, Fixed: w.Fixed, Forbidden: w.Forbidden, Backends: reader,
		Text: w.Text, Journal: reconcile.NoJournal{},
		AuditInterval: w.AuditInterval, Fuse: w.Fuse, UnboundHold: w.UnboundHold, Damping: w.Damping, Log: log,
		Drain: reconcile.DrainConfig{Wait: w.DrainWait, LastResort: w.LastResort}, Reviewed: w.Reviewed,
	}
	conf.Unmanaged = actual.Scope{OpenVSwitch: s.Flows.Manage, Speaker: true}.Unmanaged()
	return conf
}

// intent is the part of a controller that a reload can replace.
func intent(s config.Settings) reconcile.Intent {
	text, _ := s.Text() // what cannot be written cannot be compared either
	return reconcile.Intent{
		Text:    text,
		Drivers: s.NewDrivers(), Fixed: s.PeerItems(), Forbidden: s.Forbidden(), AuditInterval: s.AuditInterval,
		Fuse: reconcile.FuseConfig{Share: s.Fuse.Share, Least: s.Fuse.Least, Hold: s.Fuse.Hold}, UnboundHold: s.UnboundHold,
		Damping: s.BGP.Damping, DrainWait: s.Drain.Wait, LastResort: s.LastResort(), Reviewed: s.Reviewed,
	}
}

// formerIntent is that of the configuration that an earlier process applied last; nil if it
// is the present one, or cannot be understood any more. Of what is on the ground nobody can
// tell then whether the operator or a database took it away, and it is held.
func formerIntent(notes reconcile.Notes, present string, log *slog.Logger) *reconcile.Intent {
	text := notes.Remembered(reconcile.NoteText)
	if text == "" || text == present {
		return nil
	}
	s, problems := config.Read("the former configuration", []byte(text))
	if err := problems.Err(); err != nil {
		log.Warn("what the former configuration wanted is not known: what is not wanted any more is held for fuse.hold",
			"err", err)
		return nil
	}
	w := intent(s)
	return &w
}

// speakerDeadline bounds how long commands wait for an answer of the speaker.
const speakerDeadline = 5 * time.Second
