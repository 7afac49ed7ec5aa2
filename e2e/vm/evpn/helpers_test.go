//go:build guest

package evpn

import (
	"context"
	"time"
)

// await asks until ok or the end of ctx. Each look is a process or two.
func await(ctx context.Context, ok func() bool) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
