package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// FuzzSkip holds the decoder against encoding/json.
func FuzzSkip(f *testing.F) {
	for _, s := range []string{
		`{"a": [1, -2.5e+7, true, null, "x\u00e9\ud83d\ude00\n"], "b": {}}`, `[]`, `"`, `{"a" 1}`, `[1,]`, `01`, `nul`,
		`"\ud800"`, "\"\x01\"",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		d := NewDecoder(iotest.OneByteReader(bytes.NewReader(text)))
		raw := d.Raw()
		ok := d.Err() == nil
		if ok && d.Wait() {
			ok = false
		}
		ok = ok && errors.Is(d.Err(), io.EOF)
		if bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > maxDepth || !utf8.Valid(text) {
			return
		}
		if want := json.Valid(text); ok != want {
			t.Fatalf("%q: accepted %t, encoding/json %t (%v)", text, ok, want, d.Err())
		}
		if !ok {
			return
		}
		var have, want any
		if err := json.Unmarshal(text, &want); err != nil {
			return // a number out of range
		}
		if err := json.Unmarshal(raw, &have); err != nil || !reflect.DeepEqual(have, want) {
			t.Fatalf("%q became %q: %v", text, raw, err)
		}
	})
}
