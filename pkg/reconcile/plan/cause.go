package plan

// Cause says why a step is taken. It is recorded with the step and does not change
// what the step does.
type Cause string

// The causes.
const (
	CauseChange Cause = "change" // what is wanted has changed: rows of a database moved
	CauseDrift  Cause = "drift"  // reality moved: another program undid what we wrote
	CauseRetry  Cause = "retry"  // an earlier attempt failed
	CauseStart  Cause = "start"  // the first round of a process
	CauseConfig Cause = "config" // the configuration was changed while running
	CauseRepair Cause = "repair" // an operator asked for it
	CauseDrain  Cause = "drain"  // an operator takes the node out of service, or back into it
	// CauseUnreachable: this node provably cannot forward packets for it, or can again.
	CauseUnreachable Cause = "unreachable"
)
