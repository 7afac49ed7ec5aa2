package plan

// SetFew has a memory look at all keys once more than n have changed, and a share of all.
func (m *Memory) SetFew(n int) { m.few = n }
