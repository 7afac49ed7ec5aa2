package agent

import (
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/execute"
)

// behindBlock is the problem that explains why objects are blocked, by the code of the
// block.
var behindBlock = map[string]string{
	object.BlockFrozen:      "frozen",
	object.BlockNeedFailed:  "step-failed",
	object.BlockBackoff:     "step-failed",
	object.BlockUnverified:  "unreadable",
	object.BlockContested:   "contested",
	object.BlockOverridden:  "overridden",
	object.BlockQuarantined: "peer-quarantined",
}

// behind is the code of the problem that explains a block; empty if none does.
func behind(b object.Block) string {
	if strings.Contains(b.Text, execute.Unrecorded) {
		return "state-file"
	}
	return behindBlock[b.Code]
}

// blockRemedy is what to do about an object that is blocked.
func blockRemedy(b object.Block, want object.Value) string {
	switch {
	case b.Code == object.BlockNotWired:
		return "is ovn-controller running? ovn-appctl -t ovn-controller connection-status; bgp-ovn plan lists all"
	case strings.Contains(b.Text, ipv6Disabled):
		return enableIPv6(want)
	default:
		return "bgp-ovn plan"
	}
}
