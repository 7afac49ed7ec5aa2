package main

import (
	"path/filepath"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
)

const schemas = "../../docs/api"

// TestAnswersHaveSchemas holds what commands print of every snapshot with -o json to
// docs/api. Package agent does that of a running controller.
func TestAnswersHaveSchemas(t *testing.T) {
	files, err := filepath.Glob(fixtures + "*-*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("%v: %d snapshots", err, len(files))
	}
	out, errs, exit := run(t, nil, "doctor", "--wait", "1s", "-o", "json")
	if err := apischema.Validate(schemas, "doctor", []byte(out)); err != nil || exit == exitError {
		t.Errorf("doctor: exit %d, %v: %s", exit, err, errs)
	}
	for _, file := range files {
		if filepath.Base(file) == "expected-evpn.json" {
			continue
		}
		for _, tt := range []struct {
			schema string
			args   []string
		}{
			{"plan", []string{"plan"}},
			{"desired", []string{"desired"}},
			{"evpn", []string{"evpn"}},
			{"explain", []string{"explain", "172.24.4.100"}},
			{"explain", []string{"explain", "2001:db8::1"}},
			{"found", []string{"explain", "0.0.0.0/0"}},
		} {
			args := append(tt.args, "--snapshot", file, "--chassis", "hv1", "-o", "json")
			out, errs, exit := run(t, nil, args...)
			if exit == exitError {
				t.Fatalf("%v: %s", args, errs)
			}
			if err := apischema.Validate(schemas, tt.schema, []byte(out)); err != nil {
				t.Errorf("%v: %v", args, err)
			}
		}
	}
}
