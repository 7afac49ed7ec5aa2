package object

import "testing"

func TestRouteDistinguishersAndTargets(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.1:65535": "192.0.2.1:65535", "64999:4294967295": "64999:4294967295", "4200000000:65535": "4200000000:65535",
		"064999:01001": "64999:1001",
	} {
		if got, err := ParseRD(text); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
		if got, err := RouteTargetsOf(text); err != nil || got.String() != want {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "1001", "192.0.2.1:65536", "64999:4294967296", "4200000000:65536", "2001:db8::1:7",
		"None:1001", "4294967296:1",
	} {
		if got, err := ParseRD(text); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
		if got, err := RouteTargetsOf(text); err == nil {
			t.Errorf("%s: got %q, want an error", text, got)
		}
	}
}
