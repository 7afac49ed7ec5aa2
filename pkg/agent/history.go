package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// mostSteps bounds one answer; who wants more asks for parts.
const mostSteps = 100_000

// History says what was done.
func (n *Node) History(_ context.Context, f history.Filter) (control.History, error) {
	if f.Most <= 0 || f.Most > mostSteps {
		f.Most = mostSteps
	}
	if n.db.Unwritten() { // what is asked for is told
		n.db.Flush()
	}
	known := n.known(f.Target)
	f.Also = strings.Join(known, "\n")
	out, err := pastOf(n.db, f)
	out.Known = append(out.Known, known...)
	r, _ := n.ctl.Last()
	book := names.Of(r.Snapshot)
	for _, s := range out.Steps {
		book.Collect(out.Names, s.Key)
		if s.Row != nil {
			book.Collect(out.Names, s.Row.Name)
		}
	}
	if trouble, ill := n.db.Trouble(); err == nil && ill {
		out.Incomplete = "the state file cannot be written since " + clock(trouble.Since)
	}
	return out, err
}

// known is what else a target of a history is known as: the ports and addresses that a
// name stands for. Addresses, prefixes and objects speak for themselves.
func (n *Node) known(target string) []string {
	if target == "" || strings.Contains(target, " ") || control.CheckTarget("history", target) != nil {
		return nil
	}
	if _, err := control.ParseWithin(target); err == nil {
		return nil
	}
	r, _ := n.ctl.Last()
	found := control.Found{Target: target, Result: names.Find(r.Snapshot, target)}
	n.findVNI(&found, r)
	terms := found.Terms()
	return slices.DeleteFunc(terms, func(t string) bool { return t == target })
}

// HistoryOf reads what the state file says was done, for a command that finds no
// controller running.
func HistoryOf(s config.Settings, f history.Filter) (control.History, error) {
	db, err := state.OpenReadOnly(s.StateFile, time.Now)
	if err != nil {
		return control.History{}, err
	}
	out, err := pastOf(db, f)
	if closed := db.Close(); err == nil {
		err = closed
	}
	return out, err
}

func pastOf(db *state.DB, f history.Filter) (control.History, error) {
	p, err := db.History(f)
	if err != nil {
		return control.History{}, err
	}
	return control.History{
		Version: control.Version, Steps: p.Steps, Last: p.Last, More: p.More, Omitted: p.Omitted, Damaged: p.Damaged,
		Oldest: p.Oldest, Known: []string{}, Names: map[string]string{},
	}, nil
}

// recallDrift has status tell of the drift of the last hour, whichever process saw it.
func (n *Node) recallDrift() {
	past, err := n.db.History(history.Filter{Since: time.Now().Add(-history.DriftWindow)})
	if err != nil {
		n.opts.Log.Warn("the history cannot be read: status tells of drift since now only", "err", err)
		return
	}
	n.ctl.RecallDrift(past.Steps)
}
