package state

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// textEntry is an entry in JSON, with values and keys as they are printed in a plan: what versions
// 1 and 2 stored, and what is printed for people. Secrets are not in it.
type textEntry struct {
	Line   string          `json:"line"`
	Since  time.Time       `json:"since"`
	Cause  plan.Cause      `json:"cause,omitempty"`
	Why    []object.Source `json:"why,omitempty"`
	Needs  []string        `json:"needs,omitempty"`
	Shared []string        `json:"shared_needs,omitempty"`
	Keeps  []string        `json:"keeps,omitempty"`
	Prior  string          `json:"prior,omitempty"`
}

// appendLine appends an entry as a line of text.
func appendLine(out []byte, e Entry) ([]byte, error) {
	s := textEntry{
		Line: object.Text(e.Value), Since: e.Since, Cause: e.Cause, Why: e.Why,
		Needs: keyTexts(e.Relations.After), Shared: keyTexts(e.Relations.Shared), Keeps: keyTexts(e.Relations.Keeps),
	}
	if e.Prior != nil {
		s.Prior = object.Text(e.Prior)
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("write ledger entry %q: %w", s.Line, err)
	}
	return append(append(out, raw...), '\n'), nil
}

func keyTexts(keys []object.Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Text())
	}
	return out
}

// The checksum of an old entry is its last field, and covers all before. Those of the first
// releases have none.
const (
	sumField  = `,"sum":"`
	sumLength = len(sumField) + 8 + len(`"}`)
)

// checkSum compares the checksum of an old entry, if it has one.
func checkSum(raw []byte) error {
	at := len(raw) - sumLength
	if at < 0 || !bytes.HasPrefix(raw[at:], []byte(sumField)) {
		return nil
	}
	if fmt.Sprintf(sumField+`%08x"}`, crc32.Checksum(raw[:at], castagnoli)) != string(raw[at:]) {
		return errSum
	}
	return nil
}

// decodeOld reads an entry of version 1 or 2.
func (c *decoder) decodeOld(raw []byte) (Entry, error) {
	if err := checkSum(raw); err != nil {
		return Entry{}, err
	}
	var s textEntry
	if err := json.Unmarshal(raw, &s); err != nil {
		return Entry{}, err
	}
	e := Entry{Why: s.Why, Since: s.Since, Cause: s.Cause}
	var err error
	if e.Value, err = object.Parse(s.Line); err != nil {
		return e, err
	}
	for _, list := range []struct {
		into *[]object.Key
		text []string
	}{{&e.Relations.After, s.Needs}, {&e.Relations.Shared, s.Shared}, {&e.Relations.Keeps, s.Keeps}} {
		var raw []byte
		if len(list.text) > 0 {
			raw = binary.AppendUvarint(raw, uint64(len(list.text)))
		}
		for _, text := range list.text {
			raw = appendText(raw, text)
		}
		if *list.into, err = c.list(raw); err != nil {
			return e, err
		}
	}
	if s.Prior != "" {
		e.Prior, err = object.Parse(s.Prior)
	}
	return e, err
}
