package key

import "reflect"

// Removed is what is written in the place of a secret.
const Removed = "(removed)"

// Secrets returns the values of all keys that are [Key.Secret], in elements too, as they
// may stand in a text. What is one is said by the table alone, never by what a value looks
// like. Empty ones are left out.
func Secrets(table []Key) []string {
	var out []string
	for _, k := range table {
		if k.Secret {
			if v := reflect.ValueOf(k.target).Elem(); v.Kind() == reflect.String && v.Len() > 0 {
				out = append(out, v.String())
			}
		}
		if k.inner == nil {
			continue
		}
		for _, element := range k.inner() {
			out = append(out, Secrets(element)...)
		}
	}
	return out
}

// SecretNames returns the names of all keys that are [Key.Secret], those of elements as
// LIST[].KEY.
func SecretNames(table []Key) []string {
	var out []string
	for _, k := range table {
		if k.Secret {
			out = append(out, k.Name)
		}
		for _, name := range SecretNames(k.Fields) {
			out = append(out, k.Name+"[]."+name)
		}
	}
	return out
}
