package agent

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// DefaultSpeaker is where the speaker process listens unless it is told otherwise.
const DefaultSpeaker = "unix:/run/bgp-ovn/speaker.sock"

// ServeSpeaker is a process that does nothing but BGP, until ctx ends. Whoever may
// open the socket at listen (unix:/path) decides what this node announces.
func ServeSpeaker(ctx context.Context, listen, version string, log *slog.Logger) error {
	err := speaker.Serve(ctx, listen, log, func() {
		log.Info("speaker runs", "version", version, "socket", listen)
		notify(log, stateReady)
	})
	if err != nil {
		return fmt.Errorf("speaker: %w", err)
	}
	notify(log, stateStopping)
	return nil
}
