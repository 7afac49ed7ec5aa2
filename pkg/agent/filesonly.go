package agent

import (
	"errors"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

// filesOnly refuses what of a configuration works with snapshot files alone: on a node it
// would announce nothing, for facts that nothing reads there.
func filesOnly(s config.Settings) error {
	if len(s.FilesOnly) == 0 {
		return nil
	}
	return errors.New(strings.Join(s.FilesOnly, "; "))
}
