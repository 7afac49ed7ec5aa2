package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// process is a child that runs until it is told to end.
type process struct {
	*exec.Cmd
	ended chan struct{}
	err   error // valid once ended is closed
}

// start runs the controller and waits until it answers on its socket.
func (n *node) start(ctx context.Context) error {
	log, err := os.OpenFile(n.path("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(n.bin, "run", "--config", n.path("bgp-ovn.yaml"))
	cmd.Stdout, cmd.Stderr = log, log
	err = errors.Join(n.spawn(cmd), log.Close())
	if err != nil {
		return fmt.Errorf("start the controller of %s: %w", n.name, err)
	}
	p := &process{Cmd: cmd, ended: make(chan struct{})}
	n.controller = p
	go func() {
		p.err = cmd.Wait()
		close(p.ended)
	}()
	err = await(ctx, func() (bool, error) {
		select {
		case <-p.ended:
			return false, fmt.Errorf("it ended: %w", p.err)
		default:
		}
		conn, err := net.Dial("unix", n.path("control.sock"))
		if err != nil {
			return false, nil
		}
		return true, conn.Close()
	})
	if err != nil {
		return fmt.Errorf("wait for the controller of %s: %w", n.name, err)
	}
	return nil
}

// spawn starts a child in the node's namespace that dies with us.
func (n *node) spawn(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return n.ns.Do(cmd.Start)
}

// end sends the controller a signal and waits for its end.
func (n *node) end(ctx context.Context, sig os.Signal) error {
	if err := n.controller.Process.Signal(sig); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("the controller of %s does not end: %w", n.name, context.Cause(ctx))
	case <-n.controller.ended:
	}
	if sig == syscall.SIGKILL {
		return nil
	}
	return n.controller.err
}

// CLI runs a bgp-ovn command on the node and demands an exit status.
func (n *node) CLI(ctx context.Context, exit int, args ...string) (string, error) {
	out, got, err := n.command(ctx, args...)
	if err == nil && got != exit {
		err = fmt.Errorf("bgp-ovn %s ended with %d, want %d:\n%s", strings.Join(args, " "), got, exit, out)
	}
	return out, err
}

// command returns what it prints; on errors also what it says.
func (n *node) command(ctx context.Context, args ...string) (text string, exit int, err error) {
	cmd := exec.CommandContext(ctx, n.bin, append(args, "--config", n.path("bgp-ovn.yaml"), "--log-level", "error")...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := n.spawn(cmd); err != nil {
		return "", 0, fmt.Errorf("bgp-ovn %s: %w", args[0], err)
	}
	var status *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &status) {
		return "", 0, fmt.Errorf("bgp-ovn %s: %w", args[0], err)
	}
	return out.String() + errs.String(), cmd.ProcessState.ExitCode(), ctx.Err()
}

// healthy waits until the controller finds nothing wrong.
func (n *node) healthy(ctx context.Context) (status string, err error) {
	err = await(ctx, func() (bool, error) {
		text, exit, err := n.command(ctx, "status")
		status = text
		return exit == 0, err
	})
	if err != nil {
		return "", fmt.Errorf("%s is not well: %w:\n%s", n.name, err, status)
	}
	return status, nil
}

// tail is the end of the controller's log.
func (n *node) tail() string {
	text, err := os.ReadFile(n.path("log"))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return n.name + ": " + strings.Join(lines[max(0, len(lines)-8):], "\n"+n.name+": ")
}
