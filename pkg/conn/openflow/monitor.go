package openflow

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// The pause before a monitor that ended is started again.
	firstPause = 20 * time.Millisecond
	lastPause  = 5 * time.Second
	// pollPause is how often a bridge that does not answer is tried, without
	// starting a process.
	pollPause = 100 * time.Millisecond
)

// Watcher receives what a monitor sees.
type Watcher interface {
	// Attached is called once every later change is told of; what changed before is not.
	Attached()
	// Changed is called with the line that ovs-ofctl prints for a change.
	Changed(line string)
	// Missed is called when changes may not have been told of.
	Missed()
	// Detached is called when nothing is told of any more, until Attached.
	Detached()
	// Absent is called again and again while the bridge does not answer; gone says that
	// ovs-vswitchd runs without it.
	Absent(gone bool)
}

// Monitor keeps one "ovs-ofctl monitor" running for a bridge, as long as the
// bridge exists.
type Monitor struct {
	Tool    Tool
	Bridge  string
	Log     *slog.Logger
	Watcher Watcher
}

// Run ends with ctx; the child has then ended, too.
func (m *Monitor) Run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		if !m.Tool.Answers(ctx, m.Bridge) {
			m.Watcher.Absent(!m.Tool.HaveSocket(m.Bridge) && m.Tool.Running(ctx))
			wait(ctx, pollPause)
			continue
		}
		attached, err := m.watch(ctx)
		m.Log.Debug("flow monitor ended", "attached", attached, "err", err)
		if attached {
			pause = firstPause
		}
		wait(ctx, pause)
		pause = min(2*pause, lastPause)
	}
}

// watch runs one child to its end.
func (m *Monitor) watch(ctx context.Context) (attached bool, err error) {
	// The kernel sends the death signal when the thread that forked ends, not
	// the process: the thread must outlive the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	out, err := m.start(ctx)
	if err != nil {
		return false, err
	}
	defer out.Close()
	attached = m.follow(out)
	if attached && ctx.Err() == nil {
		m.Watcher.Detached()
	}
	if err := out.cmd.Wait(); err != nil {
		return attached, fmt.Errorf("monitor flows: %w", err)
	}
	return attached, nil
}

// child is the output of a running command.
type child struct {
	*os.File
	cmd *exec.Cmd
}

func (m *Monitor) start(ctx context.Context) (*child, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	defer w.Close()
	cmd := m.Tool.watch(ctx, m.Bridge)
	// The answer to the request goes to stdout and every later message to
	// stderr.
	cmd.Stdout, cmd.Stderr = w, w
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		r.Close()
		return nil, fmt.Errorf("start flow monitor: %w", err)
	}
	return &child{r, cmd}, nil
}

// follow reads what the child prints until it ends.
func (m *Monitor) follow(out io.Reader) (attached bool) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return attached
		}
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "event="):
			m.Watcher.Changed(line)
		// NXST_FLOW_MONITOR, ONFST_ or OFPST_, by version. The first one is the
		// answer to the request.
		case !attached && strings.Contains(line, "FLOW_MONITOR reply"):
			attached = true
			m.Watcher.Attached()
		// The switch stops reporting to a reader who is too slow.
		case strings.Contains(line, "FLOW_MONITOR_PAUSED"), strings.Contains(line, "FLOW_MONITOR_RESUMED"):
			m.Watcher.Missed()
		}
	}
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
