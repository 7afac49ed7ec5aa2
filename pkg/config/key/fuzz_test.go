package key

import (
	"slices"
	"strings"
	"testing"
)

// FuzzItems holds that the items of an element are what was joined, whatever is in
// them, if each is quoted.
func FuzzItems(f *testing.F) {
	f.Add("a", `b,"c`)
	f.Add("", `""`)
	f.Add(" ", "\n,")
	f.Fuzz(func(t *testing.T, a, b string) {
		quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		parts, whole := commaParts(quote(a) + "," + quote(b))
		if !whole || !slices.Equal(parts, []string{a, b}) {
			t.Errorf("%q and %q become %q, %v", a, b, parts, whole)
		}
		commaParts(a) // must end
		var x part
		var r Reading
		r.items(b, partKeys(&x), Place{}, "x")
	})
}
