package agent_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

// TestFilesOnly: a node refuses what it has no facts for, and says what to do.
func TestFilesOnly(t *testing.T) {
	for text, want := range map[string]string{
		"drivers: [ovn_native_driver]\nbgp: {as: 65001}\nnative: {require_kernel: true}": "leave it false",
	} {
		path := filepath.Join(t.TempDir(), "config.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, problems := config.Load(config.Source{Path: path})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		_, err := agent.OpenPreview(t.Context(), s, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
