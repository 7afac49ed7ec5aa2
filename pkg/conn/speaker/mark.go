package speaker

import (
	"net/netip"
	"strconv"
	"strings"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
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
	// allowOwnASMark follows with how often our own AS may be in a path; see AnyOwnAS.
	allowOwnASMark = " allow-own-as "
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
func Description(local netip.Addr, allowOwnAS uint8) string {
	text := peerMark
	if local.IsValid() {
		text += localAddressMark + local.String()
	}
	if allowOwnAS != 0 {
		text += allowOwnASMark + strconv.Itoa(int(allowOwnAS))
	}
	return text
}

// marked is the word that follows a mark in the description of a peer of ours.
func marked(p *api.Peer, mark string) string {
	if !IsOurPeer(p) {
		return ""
	}
	_, text, _ := strings.Cut(p.GetConf().GetDescription(), mark)
	word, _, _ := strings.Cut(text, " ")
	return word
}

// LocalAddressOf is the address that Description holds; the zero address if it has none.
func LocalAddressOf(p *api.Peer) netip.Addr {
	addr, _ := netip.ParseAddr(marked(p, localAddressMark)) // the zero address then differs from the desired one
	return addr
}

// PrefixLimitMark keeps the prefix limit of a family of a peer. GoBGP's own limit is
// higher, because it counts what neighbours send back to us. The description would be the
// place for it, but changing that ends the session, and this is a setting of neighbours
// that GoBGP gives back as it is and does not ask for.
func PrefixLimitMark(limit uint32) *api.UseMultiplePaths {
	return &api.UseMultiplePaths{Ebgp: &api.Ebgp{Config: &api.EbgpConfig{MaximumPaths: limit}}}
}

// PrefixLimitOf is the limit that is configured for a family of a peer of ours; that of
// GoBGP where there is no mark, as in peers that earlier releases have made.
func PrefixLimitOf(af *api.AfiSafi) uint32 {
	have := af.GetPrefixLimits().GetMaxPrefixes()
	marked := af.GetUseMultiplePaths().GetEbgp().GetConfig().GetMaximumPaths()
	if marked == 0 || have < marked {
		return have
	}
	if room := have - marked; room&(room-1) != 0 {
		return have // somebody else has changed it: we add powers of two
	}
	return marked
}

// AnyOwnAS is what GoBGP gets of our peers instead of how often our own AS may be in an
// AS_PATH: it drops a path that has it too often, and goes on using the one that it
// replaces (RFC 4271 section 3.1 lets the new one replace it). So all are taken, and Loops
// is asked about each that is learned.
const AnyOwnAS = 255

// AllowOwnASOf is how often our own AS may be in the AS_PATH of a learned path.
func AllowOwnASOf(p *api.Peer) uint8 {
	have := uint8(p.GetConf().GetAllowOwnAsn())
	if !IsOurPeer(p) || have != AnyOwnAS {
		return have
	}
	n, _ := strconv.ParseUint(marked(p, allowOwnASMark), 10, 8) // no word is 0
	return uint8(n)
}

// Loops reports whether the AS number is in the AS_PATH of a path more often than it may
// be (RFC 4271 section 9.1.2): such a path must not be used.
func Loops(p *apiutil.Path, as uint32, allow uint8) bool {
	n := 0
	for _, attr := range p.Attrs {
		path, ok := attr.(*bgp.PathAttributeAsPath)
		if !ok {
			continue
		}
		for _, segment := range path.Value {
			for _, have := range segment.GetAS() {
				if have == as {
					n++
				}
			}
		}
	}
	return n > int(allow)
}
