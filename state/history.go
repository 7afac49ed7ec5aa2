package state

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// HistoryLimits bound what is remembered of the past.
type HistoryLimits struct {
	// Steps is how many steps are kept at most; 0 keeps none.
	Steps int
	// Age is how long they are kept.
	Age time.Duration
}

// DefaultHistory are the limits unless others are asked for.
var DefaultHistory = HistoryLimits{Steps: 10_000, Age: 30 * 24 * time.Hour}

// recordSteps is how many steps one record has at most: what a damaged one costs.
const recordSteps = 500

// trimEach is how many old records one transaction removes at most, so that a limit that
// was lowered costs no round its time.
const trimEach = 64

// recordVersion is that of records which have steps and not lines.
const recordVersion = 3

// record is a part of a finished round as it is stored.
type record struct {
	Version int       `json:"v"`
	At      time.Time `json:"at"`
	Seconds float64   `json:"seconds"`
	// Done are the steps, without what the record itself says. Omitted counts further
	// steps of the round, of which there were more than all of the history holds.
	Done    []history.Step `json:"done,omitempty"`
	Omitted int            `json:"omitted,omitempty"`
	// Took, Steps, Failed and Causes are all that records of versions 1 and 2 have.
	Took   string       `json:"took,omitempty"`
	Steps  []string     `json:"steps,omitempty"`
	Failed []string     `json:"failed,omitempty"`
	Causes []plan.Cause `json:"causes,omitempty"`
}

// recordKey is the key of a record: its number, when it was in seconds since 1970, and how
// many steps it has. What is to be removed is so found without reading any record. Keys
// of versions 1 and 2 are the number alone.
type recordKey struct {
	number uint64
	at     int64
	steps  uint32
}

func (k recordKey) bytes() []byte {
	b := binary.BigEndian.AppendUint64(nil, k.number)
	b = binary.BigEndian.AppendUint64(b, uint64(k.at))
	return binary.BigEndian.AppendUint32(b, k.steps)
}

const longRecordKey = 20

// parseRecordKey reads a key; one that is damaged counts as a step of long ago, so that it is
// removed with the next round.
func parseRecordKey(b []byte) recordKey {
	k := recordKey{steps: 1}
	if len(b) >= 8 {
		k.number = binary.BigEndian.Uint64(b)
	}
	if len(b) == longRecordKey {
		k.at, k.steps = int64(binary.BigEndian.Uint64(b[8:])), binary.BigEndian.Uint32(b[16:])
	}
	return k
}

// past keeps the count of steps in the bucket, which is not read for that each time.
// DB.mu guards it.
type past struct {
	limits HistoryLimits
	// steps are those in the bucket; below 0 they have not been counted.
	steps int
}

// stepsOf are the steps of a round that are kept, and how many are not: what people ask
// for first is what is announced, and what failed.
func stepsOf(p plan.Plan, outcomes []error, most int) (steps []history.Step, omitted int) {
	chosen := make([]int, 0, len(p.Ops))
	if len(p.Ops) > most {
		urgent := func(i int) bool { return p.Ops[i].Key().Kind.IsExported() || outcomes[i] != nil }
		for _, first := range []bool{true, false} {
			for i := range p.Ops {
				if urgent(i) == first && len(chosen) < most {
					chosen = append(chosen, i)
				}
			}
		}
		slices.Sort(chosen)
	} else {
		for i := range p.Ops {
			chosen = append(chosen, i)
		}
	}
	steps = make([]history.Step, len(chosen))
	for n, i := range chosen {
		steps[n] = history.Of(p.Ops[i], outcomes[i])
	}
	return steps, len(p.Ops) - len(chosen)
}

// appendHistory adds a round to the bucket and removes what is too old or too much. The
// count of steps is right once the transaction is committed.
func (h past) appendHistory(b *bbolt.Bucket, steps []history.Step, omitted int, at time.Time,
	took time.Duration,
) (count int, err error) {
	count = h.steps
	if count < 0 {
		count = countSteps(b)
	}
	for part := range slices.Chunk(steps, recordSteps) {
		number, err := b.NextSequence()
		if err != nil {
			return 0, err
		}
		rec := record{Version: recordVersion, At: at, Seconds: took.Seconds(), Done: part, Omitted: omitted}
		k := recordKey{number, at.Unix(), uint32(len(part))}
		if err := put(b, k.bytes(), rec); err != nil {
			return 0, err
		}
		count, omitted = count+len(part), 0
	}
	return h.trim(b, count, at)
}

// trim removes old records, whole ones, and returns how many steps are left.
func (h past) trim(b *bbolt.Bucket, count int, now time.Time) (int, error) {
	var gone [][]byte
	oldest := now.Add(-h.limits.Age).Unix()
	c := b.Cursor()
	for raw, _ := c.First(); raw != nil && len(gone) < trimEach; raw, _ = c.Next() {
		k := parseRecordKey(raw)
		if count <= h.limits.Steps && k.at >= oldest {
			break
		}
		gone = append(gone, slices.Clone(raw))
		count -= int(k.steps)
	}
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return 0, err
		}
	}
	return max(count, 0), nil
}

func countSteps(b *bbolt.Bucket) int {
	n := 0
	c := b.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		n += int(parseRecordKey(k).steps)
	}
	return n
}

// Past is what the history has of what was asked for.
type Past struct {
	// Steps are in the order in which they were taken.
	Steps []history.Step
	// Last is the number of the newest record, for [history.Filter.After].
	Last uint64
	// Damaged counts records that cannot be read, Omitted steps of rounds which had more
	// than the history holds, More steps that match and are older than the newest Filter.Most.
	Damaged, Omitted, More int
	// Oldest is when the oldest record was made; zero without any.
	Oldest time.Time
}

// History returns what was done. A record that cannot be read is left out and counted.
func (db *DB) History(f history.Filter) (Past, error) {
	out := Past{Steps: []history.Step{}}
	var records [][]byte
	var keys []recordKey
	err := db.view(func(tx *bbolt.Tx) error {
		records, keys = nil, nil // of an attempt that met a damaged page
		c := tx.Bucket(bucketHistory).Cursor()
		first, _ := c.First()
		if first != nil {
			out.Oldest = time.Unix(parseRecordKey(first).at, 0)
		}
		if last, _ := c.Last(); last != nil {
			out.Last = parseRecordKey(last).number
		}
		// Values are copied here and read later: a round may be waiting for its turn.
		for raw, v := c.Seek(recordKey{number: f.After + 1}.bytes()[:8]); raw != nil; raw, v = c.Next() {
			if k := parseRecordKey(raw); len(raw) != longRecordKey || k.at >= f.Since.Unix() {
				records, keys = append(records, slices.Clone(v)), append(keys, k)
			}
		}
		return nil
	})
	if err != nil {
		return Past{}, err // the transaction may still go on, and fill the other one
	}
	var all []history.Step
	for i, raw := range records {
		var r record
		if json.Unmarshal(raw, &r) != nil {
			out.Damaged++
			continue
		}
		out.Omitted += r.Omitted
		all = append(all, r.all(keys[i].number)...)
	}
	out.Steps, out.More = history.Select(all, f)
	return out, nil
}

// all are the steps of a record with what the record says of all of them.
func (r record) all(number uint64) []history.Step {
	for i := range r.Done {
		s := &r.Done[i]
		s.Round, s.At, s.Seconds = number, r.At, r.Seconds
		if s.Rows == nil {
			s.Rows = []history.RowRef{}
		}
	}
	took, _ := time.ParseDuration(r.Took) // 0 of a text that is none
	for i, line := range r.Steps {
		s := history.Step{
			Round: number, At: r.At, Seconds: took.Seconds(), Line: line, Rows: []history.RowRef{},
		}
		if len(r.Failed) == 0 {
			s.Outcome = history.OK
		}
		if i < len(r.Causes) {
			s.Cause = r.Causes[i]
		}
		r.Done = append(r.Done, s)
	}
	return r.Done
}
