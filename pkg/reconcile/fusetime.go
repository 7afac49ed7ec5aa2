package reconcile

import "time"

// Notes remember texts by name beyond the end of the process. state.DB is the real one.
type Notes interface {
	// Remember records a text in place of the one before; the same one costs nothing.
	Remember(name, text string)
	// Remembered is what is recorded; empty if nothing is.
	Remembered(name string) string
}

// noteFuse is the name of the time since when a mass withdrawal is held.
const noteFuse = "fuse-since"

// NoteText is the name of the configuration that was applied last, as text.
const NoteText = "configuration"

// rememberText records the configuration that a round has applied without doubt: what only
// the one before wanted is gone, or held for a reason of its own.
func (c *Controller) rememberText() {
	if c.cfg.Notes != nil && !c.cfg.DryRun {
		c.cfg.Notes.Remember(NoteText, c.cfg.Text)
	}
}

// leastHold is the part of the hold that a fresh process sees for itself: while there
// was none, nobody could see that the withdrawal persists.
const leastHold = 10

// recallFuse lets a hold go on that an earlier process began, once.
func (c *Controller) recallFuse() {
	if c.cfg.Notes == nil || c.recalled {
		return
	}
	c.recalled = true
	since, err := time.Parse(time.RFC3339, c.cfg.Notes.Remembered(noteFuse))
	now, hold := c.cfg.Clock.Now(), c.fuse.cfg.Hold
	if err != nil || since.After(now) {
		return
	}
	if latest := now.Add(-(hold - hold/leastHold)); since.Before(latest) {
		since = latest
	}
	c.fuse.since = since
}

// rememberFuse records since when a mass withdrawal is held.
func (c *Controller) rememberFuse() {
	if c.cfg.Notes == nil {
		return
	}
	text := ""
	if held := c.fuse.since; !held.IsZero() && c.since(held) < c.fuse.cfg.Hold {
		text = held.UTC().Format(time.RFC3339)
	}
	c.cfg.Notes.Remember(noteFuse, text)
}
