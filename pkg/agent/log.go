package agent

import (
	"io"
	"log/slog"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

// NewLogger returns a logger that writes to w in the form that is configured, and
// whose level is level's. It sets level to the configured one.
func NewLogger(w io.Writer, c config.Log, level *slog.LevelVar) *slog.Logger {
	level.Set(c.Level)
	opts := &slog.HandlerOptions{Level: level}
	if c.JSON {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}
