package config

import (
	"strings"
	"unicode"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// maxSocketPath is what fits into sockaddr_un with its final zero (unix(7)).
const maxSocketPath = 107

// pathKey declares a key of a path that has to be there. Limit is how many octets it
// may have; 0 is no limit.
func pathKey(target *string, name, help string, limit int) key.Key {
	parse := func(text string) (string, error) {
		switch {
		case strings.TrimSpace(text) == "":
			return "", key.Wrong("write a path, or leave the key out", "an empty path")
		case strings.ContainsFunc(text, unicode.IsControl):
			return "", key.Wrong("write it without", "%s has control characters", key.Quote(text))
		case limit > 0 && len(text) > limit:
			return "", key.Wrong("choose a shorter one", "%s is longer than the %d bytes that the path of a socket can have",
				key.Quote(text), limit)
		}
		return text, nil
	}
	return key.Parsed(target, name, "string", help, parse, func(s string) string { return s })
}

// checkSocket wants unix: and an absolute path that a socket can have.
func checkSocket(text string) error {
	path, ok := strings.CutPrefix(text, "unix:")
	switch {
	case !ok || !strings.HasPrefix(path, "/") || strings.ContainsFunc(path, unicode.IsControl):
		return key.Wrong("use unix:/absolute/path, or leave it out", "%s is no socket", key.Quote(text))
	case len(path) > maxSocketPath:
		return key.Wrong("choose a shorter one", "%s is longer than the %d bytes that the path of a socket can have",
			key.Quote(text), maxSocketPath)
	}
	return nil
}

// checkLocalDatabase is checkRemote for the Open_vSwitch database, whose client takes
// less: it reads the address as a URL, and has no certificates.
func checkLocalDatabase(text string) error {
	if err := checkRemote(text); err != nil {
		return err
	}
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case kind == "ssl":
		return key.Wrong("use unix:/absolute/path or tcp:IP:PORT",
			"%s: there are no certificates for the Open_vSwitch database", key.Quote(text))
	case strings.ContainsAny(rest, "?#%"):
		return key.Wrong("use an address without", "%s has one of the characters ? # %%", key.Quote(text))
	case strings.HasPrefix(rest, "//"):
		return key.Wrong("write one slash", "%s begins with two slashes", key.Quote(text))
	}
	return nil
}
