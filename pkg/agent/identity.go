package agent

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// identity is what tells this node apart from others, as far as it is known without a
// database.
func identity(s config.Settings) state.Identity {
	return state.Identity{
		Chassis: s.Chassis, Machine: fingerprint("/etc/machine-id"), Product: fingerprint("/sys/class/dmi/id/product_uuid"),
	}
}

// fingerprint stands for the contents of a file that must not be shown to others, as
// machine-id(5) asks for; empty if it has none.
func fingerprint(path string) string {
	raw, err := os.ReadFile(path)
	text := strings.TrimSpace(string(raw))
	if err != nil || text == "" || text == "uninitialized" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(text))
	mac.Write([]byte("bgp-ovn state file"))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// knownNode makes snapshots that the state file has been asked about: one of another node
// is not used.
type knownNode struct {
	*observe.Join
	db *state.DB
}

// Snapshot is that of Join.
func (k knownNode) Snapshot(ctx context.Context) (observe.Snapshot, error) {
	snap, err := k.Join.Snapshot(ctx)
	if err == nil {
		k.db.Confirm(snap.Chassis)
	}
	return snap, err
}

// noteRouterID is the name under which the state file has the BGP identifier.
const noteRouterID = "router-id"

// identifierWait is how long a start waits for the Open_vSwitch database to tell the BGP
// identifier: that is on this machine, and answers in milliseconds.
const identifierWait = 2 * time.Second

// routerID is the BGP identifier: of the configuration, of the Open_vSwitch database, or
// the one that the speaker had last. Without any of these one is chosen, which has to be
// unique and nothing else (RFC 6286); the result says why. A command waits instead.
func (n *Node) routerID(ctx context.Context) (id netip.Addr, chosen string, err error) {
	if id, err := n.settings.ResolveRouterID(nil); err == nil {
		return id, "", nil
	}
	waiting := ctx
	if n.sources.later {
		limited, cancel := context.WithTimeout(ctx, identifierWait)
		defer cancel()
		waiting = limited
	}
	v, err := n.sources.waitOpenVSwitch(waiting)
	if err == nil {
		if id, err = n.settings.ResolveRouterID(v.EncapIPs); err == nil {
			n.db.Remember(noteRouterID, id.String())
			return id, "", nil
		}
	}
	if !n.sources.later || ctx.Err() != nil {
		return id, "", err
	}
	if id, remembered := netip.ParseAddr(n.db.Remembered(noteRouterID)); remembered == nil && id.Is4() {
		return id, "", nil
	}
	chosen = err.Error()
	h, err := n.sources.host.Read(ctx)
	if err != nil {
		return id, "", errors.Join(errors.New(chosen), err)
	}
	return chooseRouterID(h, fingerprint("/etc/machine-id")), chosen, nil
}

// chooseRouterID takes the highest IPv4 address of the node, as routers do, and where it
// has none a number that is its own.
func chooseRouterID(h *observe.Host, machine string) netip.Addr {
	var own []netip.Addr
	for _, a := range h.Addresses {
		if a.Addr.Is4() && a.Addr.IsGlobalUnicast() {
			own = append(own, a.Addr)
		}
	}
	if len(own) > 0 {
		return slices.MaxFunc(own, netip.Addr.Compare)
	}
	if machine == "" {
		machine, _ = os.Hostname() // any text will do
	}
	sum := sha256.Sum256([]byte(machine))
	return netip.AddrFrom4([4]byte{cmp.Or(sum[0], 1), sum[1], sum[2], sum[3]})
}
