package actual

import "github.com/bgp-ovn/bgp-ovn/pkg/desired/object"

// Witness is a backend that is told who changed what.
type Witness interface {
	// ChangedBy names who changed the object last, other than we, such as "ip[1234]" or
	// "the kernel"; empty if that is not known.
	ChangedBy(v object.Value) string
}

// ChangedBy asks the backend that holds the object. Most systems do not tell.
func (r *Reader) ChangedBy(v object.Value) string {
	b, ok := r.Of(v.Key().Kind)
	if !ok {
		return ""
	}
	w, ok := b.(Witness)
	if !ok {
		return ""
	}
	return w.ChangedBy(v)
}
