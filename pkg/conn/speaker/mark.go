package speaker

import (
	"net/netip"
	"strings"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
)

// A GoBGP outside this process may hold paths and peers of others. Ours carry
// marks that no neighbour ever sees, so that a controller with an empty memory
// recognises them.
const (
	// PathMark is the identifier of our paths. To GoBGP it is part of a local
	// path's identity: what we announce never replaces, and what we withdraw
	// never removes, another owner's path for the same prefix. It is "bgpo".
	PathMark uint32 = 0x6267706f
	// peerMark begins the description of our peers.
	peerMark = "bgp-ovn"
	// localAddressMark follows it with the address that a peer is to be
	// reached from. While a session is up GoBGP gives back the address in use
	// and not whether it was configured.
	localAddressMark = " local-address "
)

// IsOurPath reports whether a path carries our mark.
func IsOurPath(p *apiutil.Path) bool { return p.RemoteID == PathMark }

// IsOurPeer reports whether a peer carries our mark. A description that merely begins
// with the same letters, such as bgp-ovn2, is another owner's.
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

// LocalAddressOf is the inverse of Description; the zero address if it has none.
func LocalAddressOf(p *api.Peer) netip.Addr {
	text, ok := strings.CutPrefix(p.GetConf().GetDescription(), peerMark+localAddressMark)
	if !ok {
		return netip.Addr{}
	}
	addr, _ := netip.ParseAddr(text) // the zero address then differs from the desired one
	return addr
}
