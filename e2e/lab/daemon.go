package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// grace is how long a daemon may take to end by itself.
const grace = 2 * time.Second

// Daemon is one process of the lab, to be stopped, started, frozen or killed
// by tests of what the product does then. [Node.Daemon] makes one.
type Daemon struct {
	Name string

	node  *Node
	args  []string
	log   string                              // what it writes, its own log and its output
	ready func(context.Context) (bool, error) // asked until true after a start
	leave func(context.Context) error         // asks it to end; nil for SIGTERM
	// crashes says that a signal may end it while it starts, by a defect of its own: it
	// is started once more then.
	crashes bool

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{} // closed once it has ended
	end    error         // how it ended, once exited is closed
}

// registry remembers daemons in the order of their first start.
type registry struct {
	mu   sync.Mutex
	list []*Daemon
}

func (r *registry) add(d *Daemon) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, d)
}

// closeDaemons ends them all at once; what does not end in time is killed.
func (l *Lab) closeDaemons() {
	l.daemons.mu.Lock()
	defer l.daemons.mu.Unlock()
	var wg sync.WaitGroup
	for _, d := range l.daemons.list {
		wg.Add(1)
		go func() {
			defer wg.Done()
			d.kill()
		}()
	}
	wg.Wait()
}

// Daemon declares a program that is to run in the node, such as the product:
// args[0] is the program, its output goes to NAME.out in the node's directory.
// Start asks ready, if there is one, until it reports true. The process ends
// with the lab, and with ours even if we are killed.
func (n *Node) Daemon(name string, ready func(context.Context) (bool, error), args ...string) *Daemon {
	d := &Daemon{Name: n.Name + "/" + name, node: n, args: args, ready: ready}
	d.log = filepath.Join(n.Dir, name+".out")
	n.lab.daemons.add(d)
	return d
}

// Start starts it and waits until it is ready. On a running daemon it does
// nothing.
func (d *Daemon) Start(ctx context.Context) error {
	if d.Running() {
		return nil
	}
	err := d.startOnce(ctx)
	var exit *exec.ExitError
	if err != nil && d.crashes && errors.As(err, &exit) && exit.ProcessState.ExitCode() == -1 { // by a signal
		err = d.startOnce(ctx)
	}
	return err
}

func (d *Daemon) startOnce(ctx context.Context) error {
	if err := d.launch(); err != nil {
		return fmt.Errorf("start %s: %w", d.Name, err)
	}
	if d.ready == nil {
		return nil
	}
	err := harness.Await(ctx, d.Name+" to be ready", func(ctx context.Context) (bool, error) {
		if !d.Running() {
			return true, fmt.Errorf("it ended: %w", d.ended())
		}
		return d.ready(ctx)
	})
	if err != nil {
		return fmt.Errorf("start %s: %w\n%s", d.Name, err, d.Tail(15))
	}
	return nil
}

func (d *Daemon) launch() error {
	out, err := os.OpenFile(d.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(d.args[0], d.args[1:]...)
	cmd.Env = append(os.Environ(), d.node.env...)
	cmd.Dir = filepath.Dir(d.log)
	cmd.Stdout, cmd.Stderr = out, out
	if err := d.node.lab.starter.Start(d.node.ns, cmd); err != nil {
		return err
	}
	exited := make(chan struct{})
	d.mu.Lock()
	d.cmd, d.exited = cmd, exited
	d.mu.Unlock()
	go func() {
		err := cmd.Wait()
		d.mu.Lock()
		if d.exited == exited {
			d.end = err
		}
		d.mu.Unlock()
		close(exited)
	}()
	return nil
}

// ended says how it ended: a crash is in no log.
func (d *Daemon) ended() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.end == nil {
		return errors.New("with exit status 0")
	}
	return d.end
}

// Running says whether the process exists, frozen or not.
func (d *Daemon) Running() bool {
	_, exited := d.process()
	select {
	case <-exited:
		return false
	default:
		return exited != nil
	}
}

// PID is the process id, 0 if it was never started.
func (d *Daemon) PID() int {
	if p, _ := d.process(); p != nil {
		return p.Pid
	}
	return 0
}

func (d *Daemon) process() (*os.Process, chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cmd == nil {
		return nil, nil
	}
	return d.cmd.Process, d.exited
}

// Stop ends it in the orderly way and waits for its end.
func (d *Daemon) Stop(ctx context.Context) error {
	process, exited := d.process()
	if !d.Running() {
		return nil
	}
	leave := d.leave
	if leave == nil {
		leave = func(context.Context) error { return process.Signal(syscall.SIGTERM) }
	}
	if err := leave(ctx); err != nil && d.Running() {
		return fmt.Errorf("stop %s: %w", d.Name, err)
	}
	ctx, cancel := harness.WithPatience(ctx)
	defer cancel()
	select {
	case <-exited:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop %s: %w\n%s", d.Name, ctx.Err(), d.Tail(15))
	}
}

// Kill ends it with SIGKILL, as a crash would, and waits for its end.
func (d *Daemon) Kill() error {
	process, exited := d.process()
	if !d.Running() {
		return nil
	}
	if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", d.Name, err)
	}
	<-exited
	return nil
}

// Freeze stops it in its tracks: its connections stay open and nobody answers.
func (d *Daemon) Freeze() error { return d.signal(syscall.SIGSTOP) }

// Thaw lets a frozen daemon go on.
func (d *Daemon) Thaw() error { return d.signal(syscall.SIGCONT) }

func (d *Daemon) signal(s syscall.Signal) error {
	process, _ := d.process()
	if process == nil {
		return fmt.Errorf("signal %s: never started", d.Name)
	}
	return process.Signal(s)
}

// kill is for the end of the lab: first politely, then not.
func (d *Daemon) kill() {
	process, exited := d.process()
	if !d.Running() {
		return
	}
	// A frozen process sees SIGTERM only once it is thawed.
	_ = process.Signal(syscall.SIGTERM)
	_ = process.Signal(syscall.SIGCONT)
	select {
	case <-exited:
	case <-time.After(grace):
		_ = d.Kill()
	}
}

// Tail returns the last lines that it wrote.
func (d *Daemon) Tail(lines int) string {
	var out []string
	for _, path := range []string{d.log, strings.TrimSuffix(d.log, ".out") + ".log"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // not every daemon has both
		}
		all := strings.Split(strings.TrimSpace(string(text)), "\n")
		out = append(out, all[max(0, len(all)-lines):]...)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
