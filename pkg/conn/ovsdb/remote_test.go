package ovsdb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
)

func TestCloseWhileTrying(t *testing.T) {
	s := open(t, ovsdb.Config{Remotes: []string{"unix:/nowhere/sb.sock"}, BackoffMin: time.Hour, BackoffMax: time.Hour})
	eventually(t, "the first attempt", func() bool { return len(s.Status().Errors) == 1 })
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestRemotesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "unix:/path, tcp:host:port or ssl:host:port was expected",
		"unix:run/sb.sock": "must be absolute",
		"tcp:127.0.0.1":    "missing port",
		"tcp:::1:6642":     "too many colons",
		"tcp:[::1]:0":      `"0" is not a port`,
		"tcp::6642":        "the host is missing",
		"ptcp:6642":        `"ptcp" is not one of unix, tcp, ssl`,
		"ssl:[::1]:6642":   "certificate of the CA",
	} {
		_, err := ovsdb.Follow(t.Context(), networkDatabase, ovsdb.Config{Remotes: []string{text}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
