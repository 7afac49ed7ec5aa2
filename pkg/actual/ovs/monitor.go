package ovs

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

// watcher receives what a monitor sees.
type watcher interface {
	attach()
	notice(event)
	unreadable()
	detach()
	absent(gone bool)
}

// monitor keeps one "ovs-ofctl monitor" running for a bridge, as long as the
// bridge exists.
type monitor struct {
	tool    ofctl
	bridge  string
	log     *slog.Logger
	watcher watcher
}

// run ends with ctx; the child has then ended, too.
func (m *monitor) run(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		if !m.tool.answers(ctx, m.bridge) {
			m.watcher.absent(!m.tool.haveSocket(m.bridge) && m.tool.running(ctx))
			wait(ctx, pollPause)
			continue
		}
		attached, err := m.watch(ctx)
		m.log.Debug("flow monitor ended", "attached", attached, "err", err)
		if attached {
			pause = firstPause
		}
		wait(ctx, pause)
		pause = min(2*pause, lastPause)
	}
}

// watch runs one child to its end.
func (m *monitor) watch(ctx context.Context) (attached bool, err error) {
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
		m.watcher.detach()
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

func (m *monitor) start(ctx context.Context) (*child, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make pipe: %w", err)
	}
	defer w.Close()
	cmd := m.tool.watch(ctx, m.bridge)
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
func (m *monitor) follow(out io.Reader) (attached bool) {
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return attached
		}
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "event="):
			m.event(line)
		// NXST_FLOW_MONITOR, ONFST_ or OFPST_, by version. The first one is the
		// answer to the request.
		case !attached && strings.Contains(line, "FLOW_MONITOR reply"):
			attached = true
			m.watcher.attach()
		// The switch stops reporting to a reader who is too slow.
		case strings.Contains(line, "FLOW_MONITOR_PAUSED"), strings.Contains(line, "FLOW_MONITOR_RESUMED"):
			m.watcher.unreadable()
		}
	}
}

func (m *monitor) event(line string) {
	e, err := parseEvent(line)
	if err != nil {
		m.log.Debug("unreadable flow event", "err", err)
		m.watcher.unreadable()
		return
	}
	m.watcher.notice(e)
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
