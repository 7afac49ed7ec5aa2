package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// followEvery is how often history --follow asks for what is new.
const followEvery = time.Second

// looking are the flags of history.
type looking struct {
	since, cause string
	follow       bool
	limit        int
	bundle       string
}

func (c *cli) historyCommand() *cobra.Command {
	var k looking
	cmd := &cobra.Command{
		Use: "history [TARGET]", Short: "what was done, when, why, to what, and by whom it was undone",
		Long: `history prints each step that was taken, the newest last: when, why (change, drift,
retry, start, config or repair), what was there before and after, the row that
decided, and how it went. Where an address moved it says where to. Of drift it says
what differed, and which program did it where the kernel tells.

TARGET is an address, a prefix, a MAC address, a VNI, the name or UUID of a port, VM,
network, router, bridge or device, or an object as plans print it, such as
"route 203.0.113.7/32". Of a name the steps of its ports and addresses are told, too.
The running controller is asked, or without one the state file is read.
history.steps and history.age bound what is remembered.`,
		Example: "  bgp-ovn history 203.0.113.7 --since 1h\n  bgp-ovn history web-1\n  bgp-ovn history --cause drift -f",
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := k.filter(strings.Join(args, " "), time.Now())
			if err != nil {
				return err
			}
			if k.bundle != "" {
				return c.askController(k.bundle, func(ctl control.Controller) error {
					h, err := ctl.History(cmd.Context(), f)
					if err != nil {
						return err
					}
					return view.History(c.stdout, c.form, h)
				})
			}
			return c.history(cmd.Context(), f, k.follow)
		},
	}
	cmd.Flags().StringVar(&k.since, "since", "", "leave out what was before: a duration such as 1h, or a time as RFC 3339")
	cmd.Flags().StringVar(&k.cause, "cause", "", "only steps of this cause: change, drift, retry, start, config, repair, "+
		"drain or unreachable")
	cmd.Flags().BoolVarP(&k.follow, "follow", "f", false, "go on printing what is done")
	cmd.Flags().IntVar(&k.limit, "limit", 1000, "how many steps to print at most, the newest; 0 prints all")
	cmd.Flags().StringVar(&k.bundle, "bundle", "", bundleHelp)
	cmd.MarkFlagsMutuallyExclusive("bundle", "follow")
	return cmd
}

// filter reads the flags.
func (k looking) filter(target string, now time.Time) (history.Filter, error) {
	f := history.Filter{Target: target, Most: k.limit}
	var err error
	if f.Cause, err = history.ParseCause(k.cause); err != nil {
		return f, fmt.Errorf("--cause: %w", err)
	}
	if k.limit < 0 {
		return f, fmt.Errorf("--limit %d: use 0 or more", k.limit)
	}
	if k.since == "" {
		return f, nil
	}
	if d, err := time.ParseDuration(k.since); err == nil && d > 0 {
		f.Since = now.Add(-d)
		return f, nil
	}
	for _, form := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.ParseInLocation(form, k.since, time.Local); err == nil {
			f.Since = t
			return f, nil
		}
	}
	return f, fmt.Errorf("--since %.40q: use a duration such as 1h, or a time such as 2026-01-31T14:00:00Z", k.since)
}

// history prints what the controller remembers, or the state file without one.
func (c *cli) history(ctx context.Context, f history.Filter, follow bool) error {
	s, problems := c.load()
	c.warn(problems)
	h, err := client(s).History(ctx, f)
	if errors.Is(err, control.ErrNoController) && !follow {
		if h, err = recorded(s, f, err); err == nil {
			fmt.Fprintln(c.stderr, "bgp-ovn: no controller is running; this is what the state file has:", s.StateFile)
		}
	}
	if err != nil {
		return err
	}
	if !follow {
		return view.History(c.stdout, c.form, h)
	}
	line := view.NewTimeline(c.stdout)
	tick, stop := c.ticker(followEvery)
	defer stop()
	for {
		if err := line.Steps(c.form, h); err != nil {
			return err
		}
		f.After, f.Since = h.Last, time.Time{} // which begins anew with a new state file
		select {
		case <-ctx.Done():
			return nil
		case <-tick:
		}
		if h, err = client(s).History(ctx, f); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// recorded is what the state file has, where no controller answers.
func recorded(s config.Settings, f history.Filter, none error) (control.History, error) {
	h, err := agent.HistoryOf(s, f)
	if errors.Is(err, os.ErrNotExist) {
		return h, fmt.Errorf("%w, and there is no state file %s", none, s.StateFile)
	}
	return h, err
}
