package bgp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

const (
	// minConnectRetry leaves room for the first SYN to be lost: one attempt may
	// take a second less than ConnectRetryTime.
	minConnectRetry = 2
	// idleHoldAfterReset is the pause in seconds after an operator's reset.
	idleHoldAfterReset = 1
	// maxPassword is TCP_MD5SIG_MAXKEYLEN; GoBGP cuts off what is longer.
	maxPassword = 80
	// maxRestartTime fits the 12 bits of RFC 4724 section 3.
	maxRestartTime = 4095
	// maxLLGRTime fits the 24 bits of RFC 9494 section 3.
	maxLLGRTime = 1<<24 - 1
)

// peerToAPI is the neighbour as GoBGP takes it. restarting sets the Restart
// State bit (RFC 4724 section 3): the neighbour shall keep what it has of us.
func (b *Backend) peerToAPI(p object.Peer, restarting bool) (*api.Peer, error) {
	addr, err := validatePeer(p)
	if err != nil {
		return nil, err
	}
	return &api.Peer{
		Conf: &api.PeerConf{
			NeighborAddress: p.Address,
			PeerAsn:         p.AS,
			AuthPassword:    p.Password,
			AllowOwnAsn:     speaker.AnyOwnAS,
			Description:     speaker.Description(p.LocalAddress, p.AllowOwnAS),
		},
		Timers: &api.Timers{Config: &api.TimersConfig{
			ConnectRetry:           uint64(connectRetry(p)),
			HoldTime:               uint64(p.HoldTime),
			KeepaliveInterval:      uint64(p.HoldTime / 3),
			IdleHoldTimeAfterReset: idleHoldAfterReset,
		}},
		Transport: &api.Transport{
			RemotePort:   uint32(p.Port),
			PassiveMode:  p.Passive,
			LocalAddress: localAddress(addr, p.LocalAddress),
		},
		EbgpMultihop:    &api.EbgpMultihop{Enabled: p.Multihop != 0, MultihopTtl: uint32(p.Multihop)},
		TtlSecurity:     ttlSecurity(p.TTLSecurity),
		GracefulRestart: gracefulRestart(p, b.deferral, restarting),
		Bfd:             speaker.BFDMark(p.BFD),
		AfiSafis:        afiSafis(p, b.room.of),
	}, nil
}

// peerFromAPI is the inverse of peerToAPI.
func peerFromAPI(p *api.Peer) object.Peer {
	conf, transport, graceful := p.GetConf(), p.GetTransport(), p.GetGracefulRestart()
	peer := object.Peer{
		Address:     conf.GetNeighborAddress(),
		AS:          conf.GetPeerAsn(),
		Password:    conf.GetAuthPassword(),
		Port:        uint16(transport.GetRemotePort()),
		Passive:     transport.GetPassiveMode(),
		HoldTime:    uint16(p.GetTimers().GetConfig().GetHoldTime()),
		TTLSecurity: p.GetTtlSecurity().GetEnabled(),
		AllowOwnAS:  speaker.AllowOwnASOf(p),
	}
	peer.LocalAddress = speaker.LocalAddressOf(p)
	peer.BFD = speaker.WantedBFD(p)
	if retry := uint16(p.GetTimers().GetConfig().GetConnectRetry()); retry != object.DefaultConnectRetry {
		peer.ConnectRetry = retry
	}
	if hops := p.GetEbgpMultihop(); hops.GetEnabled() {
		peer.Multihop = uint8(hops.GetMultihopTtl())
	}
	if graceful.GetEnabled() {
		peer.RestartTime = uint16(graceful.GetRestartTime())
	}
	var names []string
	for _, af := range p.GetAfiSafis() {
		family, ok := speaker.FamilyFromAPI(af.GetConfig().GetFamily())
		if !ok {
			continue
		}
		names = append(names, family.String())
		// What we set is the same for all families.
		peer.PrefixLimit = speaker.PrefixLimitOf(af)
		peer.AddPathReceive = af.GetAddPaths().GetConfig().GetReceive()
		if llgr := af.GetLongLivedGracefulRestart().GetConfig(); llgr.GetEnabled() && graceful.GetLonglivedEnabled() {
			peer.LLGRTime = llgr.GetRestartTime()
		}
	}
	peer.Families = object.WordsOf(names...)
	return peer
}

// validatePeer refuses what GoBGP would refuse, change silently or keep
// without effect.
func validatePeer(p object.Peer) (netip.Addr, error) {
	addr, err := peerAddress(p.Address)
	if err != nil {
		return addr, err
	}
	switch {
	case p.Families.Empty():
		err = errors.New("no address family")
	case p.HoldTime < 3:
		err = fmt.Errorf("hold time %d is under 3 s (RFC 4271 section 4.2)", p.HoldTime)
	case p.TTLSecurity && p.Multihop != 0:
		err = errors.New("TTL security and multihop exclude each other (RFC 5082)")
	case p.RestartTime > maxRestartTime:
		err = fmt.Errorf("restart time %d is over %d s (RFC 4724 section 3)", p.RestartTime, maxRestartTime)
	case p.LLGRTime > maxLLGRTime:
		err = fmt.Errorf("long-lived restart time %d is over %d s (RFC 9494 section 3)", p.LLGRTime, maxLLGRTime)
	case p.LLGRTime != 0 && p.RestartTime == 0:
		err = errors.New("long-lived graceful restart needs graceful restart (RFC 9494 section 4.1)")
	case p.BFD != p.BFD.Canonical():
		err = fmt.Errorf("bfd %s: leave the defaults out", p.BFD)
	case p.ConnectRetry == object.DefaultConnectRetry:
		err = fmt.Errorf("connect retry %d: leave it out", p.ConnectRetry)
	case p.ConnectRetry != 0 && p.ConnectRetry < minConnectRetry:
		err = fmt.Errorf("connect retry %d is under %d s", p.ConnectRetry, minConnectRetry)
	case len(p.Password) > maxPassword:
		err = fmt.Errorf("password is over %d bytes", maxPassword)
	case p.Password != "" && addr.Zone() != "":
		err = errors.New("GoBGP cannot protect a session with a link-local address by a password")
	}
	err = errors.Join(err, validateLocal(p.LocalAddress, addr))
	for _, name := range p.Families.List() {
		if _, bad := object.ParseFamily(name); bad != nil {
			err = errors.Join(err, bad)
		}
	}
	return addr, err
}

// peerAddress parses the address. It must be spelt as the kernel spells it,
// because GoBGP finds the peer of an incoming connection by that text.
func peerAddress(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return addr, fmt.Errorf("peer address %q is not an IP address", text)
	case addr.Is4In6() || addr.String() != text:
		return addr, fmt.Errorf("peer address %q: write it as %s", text, addr.Unmap())
	case addr.IsUnspecified() || addr.IsMulticast():
		return addr, fmt.Errorf("peer address %s is not a unicast address of a host", addr)
	case addr.Is6() && addr.IsLinkLocalUnicast() && addr.Zone() == "":
		return addr, fmt.Errorf("peer address %s needs its interface: %s%%eth0", addr, addr)
	case addr.Zone() == "":
		return addr, nil
	}
	if _, err := net.InterfaceByName(addr.Zone()); err != nil {
		return addr, fmt.Errorf("peer address %s: %w: %w", addr, actual.ErrGone, err)
	}
	return addr, nil
}

// validateLocal checks our end of the session.
func validateLocal(local, neighbour netip.Addr) error {
	switch {
	case !local.IsValid():
		return nil
	case neighbour.Zone() != "":
		return fmt.Errorf("local address %s: towards a link-local neighbour it is the interface's", local)
	case local.Is4In6() || local.Zone() != "" || local.IsUnspecified() || local.IsMulticast():
		return fmt.Errorf("local address %s cannot be used", local)
	case local.Is4() != neighbour.Is4():
		return fmt.Errorf("local address %s cannot reach %s", local, neighbour)
	}
	return nil
}

// localAddress leaves the choice to the kernel unless it is made. For a
// link-local neighbour it has to be set: GoBGP would fill in our address with
// its zone, fail to parse that as the next hop and announce "::".
func localAddress(neighbour, local netip.Addr) string {
	switch {
	case local.IsValid():
		return local.String()
	case neighbour.Zone() == "":
		return ""
	}
	return netip.IPv6Unspecified().String()
}

// connectRetry is in seconds. In an object.Peer 0 means the default, so that a peer
// without a setting and one with the default compare equal.
func connectRetry(p object.Peer) uint16 {
	if p.ConnectRetry == 0 {
		return object.DefaultConnectRetry
	}
	return p.ConnectRetry
}

// ttlSecurity is GTSM for a neighbour on the same link: nothing that a router has
// forwarded arrives with a TTL of 255 (RFC 5082 section 3).
func ttlSecurity(on bool) *api.TtlSecurity {
	if !on {
		return &api.TtlSecurity{}
	}
	return &api.TtlSecurity{Enabled: true, TtlMin: 255}
}

// gracefulRestart is off where the peer has no restart time. GoBGP takes the deferral in
// whole seconds.
func gracefulRestart(p object.Peer, deferral time.Duration, restarting bool) *api.GracefulRestart {
	if p.RestartTime == 0 {
		return &api.GracefulRestart{}
	}
	return &api.GracefulRestart{
		Enabled:          true,
		RestartTime:      uint32(p.RestartTime),
		DeferralTime:     uint32(deferral / time.Second),
		LocalRestarting:  restarting,
		LonglivedEnabled: p.LLGRTime != 0,
	}
}

// afiSafis lists the families in a fixed order. Graceful restart is set
// again for each: the neighbour keeps the routes of those alone. room is what the prefix
// limit of a family allows besides the configured one.
func afiSafis(p object.Peer, room map[object.Family]uint32) []*api.AfiSafi {
	var out []*api.AfiSafi
	for _, f := range familiesOf(p) {
		family := speaker.FamilyToAPI(f)
		out = append(out, &api.AfiSafi{
			Config:            &api.AfiSafiConfig{Family: family, Enabled: true},
			MpGracefulRestart: &api.MpGracefulRestart{Config: &api.MpGracefulRestartConfig{Enabled: p.RestartTime != 0}},
			LongLivedGracefulRestart: &api.LongLivedGracefulRestart{
				Config: &api.LongLivedGracefulRestartConfig{Enabled: p.LLGRTime != 0, RestartTime: p.LLGRTime},
			},
			AddPaths:         &api.AddPaths{Config: &api.AddPathsConfig{Receive: p.AddPathReceive}},
			PrefixLimits:     &api.PrefixLimit{Family: family, MaxPrefixes: limitWith(p.PrefixLimit, room[f])},
			UseMultiplePaths: speaker.PrefixLimitMark(p.PrefixLimit),
		})
	}
	return out
}

// familiesOf leaves out names that do not parse: validatePeer has refused them.
func familiesOf(p object.Peer) []object.Family {
	var out []object.Family
	for _, name := range p.Families.List() {
		if f, err := object.ParseFamily(name); err == nil {
			out = append(out, f)
		}
	}
	return out
}
