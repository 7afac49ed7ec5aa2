package vswitch

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
)

// maxSocketPath is what fits into sockaddr_un with its final zero.
const maxSocketPath = 107

// checkEndpoint refuses what libovsdb would misread: it replaces a relative
// path or an empty address by a default without a notification, and reads the rest as
// a URL.
func checkEndpoint(endpoint string, haveTLS bool) error {
	scheme, rest, _ := strings.Cut(endpoint, ":")
	var err error
	switch scheme {
	case "unix":
		err = checkSocketPath(rest)
	case "ssl":
		if !haveTLS {
			return fmt.Errorf("endpoint %q: ssl needs a certificate and key", endpoint)
		}
		err = checkHostPort(rest)
	case "tcp":
		err = checkHostPort(rest)
	default:
		err = fmt.Errorf("it must start with unix:, tcp: or ssl:")
	}
	if err != nil {
		return fmt.Errorf("endpoint %q: %w", endpoint, err)
	}
	return nil
}

func checkSocketPath(path string) error {
	switch {
	case !filepath.IsAbs(path):
		return fmt.Errorf("the path is not absolute")
	case strings.HasPrefix(path, "//"):
		return fmt.Errorf("the path starts with two slashes")
	case len(path) > maxSocketPath:
		return fmt.Errorf("the path is longer than %d bytes, the limit of a socket path", maxSocketPath)
	case strings.ContainsAny(path, "?#%"):
		return fmt.Errorf("the path has one of the characters ? # %%")
	}
	return nil
}

func checkHostPort(address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if host == "" {
		return fmt.Errorf("the host is missing")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	if strings.ContainsAny(address, "?#%/") {
		return fmt.Errorf("the host has one of the characters ? # %% /")
	}
	return nil
}
