package vswitch

import (
	"strings"
	"testing"
)

func TestCheckEndpoint(t *testing.T) {
	for endpoint, good := range map[string]bool{
		"unix:/run/db.sock":                 true,
		"tcp:127.0.0.1:6640":                true,
		"tcp:[::1]:6640":                    true,
		"tcp:host.example:6640":             true,
		"unix:run/db.sock":                  false,
		"unix:":                             false,
		"unix://host/db.sock":               false,
		"unix:/run/a?b":                     false,
		"unix:/" + strings.Repeat("x", 107): false,
		"tcp:":                              false,
		"tcp:127.0.0.1":                     false,
		"tcp:127.0.0.1:0":                   false,
		"tcp::6640":                         false,
		"tcp:127.0.0.1:66400":               false,
		"ssl:127.0.0.1:6640":                false, // without a certificate
		"ptcp:6640":                         false,
		"/run/db.sock":                      false,
		"tcp:a:1,tcp:b:1":                   false,
	} {
		if err := checkEndpoint(endpoint, false); (err == nil) != good {
			t.Errorf("%s: got %v, want good %t", endpoint, err, good)
		} else if err != nil {
			t.Log(err)
		}
	}
	if err := checkEndpoint("ssl:[2001:db8::1]:6640", true); err != nil {
		t.Error(err)
	}
}
