package plan

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// findOverridden notes what is there as wanted and has no effect, because something of
// another owner wins over it: a route with a better metric, a rule that comes first, a
// flow of a higher priority. That is never taken away. What needs the object stays
// announced: whether an address is reachable is not decided here.
func (d *differ) findOverridden() {
	for k := range d.m.watched {
		if !d.managed(k.Kind) || k.Kind.IsSetting() {
			continue
		}
		have, _ := d.Have.Get(k)
		if by := have.Overridden(); by != "" {
			d.noteOverridden(k, by)
		}
		if !have.Marked && k.Kind.IsSteering() {
			d.overriddenBy(have)
		}
	}
}

// overriddenBy notes which wanted value decides about the same packets as a foreign one
// with a better metric. The main table is everybody's: what others have there is meant
// to win. A value that refuses what nothing better leads to is meant to lose.
func (d *differ) overriddenBy(foreign object.Item) {
	other := foreign.Value.(object.Steering)
	by := other.Steers()
	if by.Table == object.TableMain {
		return
	}
	for metric := range d.m.metrics {
		k := other.KeyAt(metric)
		want, ok := d.Want.Get(k)
		if metric <= by.Metric || !ok || want.Value.(object.Steering).Steers().Refuses ||
			want.Value.Attrs() == foreign.Value.Attrs() {
			continue
		}
		text := object.Text(foreign.Value)
		if what := foreign.Deviates(); what != "" {
			text += " (" + what + ")"
		}
		d.noteOverridden(k, text)
	}
}

// noteOverridden notes it of a wanted value that is not blocked anyway.
func (d *differ) noteOverridden(k object.Key, by string) {
	it, wanted := d.Want.Get(k)
	if _, blocked := d.blocked[k]; !wanted || blocked {
		return
	}
	d.plan.Notes = append(d.plan.Notes, Note{Key: k, Value: it.Value, Why: it.Why, Block: object.Block{
		Code: object.BlockOverridden, Text: "another owner's object wins over it: " + by,
	}})
}
