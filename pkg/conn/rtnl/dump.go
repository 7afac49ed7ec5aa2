package rtnl

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// errInterrupted is a dump during which the kernel's tables changed in a way
// that may have made it skip or repeat rows.
var errInterrupted = errors.New("the kernel's tables changed while they were read")

// attempts bounds how often an interrupted dump is begun again. Route dumps
// were never seen interrupted under heavy churn; links and addresses are.
const attempts = 20

// Dump asks for all objects that match a request and calls row for each. The
// request is written by build, as one Begin with attributes. Before every
// attempt reset is called, because what an interrupted dump has shown must be
// forgotten. A row that is malformed fails the dump after its end; when row
// returns any other error the dump is abandoned and the connection is fit only to
// be closed.
func (c *Conn) Dump(ctx context.Context, build func(*Batch), reset func(), row func(Message) error) error {
	for range attempts {
		if err := expired(ctx); err != nil {
			return err
		}
		reset()
		err := c.dumpOnce(ctx, build, row)
		if !errors.Is(err, errInterrupted) {
			return err
		}
	}
	return fmt.Errorf("%w, %d times", errInterrupted, attempts)
}

func (c *Conn) dumpOnce(ctx context.Context, build func(*Batch), row func(Message) error) error {
	var b Batch
	build(&b)
	c.seq++
	b.seal(c.seq, unix.NLM_F_DUMP)
	if err := c.send(b.buf); err != nil {
		return err
	}
	return c.rows(ctx, row)
}

// rows reads the answer to its end even when it was interrupted, a row cannot be
// read or the context has ended in between: only then can the connection be used
// again.
func (c *Conn) rows(ctx context.Context, row func(Message) error) error {
	var interrupted bool
	var malformed error
	for {
		expired := expired(ctx)
		done, err := c.receive(func(m Message) (bool, error) {
			if m.seq != c.seq {
				return false, nil
			}
			interrupted = interrupted || m.Flags&unix.NLM_F_DUMP_INTR != 0
			switch m.Type {
			case unix.NLMSG_DONE, unix.NLMSG_ERROR:
				return true, m.end()
			case unix.NLMSG_NOOP:
				return false, nil
			}
			if expired != nil || malformed != nil {
				return false, nil
			}
			err := row(m)
			if errors.Is(err, ErrMalformed) {
				malformed = err
				return false, nil
			}
			return false, err
		})
		switch {
		case err != nil:
			return err
		case !done:
		case expired != nil:
			return expired
		case interrupted:
			return errInterrupted
		default:
			return malformed
		}
	}
}

// end reads the errno at the end of a dump, which some kinds leave out. EINTR
// there is how others report a change in between.
func (m Message) end() error {
	if m.Type == unix.NLMSG_DONE && len(m.Body) == 0 {
		return nil
	}
	refusal, err := m.Refusal()
	switch {
	case err != nil:
		return err
	case refusal == nil:
		return nil
	case refusal.Errno == unix.EINTR:
		return errInterrupted
	}
	return refusal
}
