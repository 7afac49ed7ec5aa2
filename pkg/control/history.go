package control

import (
	"net/url"
	"strconv"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// History is the answer to what was done.
type History struct {
	Version int `json:"version"`
	// Steps are in the order in which they were taken.
	Steps []history.Step `json:"steps"`
	// Last is the number of the newest record: what comes after it is asked for with it.
	Last uint64 `json:"last"`
	// More counts steps that match and are older than those that were asked for.
	More int `json:"more"`
	// Omitted counts steps of rounds that had more than the history holds, Damaged parts of
	// the history that cannot be read.
	Omitted int `json:"omitted"`
	Damaged int `json:"damaged"`
	// Names is what people call the rows that steps mention by UUID.
	Names map[string]string `json:"names"`
	// Known is what else the target is known as, of which steps are told too: the logical
	// ports and addresses that a name stands for.
	Known []string `json:"known_as"`
	// Oldest is since when steps are known.
	Oldest time.Time `json:"oldest,omitzero"`
	// Incomplete says why the newest steps may be missing; empty if they are not.
	Incomplete string `json:"incomplete,omitempty"`
}

// historyQuery is a filter as a query of a request.
func historyQuery(f history.Filter) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"target": f.Target, "cause": string(f.Cause)} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	if f.After > 0 {
		q.Set("after", strconv.FormatUint(f.After, 10))
	}
	if f.Most > 0 {
		q.Set("most", strconv.Itoa(f.Most))
	}
	return q
}

// parseHistory reads what [historyQuery] writes.
func parseHistory(q url.Values) (f history.Filter, err error) {
	f.Target = q.Get("target")
	if f.Cause, err = history.ParseCause(q.Get("cause")); err != nil {
		return f, err
	}
	if text := q.Get("since"); text != "" {
		if f.Since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return f, err
		}
	}
	if text := q.Get("after"); text != "" {
		if f.After, err = strconv.ParseUint(text, 10, 64); err != nil {
			return f, err
		}
	}
	if text := q.Get("most"); text != "" {
		f.Most, err = strconv.Atoi(text)
	}
	return f, err
}
