package key

// Kind says which form a written value has.
type Kind uint8

// The forms of values.
const (
	Null   Kind = iota // nothing: a key without a value
	Scalar             // one text
	List               // values in order
	Map                // values by name
)

// Node is a value as it was written, wherever that was. Files, flags and variables
// become nodes first, so that one function of each key reads them all.
type Node struct {
	Place
	Kind Kind
	// Text is that of a scalar, without quotes.
	Text string
	// Items are the values of a list.
	Items []Node
	// Fields are the values of a map, in the order in which they were written.
	Fields []Field
	// adds says that a map adds to what is there instead of replacing it.
	adds bool
}

// Field is one entry of a map.
type Field struct {
	Place
	Name  string
	Value Node
}

// What each kind is called in messages.
func (k Kind) String() string {
	switch k {
	case Null:
		return "nothing"
	case Scalar:
		return "a single value"
	case List:
		return "a list"
	case Map:
		return "a group of keys"
	default:
		return "unknown"
	}
}
