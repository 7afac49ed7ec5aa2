package rtnl

import (
	"context"

	"golang.org/x/sys/unix"
)

// Execute sends the batch and calls failed for every request that the kernel
// refused, by its position. The kernel goes on after a refused request: all
// others have been done. An error of Execute itself means that nothing is
// known about any of them.
func (c *Conn) Execute(ctx context.Context, b *Batch, failed func(i int, err *Error)) error {
	return c.Ask(ctx, b, func(int, Message) {}, failed)
}

// Ask is Execute for requests that are questions: answer is called for what the
// kernel replies to each, by its position.
func (c *Conn) Ask(ctx context.Context, b *Batch, answer func(i int, m Message), failed func(i int, err *Error)) error {
	if b.Len() == 0 {
		return nil
	}
	if err := expired(ctx); err != nil {
		return err
	}
	first := c.seq + 1
	c.seq += uint32(b.Len())
	b.seal(first, unix.NLM_F_ACK)
	if err := c.send(b.buf); err != nil {
		return err
	}
	return c.answers(first, uint32(b.Len()), answer, failed)
}

// answers reads until the last of n requests has been answered. Whatever bears
// another number is the rest of an earlier, abandoned exchange.
func (c *Conn) answers(first, n uint32, answer func(i int, m Message), failed func(i int, err *Error)) error {
	for {
		done, err := c.receive(func(m Message) (bool, error) {
			i := m.seq - first
			if i >= n {
				return false, nil
			}
			if m.Type != unix.NLMSG_ERROR {
				answer(int(i), m)
				return false, nil
			}
			refusal, err := m.Refusal()
			if err != nil {
				return false, err
			}
			if refusal != nil {
				failed(int(i), refusal)
			}
			return i == n-1, nil
		})
		if done || err != nil {
			return err
		}
	}
}
