package speaker

import (
	"net/netip"
	"strings"

	api "github.com/osrg/gobgp/v3/api"
)

// A GoBGP outside this process may hold paths and peers of others. Ours carry
// marks that no neighbour ever sees, so that a controller with an empty memory
// recognises them.
const (
	// PathMark is the identifier of our paths. To GoBGP it is part of a local
	// path's identity: what we announce never replaces, and what we withdraw
	// never removes, a path of somebody else for the same prefix. It is "bgpo".
	PathMark uint32 = 0x6267706f
	// peerMark begins the description of our peers.
	peerMark = "bgp-ovn"
	// localAddressMark follows it with the address that a peer is to be
	// reached from. While a session is up GoBGP gives back the address in use
	// and does not say whether it was asked for.
	localAddressMark = " local-address "
)

func IsOurPath(p *api.Path) bool { return p.GetIdentifier() == PathMark }

func IsOurPeer(p *api.Peer) bool {
	text, ok := strings.CutPrefix(p.GetConf().GetDescription(), peerMark)
	return ok && (text == "" || text[0] == ' ')
}

// Description is what our peers carry.
func Description(local netip.Addr) string {
	if !local.IsValid() {
		return peerMark
	}
	return peerMark + localAddressMark + local.String()
}

// LocalAddressOf is the inverse of description.
func LocalAddressOf(p *api.Peer) netip.Addr {
	text, ok := strings.CutPrefix(p.GetConf().GetDescription(), peerMark+localAddressMark)
	if !ok {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(text) // what does not parse is not as wanted
	return addr
}
