package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// tableNames reads the files that match the patterns, in order. A file that is
// missing is not an error, a line that cannot be read is a problem and nothing
// more: iproute2 itself skips both.
func tableNames(patterns []string) (tables []observe.RoutingTable, problems []string, err error) {
	for _, pattern := range patterns {
		files, err := filepath.Glob(pattern)
		if err != nil {
			return nil, nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, nil, err
			}
			named, bad := parseTables(string(text))
			for _, p := range bad {
				problems = append(problems, file+": "+p)
			}
			for _, t := range named {
				if !slices.Contains(tables, t) {
					tables = append(tables, t)
				}
			}
		}
	}
	return tables, problems, nil
}

// parseTables reads lines of a number and a name; what follows is a comment.
func parseTables(text string) (tables []observe.RoutingTable, problems []string) {
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		id, err := strconv.ParseUint(words[0], 0, 32)
		if err != nil || len(words) < 2 || len(words) > 2 && !strings.HasPrefix(words[2], "#") {
			problems = append(problems, fmt.Sprintf("line %d: %q is not a number and a name", i+1, line))
			continue
		}
		tables = append(tables, observe.RoutingTable{ID: uint32(id), Name: words[1]})
	}
	return tables, problems
}
