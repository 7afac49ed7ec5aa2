package ovsdb

import (
	"context"
	"testing"
)

// What a name was resolved to stays while it cannot be resolved.
func TestNamesStayResolved(t *testing.T) {
	r, err := parseRemote("tcp:localhost:6642")
	if err != nil {
		t.Fatal(err)
	}
	var e endpoints
	if !e.resolve(t.Context(), r) || e.resolve(t.Context(), r) {
		t.Error("the first time is not the only one that brings something new")
	}
	before := len(e.resolved[r.text])
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if e.resolve(ended, r) || before == 0 || len(e.resolved[r.text]) != before {
		t.Errorf("%d addresses, before %d", len(e.resolved[r.text]), before)
	}
}
