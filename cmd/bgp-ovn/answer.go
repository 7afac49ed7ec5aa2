package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// answer is what a command prints and the status it ends with. The same
// functions answer in the process of the command and, over the control socket,
// in the controller's.
type answer struct {
	exit int
	body []byte
}

func (a *app) answerPlan(ctx context.Context, output string) (answer, error) {
	r, err := a.ctl.Plan(ctx, true)
	if err != nil {
		return answer{}, err
	}
	ans := answer{exit: differs(r.Plan)}
	if r.ReadErr != nil {
		return ans, fmt.Errorf("part of reality cannot be read, and no plan is worth anything: %w", r.ReadErr)
	}
	return ans.with(output, r.Plan.String(), r.Plan)
}

// differs is the exit status for a plan: what is meant to be otherwise is no
// difference.
func differs(p plan.Plan) int {
	if !p.Empty() {
		return exitDiffers
	}
	for _, n := range p.Notes {
		if !n.Meant() {
			return exitDiffers
		}
	}
	return exitSame
}

// with fills in the body in the form asked for.
func (ans answer) with(output, text string, v any) (answer, error) {
	if output != "json" {
		ans.body = []byte(text)
		return ans, nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ans, fmt.Errorf("encode the answer: %w", err)
	}
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return ans, fmt.Errorf("indent the answer: %w", err)
	}
	b.WriteByte('\n')
	ans.body = b.Bytes()
	return ans, nil
}

// audited is the answer of audit.
type audited struct {
	Version  int       `json:"version"`
	Drift    plan.Plan `json:"drift"`
	Repaired bool      `json:"repaired"`
	Failed   []string  `json:"failed"`
}

// answerAudit reads everything and reports what differs; with repair it mends
// it and reports what was mended.
func (a *app) answerAudit(ctx context.Context, output string, repair bool) (answer, error) {
	look := a.ctl.Plan
	if repair {
		look = a.ctl.RoundNow
	}
	r, err := look(ctx, true)
	if err != nil {
		return answer{}, err
	}
	res := audited{Version: 1, Drift: r.Plan, Repaired: repair, Failed: []string{}}
	ans := answer{exit: differs(r.Plan)}
	text := r.Plan.String()
	if r.ReadErr != nil {
		return ans, r.ReadErr
	}
	if repair {
		ans.exit = exitSame
		for _, err := range r.Failed() {
			res.Failed = append(res.Failed, err.Error())
			text += "failed: " + err.Error() + "\n"
			ans.exit = exitError
		}
		text += fmt.Sprintf("repaired %d of %d differences\n", len(r.Plan.Ops)-len(res.Failed), len(r.Plan.Ops))
	} else if r.Plan.Empty() {
		text += "no drift\n"
	}
	return ans.with(output, text, res)
}

// desiredJSON is the contract of `desired -o json`.
type desiredJSON struct {
	Version int               `json:"version"`
	Chassis string            `json:"chassis"`
	Objects []json.RawMessage `json:"objects"`
	Skipped []skippedJSON     `json:"skipped"`
}

// skippedJSON is a row that could not be used or an object that must wait.
type skippedJSON struct {
	Table string `json:"table,omitempty"`
	Row   string `json:"row,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Key   string `json:"key,omitempty"`
	Code  string `json:"code"`
	Text  string `json:"text"`
}

func (a *app) answerDesired(ctx context.Context, output string) (answer, error) {
	want, skipped, chassis, err := a.ctl.Desired(ctx)
	if err != nil {
		return answer{}, err
	}
	res := desiredJSON{Version: 1, Chassis: chassis, Objects: []json.RawMessage{}, Skipped: []skippedJSON{}}
	var text bytes.Buffer
	for _, it := range want.Sorted() {
		if it.Block != nil {
			k := it.Value.Key()
			res.Skipped = append(res.Skipped, skippedJSON{Kind: k.Kind.String(), Key: k.String(), Code: it.Block.Code, Text: it.Block.Text})
			fmt.Fprintf(&text, "! %s  %s: %s\n", k.Text(), it.Block.Code, it.Block.Text)
			continue
		}
		raw, err := object.JSON(it.Value, it.Why)
		if err != nil {
			return answer{}, err
		}
		res.Objects = append(res.Objects, raw)
		fmt.Fprintf(&text, "%s  # %s\n", object.Text(it.Value), first(it.Why))
	}
	for _, s := range skipped {
		res.Skipped = append(res.Skipped, skippedJSON{Table: s.Table, Row: s.Row, Code: s.Code, Text: s.Text})
		fmt.Fprintf(&text, "! %s\n", s)
	}
	return answer{}.with(output, text.String(), res)
}

func first(why []object.Source) string {
	if len(why) == 0 {
		return ""
	}
	return why[0].String()
}

func (a *app) answerExplain(ctx context.Context, output, target string) (answer, error) {
	addr, err := netip.ParseAddr(target)
	if err != nil {
		return answer{}, fmt.Errorf("explain %q: give an IP address: %w", target, err)
	}
	r, err := a.ctl.Plan(ctx, false)
	if err != nil {
		return answer{}, err
	}
	if r.ReadErr != nil {
		return answer{}, fmt.Errorf("part of reality cannot be read, and no verdict is worth anything: %w", r.ReadErr)
	}
	var e reconcile.Explanation
	if a.join == nil {
		e = a.ctl.ExplainHypothetical(r, addr.Unmap())
	} else {
		peers, known := a.peerStatus(ctx, object.FamilyOf(addr.Unmap()))
		e = a.ctl.Explain(r, addr.Unmap(), peers, known)
	}
	ans := answer{exit: exitSame}
	if !e.Advertised {
		ans.exit = exitDiffers
	}
	return ans.with(output, e.String(), struct {
		Version int `json:"version"`
		reconcile.Explanation
	}{1, e})
}

// peerStatus translates the speaker's sessions that carry a family, for
// explanations. It is not known without a speaker that answers.
func (a *app) peerStatus(ctx context.Context, family object.Family) (peers []reconcile.PeerStatus, known bool) {
	if a.speaker == nil {
		return nil, false
	}
	states, err := a.speaker.Peers(ctx)
	if err != nil {
		return nil, false
	}
	for _, s := range states {
		if !slices.ContainsFunc(s.Families, func(f bgp.FamilyState) bool { return f.Family == family }) {
			continue
		}
		p := reconcile.PeerStatus{Address: s.Address, Up: s.State == stateEstablished}
		p.Text = fmt.Sprintf("%s AS %d %s", s.Address, s.AS, s.State)
		if !p.Up && s.LastError != "" {
			p.Text += " (" + s.LastError + ")"
		}
		peers = append(peers, p)
	}
	return peers, true
}

func (a *app) answerSnapshot(ctx context.Context) (answer, error) {
	if a.join == nil {
		return answer{}, fmt.Errorf("a snapshot is taken from the databases, not from a file")
	}
	snap, err := a.join.Snapshot(ctx)
	if err != nil {
		return answer{}, err
	}
	return snapshotBody(snap)
}

func snapshotBody(snap observe.Snapshot) (answer, error) {
	var b bytes.Buffer
	if err := file.Write(&b, snap); err != nil {
		return answer{}, fmt.Errorf("write snapshot: %w", err)
	}
	return answer{body: b.Bytes()}, nil
}
