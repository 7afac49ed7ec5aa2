package ovsdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// dialTimeout bounds connecting, so that a server is found soon after a network that has
// swallowed our packets takes them again; handshakeTimeout bounds the TLS handshake, for
// which a server needs to be idle.
const (
	dialTimeout      = 3 * time.Second
	handshakeTimeout = 10 * time.Second
)

// remote is one address of the database (ovsdb(7), "Active").
type remote struct {
	text    string
	network string // unix or tcp
	address string
	tls     bool
}

// String is the address as it was configured.
func (r remote) String() string { return r.text }

func parseRemotes(texts []string) ([]remote, error) {
	var out []remote
	var errs []error
	for _, text := range texts {
		r, err := parseRemote(strings.TrimSpace(text))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		out = append(out, r)
	}
	return out, errors.Join(errs...)
}

func parseRemote(text string) (remote, error) {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok {
		return remote{}, fmt.Errorf("remote %q: unix:/path, tcp:host:port or ssl:host:port was expected", text)
	}
	switch scheme {
	case "unix":
		// libovsdb turns a relative path into another database's default.
		if !filepath.IsAbs(rest) {
			return remote{}, fmt.Errorf("remote %q: the path of a unix socket must be absolute", text)
		}
		return remote{text: text, network: "unix", address: rest}, nil
	case "tcp", "ssl":
		if err := checkHostPort(rest); err != nil {
			return remote{}, fmt.Errorf("remote %q: %w", text, err)
		}
		return remote{text: text, network: "tcp", address: rest, tls: scheme == "ssl"}, nil
	}
	return remote{}, fmt.Errorf("remote %q: %q is not one of unix, tcp, ssl", text, scheme)
}

// checkHostPort finds at start what dialling would only report later, each time.
func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return fmt.Errorf("host:port or [ipv6]:port was expected: %w", err)
	}
	if host == "" {
		return errors.New("the host is missing")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("%q is not a port", port)
	}
	return nil
}

// dial connects. TLS files are read each time, because certificates are
// renewed while we run.
func (r remote) dial(ctx context.Context, files TLS) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var cfg *tls.Config
	if r.tls {
		var err error
		if cfg, err = files.load(); err != nil {
			return nil, err
		}
	}
	var d net.Dialer
	conn, err := d.DialContext(limited, r.network, r.address)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			return nil, op.Err // "connect: connection refused"; we know the address
		}
		return nil, fmt.Errorf("connect: %w", err)
	}
	if cfg == nil {
		return conn, nil
	}
	secure := tls.Client(conn, cfg)
	limited, cancel = context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	if err := secure.HandshakeContext(limited); err != nil {
		conn.Close()
		return nil, fmt.Errorf("tls handshake: %w", err)
	}
	return secure, nil
}
