package object

// Found is what a backend has found of an object beside its value. It is compared by
// its contents; nil is nothing.
type Found struct {
	// Deviates says what is not as we write it although the value may be: the mark of
	// another owner, such as "protocol static", or what no value expresses, such as
	// "mtu 1400".
	Deviates string
	// Overridden names what others have that wins over the object: while it exists, the
	// object has no effect on some or all packets.
	Overridden string
}

// Deviates is what is not as we write it; empty if nothing is.
func (it Item) Deviates() string {
	if it.Found == nil {
		return ""
	}
	return it.Found.Deviates
}

// Overridden is what others have that wins over the object; empty if nothing does.
func (it Item) Overridden() string {
	if it.Found == nil {
		return ""
	}
	return it.Found.Overridden
}

// SameFound reports whether two items were found the same: with equal values, marks and
// remarks.
func (it Item) SameFound(o Item) bool {
	return it.Value == o.Value && it.Marked == o.Marked &&
		(it.Found == o.Found || it.Deviates() == o.Deviates() && it.Overridden() == o.Overridden())
}

// Marking is implemented by values that have the mark of ownership in them: flows,
// whose cookie it is.
type Marking interface {
	Value
	// WithoutMark is the value as it is for every owner.
	WithoutMark() Value
}

// SameButMark reports whether two values differ in nothing but the mark of ownership.
func SameButMark(a, b Value) bool {
	if a == b {
		return true
	}
	x, ok := a.(Marking)
	y, also := b.(Marking)
	return ok && also && x.WithoutMark() == y.WithoutMark()
}
