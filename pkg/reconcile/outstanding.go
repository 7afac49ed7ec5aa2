package reconcile

import "time"

// Outstanding is work that is known and not done.
type Outstanding struct {
	// Since is when the first change was notified that no finished round has seen.
	Since time.Time `json:"since"`
	// Steps are those of the plan that is being applied; 0 before there is one.
	Steps int `json:"steps"`
}

// outstanding tracks what a controller has still to do. Controller.mu guards it.
type outstanding struct {
	// woken is when the first notification came since the present round, or the last
	// one, began; working is that of the present round.
	woken, working time.Time
	steps          int
}

// notified notes that something has changed.
func (c *Controller) notified() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.todo.woken.IsZero() {
		c.todo.woken = c.cfg.Clock.Now()
	}
}

// takesUp notes that a round begins, which sees all that was notified so far, and returns
// when the first of that was; zero if nothing was.
func (c *Controller) takesUp() (noticed time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	noticed = c.todo.woken
	if c.todo.working = noticed; noticed.IsZero() {
		c.todo.working = c.cfg.Clock.Now()
	}
	c.todo.woken, c.todo.steps = time.Time{}, 0
	return noticed
}

// applies notes how many steps a round has to take.
func (c *Controller) applies(steps int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.todo.steps = steps
}

// endRound notes that a round has ended. One that failed has seen nothing.
func (c *Controller) endRound(failed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed && (c.todo.woken.IsZero() || c.todo.working.Before(c.todo.woken)) {
		c.todo.woken = c.todo.working
	}
	c.todo.working, c.todo.steps = time.Time{}, 0
}

// Outstanding is what is to be done and not done yet; nil if nothing is known to be.
func (c *Controller) Outstanding() *Outstanding {
	c.mu.Lock()
	defer c.mu.Unlock()
	since := c.todo.working
	if since.IsZero() {
		since = c.todo.woken
	}
	if since.IsZero() {
		return nil
	}
	return &Outstanding{Since: since, Steps: c.todo.steps}
}
