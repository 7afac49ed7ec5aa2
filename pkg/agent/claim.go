package agent

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/listen"
)

// claimName is held by whatever writes to the kernel of a network namespace.
const claimName = "bgp-ovn/controller"

// claim makes sure that nobody else of us writes in this network namespace, until c is
// closed. Two with state files of their own would undo each other's changes for
// ever. Command says what is done, to the one who comes second.
func claim(c *closing, command string, s config.Settings, log *slog.Logger) error {
	held, err := listen.Claim(claimName, listen.Holder{Command: command, State: s.StateFile, Socket: s.Socket})
	var taken *listen.TakenError
	var unprivileged *listen.UnprivilegedError
	switch {
	case err == nil:
		c.onClose(held.Close)
		return nil
	case errors.As(err, &taken):
		return fmt.Errorf("another bgp-ovn writes in this network namespace, and two would undo each other's changes: "+
			"%w; stop it, or run this one in another network namespace", taken)
	case errors.As(err, &unprivileged):
		log.Warn("the name by which a second controller would be noticed is taken by a process that is none: end it",
			"name", "@"+claimName, "err", err)
		return nil
	default:
		return fmt.Errorf("claim this network namespace (@%s): %w", claimName, err)
	}
}
