package unixctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
)

// ErrNotThere says that no socket of the daemon takes a connection.
var ErrNotThere = errors.New("no control socket takes a connection")

// maxAnswer bounds an answer: a trace through all tables of OVN has some 100 KiB.
const maxAnswer = 16 << 20

// Call has a daemon run one command, as ovs-appctl does, and returns what it prints. The
// context bounds how long it may take.
func Call(ctx context.Context, dir, name, method string, args ...string) (string, error) {
	paths, _ := filepath.Glob(filepath.Join(dir, name+".*.ctl")) // the pattern is well-formed
	var dialer net.Dialer
	for _, path := range paths {
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err != nil {
			continue // of a process that is gone
		}
		return call(ctx, conn, method, args)
	}
	return "", fmt.Errorf("%s in %s: %w", name, dir, ErrNotThere)
}

func call(ctx context.Context, conn net.Conn, method string, args []string) (string, error) {
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return "", fmt.Errorf("%s: %w", method, err)
		}
	}
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if args == nil {
		args = []string{}
	}
	if err := json.NewEncoder(conn).Encode(map[string]any{"id": 0, "method": method, "params": args}); err != nil {
		return "", fmt.Errorf("%s: %w", method, err)
	}
	var answer struct {
		Result string `json:"result"`
		Error  any    `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxAnswer)).Decode(&answer); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", fmt.Errorf("%s: %w", method, err)
	}
	if answer.Error != nil {
		return "", fmt.Errorf("%s: %v", method, answer.Error)
	}
	return answer.Result, nil
}
