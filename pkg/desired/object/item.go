package object

import (
	"slices"
	"strings"
)

// Source says which database row led to a value, and by which rule of which
// driver. It travels beside the value and never takes part in equality.
type Source struct {
	Driver string `json:"driver"` // osp_ovn_bgp_driver
	Rule   string `json:"rule"`   // the rule of the driver's decision table: R1
	Table  string `json:"table"`  // Port_Binding
	Row    string `json:"row"`    // what people call the row: logical_port, or the row's UUID
	// Decides is set on the row whose binding decides which chassis exposes the
	// value: the port of a VM, the guard of a floating IP, a router's gateway.
	Decides bool `json:"decides,omitempty"`
	// Lists is set on the row that lists the address: it ends by not listing it any more.
	Lists Listing `json:"lists,omitempty"`
}

// Listing says whose addresses a row lists.
type Listing string

// The rows that list addresses.
const (
	// ListsOwn are those that go with the addresses: the port of a VM, a load balancer.
	ListsOwn Listing = "own"
	// ListsOthers are those that list addresses of others: nat_addresses of a router's
	// port. That such a row is gone does not prove that the addresses have ended.
	ListsOthers Listing = "others"
)

// String prints the source as one phrase.
func (s Source) String() string {
	return s.Table + " " + s.Row + " (" + s.Driver + " " + s.Rule + ")"
}

// RowRef is the part of the source that names the row.
func (s Source) RowRef() string { return s.Table + " " + s.Row }

// Block says why a wanted value must not exist for now. Code is stable and
// meant for scripts, Text is for people.
type Block struct {
	Code string
	Text string
	// Until is when it ends by itself, as RFC 3339 writes it; empty if that is not known.
	Until string
	// Unsure says that it may be a mistake: what is there may still do as well as before.
	Unsure bool
}

// The codes of blocks.
const (
	BlockNotWired    = "not-wired"      // a patch port, MAC or device is missing
	BlockNeedFailed  = "need-failed"    // something it stands on could not be applied
	BlockNeedMissing = "need-missing"   // something it stands on is neither wanted nor present
	BlockForeign     = "foreign"        // another owner's object exists under the same key
	BlockBackoff     = "backoff"        // it failed and will be tried again later
	BlockFrozen      = "frozen"         // nothing may be removed for now
	BlockHeld        = "held"           // the row it came from cannot be read
	BlockUnbound     = "unbound"        // the row that decides about it is bound to no chassis
	BlockUnexplained = "unexplained"    // the rows that decide about it are as they were
	BlockUnmanaged   = "kind-unmanaged" // this instance does not manage the kind
	BlockUnverified  = "unverified"     // what it stands on cannot be read now
	BlockOverridden  = "overridden"     // what another owner has wins over it
	BlockContested   = "contested"      // another program changes it back time and again
	// BlockProtected is on what would take away traffic that the node itself lives on.
	// It must not stay either where it is there already: see Block.Evicts.
	BlockProtected = "protected"
	// BlockQuarantined is on a peer whose messages ended the speaker again and again.
	BlockQuarantined = "quarantined"
	// BlockFiltered is meant by the operator and no trouble.
	BlockFiltered = "filtered-by-policy" // the export filter keeps it from being announced
	// BlockDrained is meant by the operator, too.
	BlockDrained = "drained" // the node is being taken out of service
	// BlockUnreachable is on a path that is withdrawn by bgp.withdraw_unreachable.
	BlockUnreachable = "unreachable-here" // this node provably cannot forward packets for it
	// BlockFlapping is on a path that came and went too often: bgp.damping.
	BlockFlapping = "flapping" // it comes back once it has stayed, or by command
)

// Clock is the time of day of Until, such as 14:02:11; empty if there is none.
func (b Block) Clock() string {
	_, clock, _ := strings.Cut(b.Until, "T")
	return clock[:min(len(clock), len("15:04:05"))]
}

// Evicts reports whether what is blocked does harm by being there, so that it is
// removed even while everything else is held.
func (b Block) Evicts() bool { return b.Code == BlockProtected }

// LeavesDependents reports whether what needs the blocked object stays as it is: it is not
// known to be missing, or is there again at once.
func (b Block) LeavesDependents() bool { return b.Code == BlockUnverified || b.Code == BlockContested }

// Item is a value together with why it is there and what must precede it.
type Item struct {
	Value Value
	// Why is the provenance, in the order in which it was added.
	Why []Source
	// After are needs beyond Value.DependsOn, such as a path's route.
	After []Key
	// Shared are more of these, in a slice that many items have in common and
	// that nobody writes to: what all paths of a network need.
	Shared []Key
	// Keeps are what must stay for as long as the item does, although it need not
	// be there first: the addresses of a device, the rule that leads to the table
	// of a route. It has no part in the order of a plan and may be circular. Like
	// Shared it is never written to.
	Keeps []Key
	// Block is set on a wanted value that must not exist yet.
	Block *Block
	// Rank decides between two values for one key that both have one: the value
	// of the higher rank stands for the reasons of both. 0 is none.
	Rank uint8
	// Marked is set by backends on what carries our mark of ownership.
	Marked bool
	// Found is set by backends where there is more to tell of an object than its value.
	Found *Found
}

// Needs lists everything that must exist before the item.
func (it Item) Needs() []Key { return slices.Collect(it.EachNeed) }

// EachNeed yields what Needs returns.
func (it Item) EachNeed(yield func(Key) bool) {
	for _, keys := range [...][]Key{it.Value.DependsOn(), it.Shared, it.After} {
		for _, k := range keys {
			if !yield(k) {
				return
			}
		}
	}
}

// Equal reports whether two items say the same in the same order.
func (it Item) Equal(o Item) bool {
	sameBlock := it.Block == o.Block || it.Block != nil && o.Block != nil && *it.Block == *o.Block
	sameFound := it.Found == o.Found || it.Found != nil && o.Found != nil && *it.Found == *o.Found
	return it.Value == o.Value && it.Rank == o.Rank && it.Marked == o.Marked && sameBlock && sameFound &&
		slices.Equal(it.Why, o.Why) && sameSlice(it.Shared, o.Shared) && slices.Equal(it.After, o.After) &&
		sameSlice(it.Keeps, o.Keeps)
}
