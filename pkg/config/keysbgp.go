package config

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/damping"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// bgpKeys are those of our speaker and its neighbours. What is announced, and with
// which attributes, is declared with the settings that drivers share.
func bgpKeys(b *BGP) []key.Key {
	return slices.Concat(speakerKeys(b), withdrawKeys(b), dampingKeys(&b.Damping), verifyKeys(&b.Verify))
}

func withdrawKeys(b *BGP) []key.Key {
	return []key.Key{
		key.Bool(&b.WithdrawUnreachable, "bgp.withdraw_unreachable",
			"withdraw an address that this node provably cannot forward packets for, and announce it again once it can",
		).Reloads(),
		key.Duration(&b.WithdrawHold, "bgp.withdraw_hold",
			"for how long checks must have found an address unreachable before it is withdrawn").Reloads(),
	}
}

func dampingKeys(d *damping.Config) []key.Key {
	return []key.Key{
		key.Number(&d.Suppress, "bgp.damping.suppress",
			"penalty at which an address that comes and goes is set aside: each withdrawal adds 1000; 0 sets none aside "+
				"(RIPE-580 and RFC 7196: 6000)",
			key.Range[int]{Low: 2000, High: 1_000_000, Also: []int{0}, Use: "use 2000 or more, or 0"}).Reloads(),
		key.Number(&d.Reuse, "bgp.damping.reuse", "penalty at which it is announced again",
			key.Range[int]{Low: 100, High: 1_000_000, Use: "use 100 or more"}).Reloads(),
		key.Duration(&d.HalfLife, "bgp.damping.half_life", "how long a penalty takes to become half of it").Reloads(),
		key.Duration(&d.Longest, "bgp.damping.max_suppress",
			"how long after its last withdrawal an address is set aside at most").Reloads(),
	}
}

// checkDamping wants figures with which something can be set aside and comes back.
func checkDamping(d damping.Config, r *key.Reading) {
	switch {
	case !d.On():
	case d.HalfLife < time.Second:
		r.Report("bgp.damping.half_life", "it is shorter than a second", "use 1s or more; RIPE-580: 15m")
	case d.Reuse >= d.Suppress:
		r.Report("bgp.damping.reuse", "it is not below bgp.damping.suppress", "use less; RIPE-580: 750 and 6000")
	case d.Ceiling() < float64(d.Suppress):
		r.Report("bgp.damping.max_suppress", fmt.Sprintf(
			"within it a penalty of %d does not fall to bgp.damping.reuse: nothing would ever be set aside", d.Suppress),
			"use a longer time, a shorter bgp.damping.half_life, or less for bgp.damping.suppress")
	}
}

func speakerKeys(b *BGP) []key.Key {
	return []key.Key{
		key.Parsed(&b.AS, "bgp.as", "int", "our autonomous system number", ParseAS, printUint32),
		addrKey(&b.RouterID, "bgp.router_id",
			"our BGP identifier (default: the first IPv4 ovn-encap-ip)", checkRouterID),
		key.Text(&b.Speaker, "bgp.speaker",
			"socket of the process that holds the sessions, unix:/run/bgp-ovn/speaker.sock for bgp-ovn speaker "+
				"(default: this process does)", checkSocket),
		addrKey(&b.Listen, "bgp.listen.address", "address to listen on (default: all)", checkListenAddress),
		key.Number(&b.ListenPort, "bgp.listen.port", "port to listen on; -1 does not listen",
			key.Range[int32]{Low: 1, High: 65535, Also: []int32{-1}, Use: "use 1 to 65535, or -1 not to listen"}),
		key.Seconds(&b.RestartTime, "bgp.graceful_restart.restart_time",
			"seconds that peers keep our routes while we restart; 0 turns it off",
			key.Range[int64]{High: 4095, Use: "use 0 to 4095 seconds (RFC 4724)"}).Reloads(),
		key.Seconds(&b.DeferralTime, "bgp.graceful_restart.deferral_time",
			"seconds that we wait for the peers' End-of-RIB after a restart",
			key.Range[int64]{High: 65535, Use: "use 0 to 65535 seconds"}),
		key.Seconds(&b.PrefixLimitRestart, "bgp.prefix_limit_restart",
			"seconds after which a peer may connect again that has exceeded its prefix limit; 0 is never, "+
				"until its configuration changes",
			key.Range[int64]{Also: []int64{0}, Low: 10, High: key.MaxSeconds, Use: "use 10 or more seconds, or 0"}).Reloads(),
		key.Elements(&b.BMP, "bgp.bmp", "station",
			"a monitoring station (BMP, RFC 7854) as address=...[,port=...][,policy=...][,statistics=s]; may be repeated",
			newStation, stationKeys, nil).Reloads(),
		key.Elements(&b.Peers, "bgp.peers", "peer",
			"a neighbour as address=...,as=... or interface=...,as=...[,port=...][,families=a+b][,password=...]"+
				"[,ttl_security][,multihop=n][,hold_time=s][,passive] and so on; may be repeated",
			newPeer, peerKeys, finishPeer).Reloads(),
	}
}

const (
	defaultPeerPort = 179
	defaultHoldTime = 90
	// defaultPrefixLimit is for each family of a peer: a million prefixes of the Internet
	// take 0.8 GB, and a node needs a default route or the tenants' prefixes.
	defaultPrefixLimit = 10_000
)

func unicast() object.Words {
	return object.WordsOf(object.IPv4Unicast.String(), object.IPv6Unicast.String())
}

// newPeer is a neighbour of which nothing is configured yet.
func newPeer() object.Peer {
	return object.Peer{
		Port: defaultPeerPort, HoldTime: defaultHoldTime, Families: unicast(), ConnectRetry: object.DefaultConnectRetry,
		PrefixLimit: defaultPrefixLimit,
		BFD:         object.BFD{Interval: object.DefaultBFDInterval, Multiplier: object.DefaultBFDMultiplier},
	}
}

// finishPeer puts a neighbour into its one form: zeros and empty lists stand for
// the defaults, but for ConnectRetry and BFD, of which the default is 0.
func finishPeer(p *object.Peer) {
	if p.Port == 0 {
		p.Port = defaultPeerPort
	}
	if p.HoldTime == 0 {
		p.HoldTime = defaultHoldTime
	}
	if len(p.Families.List()) == 0 {
		p.Families = unicast()
	}
	if p.ConnectRetry == object.DefaultConnectRetry {
		p.ConnectRetry = 0
	}
	if p.BFD.On && p.Multihop != 0 {
		p.BFD.Multihop = true
	}
	p.BFD = p.BFD.Canonical()
}

// peerKeys are those of one element of bgp.peers.
func peerKeys(p *object.Peer) []key.Key {
	seconds := func(low uint16, use string) key.Range[uint16] {
		return key.Range[uint16]{Low: low, High: 65535, Also: []uint16{0}, Use: use}
	}
	families := key.Listed(&p.Families, "families",
		"any of ipv4-unicast, ipv6-unicast, l2vpn-evpn; the first peer with l2vpn-evpn takes a restart", parseFamily,
		func(list []string) object.Words { return object.WordsOf(list...) }, object.Words.List)
	return []key.Key{
		key.Parsed(&p.Address, "address", "string", "the neighbour's IP address", parseNeighbour, printNeighbour).Sharing(),
		key.Parsed(&p.Address, "interface", "string",
			"instead of an address: the device whose other end is the neighbour, or a pattern such as bond*; its link-local "+
				"address is learned from router advertisements", parseInterfaces, printInterfaces).Sharing(),
		key.Parsed(&p.AS, "as", "string", "its autonomous system number; external for any but ours, internal for ours",
			parsePeerAS, printPeerAS).Needed("set the neighbour's autonomous system number, or external"),
		key.Number(&p.Port, "port", "its TCP port", key.Range[uint16]{High: 65535, Use: "use 1 to 65535"}),
		families.Or("the unicast ones").Offering(familyNames()...),
		key.Text(&p.Password, "password", "TCP MD5 key (RFC 2385), up to 80 bytes; never printed", checkPassword).Hide(),
		key.Parsed(&p.Password, "password_file", "string",
			"file that holds the password and nothing else, which not everybody may read; read at the start and by reload",
			readPassword, func(string) string { return "" }).Hide(),
		key.Bool(&p.TTLSecurity, "ttl_security", "GTSM (RFC 5082); excludes multihop"),
		key.Number(&p.Multihop, "multihop", "TTL of a session over several hops",
			key.Range[uint8]{High: 255, Use: "use 1 to 255"}),
		key.Number(&p.HoldTime, "hold_time", "seconds, 3 to 65535", seconds(3, "use 3 to 65535 seconds (RFC 4271)")),
		key.Bool(&p.Passive, "passive", "wait for the neighbour to connect"),
		addrKey(&p.LocalAddress, "local_address", "our end of the session; not for link-local neighbours", checkLocal).
			Or("the kernel's choice"),
		key.Number(&p.AllowOwnAS, "allow_own_as", "how often our own AS may stand in a path that is taken",
			key.Range[uint8]{High: 255}),
		key.Number(&p.LLGRTime, "llgr_time",
			"seconds that the neighbour keeps our routes as a last resort once the restart time is over "+
				"(long-lived graceful restart, RFC 9494); 0 turns it off",
			key.Range[uint32]{High: 1<<24 - 1, Use: "use 0 to 16777215 seconds (RFC 9494)"}),
		key.Bool(&p.AddPathReceive, "add_path_receive", "take several paths a prefix (RFC 7911)"),
		key.Number(&p.PrefixLimit, "prefix_limit",
			"end the session when the neighbour announces more prefixes of one family, beside those that it sends back to us; "+
				"0 for no limit",
			key.Range[uint32]{High: 1<<32 - 1, Use: "use 1 to 4294967295, or 0 for none"}),
		key.Number(&p.ConnectRetry, "connect_retry", "seconds between attempts to connect, at least 2",
			seconds(2, "use 2 to 65535 seconds")),
		key.Bool(&p.BFD.On, "bfd", "watch the way to the neighbour by BFD (RFC 5880), and end the session where it is lost"),
		key.Number(&p.BFD.Interval, "bfd_interval", "milliseconds between packets of BFD, in both directions",
			key.Range[uint16]{Low: 10, High: 60000, Use: "use 10 to 60000 milliseconds"}),
		key.Number(&p.BFD.Multiplier, "bfd_multiplier", "how many packets of BFD may be missing",
			key.Range[uint8]{Low: 1, High: 255, Use: "use 1 to 255"}),
		key.Bool(&p.BFD.Multihop, "bfd_multihop",
			"BFD for a neighbour that is not on the link (RFC 5883); implied by multihop"),
	}
}

// asInternal stands for our own AS number until that has been read. No AS has it (RFC 7300).
const asInternal = 1<<32 - 1

func parsePeerAS(text string) (uint32, error) {
	switch strings.TrimSpace(text) {
	case "external":
		return 0, nil
	case "internal":
		return asInternal, nil
	}
	return ParseAS(text)
}

func printPeerAS(n uint32) string {
	switch n {
	case 0:
		return "external"
	case asInternal:
		return "internal"
	}
	return printUint32(n)
}

// printNeighbour leaves out what printInterfaces prints, and the other way round: they share
// a field.
func printNeighbour(address string) string {
	if strings.HasPrefix(address, "%") {
		return ""
	}
	return address
}

func printInterfaces(address string) string {
	if name, ok := (object.Peer{Address: address}).Interfaces(); ok {
		return name
	}
	return ""
}

// parseInterfaces takes the name of a device or a pattern of names.
func parseInterfaces(text string) (string, error) {
	if _, err := path.Match(text, ""); err != nil || text == "" || strings.ContainsAny(text, "/% \t") {
		return "", key.Wrong("write the name of a device such as eth0, or a pattern such as bond*",
			"%s is no name of a device", key.Quote(text))
	}
	return object.Unnumbered(text), nil
}

func familyNames() []string {
	return []string{object.IPv4Unicast.String(), object.IPv6Unicast.String(), object.L2VPNEVPN.String()}
}

func parseFamily(text string) (string, error) {
	f, err := object.ParseFamily(text)
	if err != nil {
		return "", key.Wrong("use "+key.OneOf(familyNames()), "unknown address family %s", key.Quote(text))
	}
	return f.String(), nil
}

// parseNeighbour puts the address of a neighbour into its one spelling, so that
// 2001:DB8::1 and 2001:db8:0::1 are one neighbour. What no session can have is
// refused: an unspecified or multicast address, a link-local one without its
// device.
func parseNeighbour(text string) (string, error) {
	a, err := parseAddr(text)
	switch {
	case err != nil:
		return "", key.Wrong("write the neighbour's address", "%s is not an IP address", key.Quote(text))
	case a.Is4In6():
		return "", key.Wrong("write "+a.Unmap().WithZone("").String(), "%s is an IPv4 address in the form of IPv6", a)
	case a.IsUnspecified(), a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "", key.Wrong("write the neighbour's own address", "%s is no address of a single node", a)
	case a.IsLinkLocalUnicast() && a.Is6() && a.Zone() == "":
		return "", key.Wrong("add the device: "+a.String()+"%DEVICE", "%s is link-local", a)
	default:
		return a.String(), nil
	}
}
