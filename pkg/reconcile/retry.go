package reconcile

import (
	"maps"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Retry has the next round try again at once what waits because it failed, because another
// program changes it back, or because it came and went too often: the object with that key, as
// plans print it, or all with an empty text. It returns their keys in order; none waits if there
// are none. A next failure has the pause that it would have had.
func (c *Controller) Retry(text string) []object.Key {
	c.round.Lock()
	waits := map[object.Key]bool{}
	now := c.cfg.Clock.Now()
	for k, one := range c.fails {
		if one.next.After(now) && (text == "" || k.Text() == text) {
			one.next, waits[k] = time.Time{}, true
		}
	}
	for k, one := range c.contention {
		if one.due(now).After(now) && (text == "" || k.Text() == text) {
			delete(c.contention, k)
			waits[k] = true
		}
	}
	for _, k := range c.releaseDamped(text) {
		waits[k] = true
	}
	c.settled = nil
	c.round.Unlock()
	if len(waits) > 0 {
		c.wakeUp()
	}
	return slices.SortedFunc(maps.Keys(waits), object.Key.Compare)
}
