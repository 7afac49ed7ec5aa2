package observe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// part is a source of one value, or of none yet.
type part[T any] struct {
	value   *T
	changed chan struct{}
}

func (p part[T]) Changed() <-chan struct{} { return p.changed }

func (p part[T]) Read(context.Context) (*T, error) {
	if p.value == nil {
		return nil, fmt.Errorf("northbound: %w: trying tcp:192.0.2.1:6641", ErrNotSynced)
	}
	return p.value, nil
}

// The Northbound database is waited for only where it was asked for, and only
// what was derived with it is in doubt while it is away.
func TestJoinNorthbound(t *testing.T) {
	j := &Join{
		SB:   part[Southbound]{value: &Southbound{Chassis: []*Chassis{{Name: "gw-1"}}}},
		OVS:  part[OpenVSwitch]{value: &OpenVSwitch{SystemID: "gw-1"}},
		Host: part[Host]{value: &Host{}},
	}
	snap, err := j.Snapshot(t.Context())
	if err != nil || snap.NB != nil || snap.NorthboundDoubt() != "" {
		t.Errorf("not asked for: %+v, %v", snap, err)
	}
	before := len(j.Changed())
	j.NB = part[Northbound]{}
	_, err = j.Snapshot(t.Context())
	if !errors.Is(err, ErrNotSynced) || !strings.HasSuffix(err.Error(), "Northbound database: trying tcp:192.0.2.1:6641") {
		t.Errorf("not there yet: %v", err)
	}
	if len(j.Changed()) != before+1 {
		t.Error("its changes wake nobody")
	}
	j.NB = part[Northbound]{value: &Northbound{Stale: "closed"}}
	snap, err = j.Snapshot(t.Context())
	if err != nil || snap.NB == nil || snap.Doubt() != "" || snap.NorthboundDoubt() != "Northbound database: closed" {
		t.Errorf("away: %+v, %v", snap, err)
	}
}
