package object

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestUnmarshalIsTheInverse: snapshot files hold EVPN paths, and the fields of
// the unicast ones are made of the same types.
func TestUnmarshalIsTheInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawValue(t)
		switch want.(type) {
		case EVPNPath, Path, Neigh:
		default:
			return
		}
		raw, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := reflect.New(reflect.TypeOf(want))
		if err := json.Unmarshal(raw, got.Interface()); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		if got.Elem().Interface() != any(want) {
			t.Fatalf("%s: got %#v, want %#v", raw, got.Elem(), want)
		}
	})
}

func TestUnmarshal(t *testing.T) {
	type record struct {
		Words  Words
		MAC    MAC
		Origin Origin
		Family Family
		Hop    NextHop
		Metric Metric
	}
	for text, want := range map[string]record{
		`{"Words":"","Metric":null,"Hop":"self"}`: {},
		`{"Words":"b,a","MAC":"FA:16:3e:00:00:01","Origin":"incomplete","Family":"l2vpn-evpn","Metric":0}`: {
			Words: WordsOf("a", "b"), MAC: MAC{0xfa, 0x16, 0x3e, 0, 0, 1}, Origin: OriginIncomplete, Family: L2VPNEVPN,
			Metric: MetricOf(0),
		},
	} {
		var got record
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{
		`{"Words":"a b"}`, `{"MAC":""}`, `{"MAC":"fa:16"}`, `{"Origin":"any"}`, `{"Family":"vpnv4"}`, `{"Hop":"me"}`,
		`{"Metric":"1"}`, `{"Metric":-1}`, `{"Metric":4294967296}`,
	} {
		var got record
		if err := json.Unmarshal([]byte(text), &got); err == nil {
			t.Errorf("%s: got %+v, want an error", text, got)
		}
	}
}
