package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
)

// defaultWatch is how often --watch without a value asks.
const defaultWatch = "2s"

// The sequences that draw an answer over the one before it: to the upper left corner, the
// rest of a line, the rest of the screen. Nothing is cleared before the new text is
// there, so that nothing flickers.
const (
	cursorHome = "\x1b[H"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
)

// watchFlag declares --watch.
func watchFlag(cmd *cobra.Command, every *time.Duration) {
	cmd.Flags().Var((*positive)(every), "watch", "ask again and again, every 2s or as often as given, until interrupted")
	cmd.Flags().Lookup("watch").NoOptDefVal = defaultWatch
	cmd.Flags().Lookup("watch").DefValue = ""
}

// terminal is what a terminal is like that is written to; false if w is none.
func terminal(w io.Writer) (columns int, ok bool) {
	f, isFile := w.(*os.File)
	if !isFile {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	return int(size.Col), true
}

// screen makes the output fit a terminal: its width now, with colours unless NO_COLOR is
// set (no-color.org) or the terminal has none.
func (c *cli) screen() {
	columns, ok := c.terminal(c.stdout)
	if !ok {
		return
	}
	off, _ := c.getenv("NO_COLOR")
	kind, _ := c.getenv("TERM")
	c.tty = true
	c.stdout = view.Screen{Writer: c.stdout, Columns: columns, Colour: off == "" && kind != "dumb"}
}

// asking are the flags of commands that ask the running controller, again and again, or a
// support bundle.
type asking struct {
	every  time.Duration
	bundle string
}

func (k *asking) flags(cmd *cobra.Command) {
	watchFlag(cmd, &k.every)
	cmd.Flags().StringVar(&k.bundle, "bundle", "", bundleHelp)
	cmd.MarkFlagsMutuallyExclusive("watch", "bundle")
}

// watching asks a support bundle, or the running controller once or, with a period, until
// it is interrupted.
func (c *cli) watching(ctx context.Context, k asking, show func(context.Context, control.Controller) error) error {
	return c.repeat(ctx, k.every, func(ctx context.Context) error {
		return c.askController(k.bundle, func(ctl control.Controller) error { return show(ctx, ctl) })
	})
}

// repeat shows something once or, with a period, until it is interrupted: on a terminal
// each answer over the one before it, otherwise one after the other.
func (c *cli) repeat(ctx context.Context, every time.Duration, show func(context.Context) error) error {
	if every == 0 {
		return show(ctx)
	}
	tick, stop := c.ticker(every)
	defer stop()
	out := c.stdout
	defer func() { c.stdout = out }()
	for first := true; ; first = false {
		c.exit = exitSame // the last answer counts
		var page bytes.Buffer
		c.stdout = onto(out, &page)
		err := show(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && !errors.Is(err, control.ErrNoController) {
			return err
		}
		if err != nil { // it may be restarting
			fmt.Fprintln(c.stderr, "bgp-ovn:", err)
		} else if _, err := io.WriteString(out, c.page(page.String(), first)); err != nil {
			return fmt.Errorf("print the answer: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
	}
}

// onto is the output with a page in its place: text fits the same screen.
func onto(out io.Writer, page io.Writer) io.Writer {
	if s, ok := out.(view.Screen); ok {
		s.Writer = page
		return s
	}
	return page
}

// page is one answer of several as it is written.
func (c *cli) page(text string, first bool) string {
	switch {
	case c.form == view.YAML:
		return "---\n" + text
	case c.form == view.Text && c.tty:
		return cursorHome + strings.ReplaceAll(text, "\n", clearLine+"\n") + clearBelow
	case c.form == view.Text && !first:
		return "\n" + text
	default:
		return text
	}
}

// realTicker ticks by the clock.
func realTicker(every time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(every)
	return t.C, t.Stop
}
