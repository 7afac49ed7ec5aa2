package rtnl

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// loopback is the ifindex that the loopback device has in every network namespace.
const loopback = 1

// Settle waits until the kernel has done all that follows from the changes of devices that it has
// notified so far. RTM_NEWLINK of a device that goes down comes before its IPv4 routes are removed,
// and nothing is notified of those (__dev_notify_flags in net/core/dev.c, fib_sync_down_dev in
// net/ipv4/fib_semantics.c); dumps and lookups of routes do not wait for the lock under which both
// happen (RTNL) since Linux 6.9. The question for one device does.
func (c *Conn) Settle(ctx context.Context) error {
	var b Batch
	b.Begin(unix.RTM_GETLINK, 0, IfInfoMsg{Index: loopback})
	var refused error
	err := c.Ask(ctx, &b, func(int, Message) {}, func(_ int, err *Error) { refused = err })
	if err = errors.Join(err, refused); err != nil {
		return fmt.Errorf("wait for the kernel to settle: %w", err)
	}
	return nil
}
