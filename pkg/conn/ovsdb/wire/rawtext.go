package wire

// Raw reads a value of any type and returns its text; for small messages that
// are handed to encoding/json, or sent back as they are.
func (d *Decoder) Raw() []byte { return d.appendRaw(nil) }

// appendRaw writes the value without white space, which is all that is lost.
func (d *Decoder) appendRaw(out []byte) []byte {
	if len(out) > MaxRaw {
		d.Fail("a value of more than %d bytes that has to be kept as text", MaxRaw)
		return nil
	}
	switch d.peek() {
	case '{':
		out = append(out, '{')
		n := len(out)
		for d.Open('{'); d.More(); {
			if len(out) > n {
				out = append(out, ',')
			}
			out = appendString(out, string(d.Key()))
			out = append(out, ':')
			out = d.appendRaw(out)
		}
		return append(out, '}')
	case '[':
		out = append(out, '[')
		n := len(out)
		for d.Open('['); d.More(); {
			if len(out) > n {
				out = append(out, ',')
			}
			out = d.appendRaw(out)
		}
		return append(out, ']')
	case '"':
		return appendString(out, string(d.text()))
	default:
		return append(out, d.scalar()...)
	}
}
