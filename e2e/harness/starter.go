package harness

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Starter starts processes in namespaces, all from one thread of its own.
// Pdeathsig is sent when the *thread* that forked ends, not the process; a
// thread that nobody else uses makes it mean what it should: the processes end
// with their owner, however that ends, and not before.
type Starter struct {
	requests chan startRequest
	quit     chan struct{}
	ended    chan struct{}
}

type startRequest struct {
	ns     netns.NsHandle
	cmd    *exec.Cmd
	result chan error
}

// NewStarter starts the thread.
func NewStarter() *Starter {
	s := &Starter{make(chan startRequest), make(chan struct{}), make(chan struct{})}
	up := make(chan struct{})
	go s.run(up)
	<-up
	return s
}

func (s *Starter) run(up chan struct{}) {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread outlives this goroutine and its namespace is taken
		// for that of the whole process. Hold it until another one is found.
		found := make(chan struct{})
		go s.run(found)
		<-found
		runtime.UnlockOSThread()
		close(up)
		return
	}
	close(up)
	defer close(s.ended)
	for {
		select {
		case r := <-s.requests:
			r.result <- startHere(r)
		case <-s.quit:
			// Still locked: the thread ends here, and with it what it started.
			return
		}
	}
}

func startHere(r startRequest) error {
	if err := netns.Set(r.ns); err != nil {
		return err
	}
	if r.cmd.SysProcAttr == nil {
		r.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	r.cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return r.cmd.Start()
}

// Start starts cmd in ns.
func (s *Starter) Start(ns netns.NsHandle, cmd *exec.Cmd) error {
	r := startRequest{ns, cmd, make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.result
	case <-s.ended:
		return errors.New("start a process: what starts them is closed")
	}
}

// Run runs cmd in ns to its end.
func (s *Starter) Run(ns netns.NsHandle, cmd *exec.Cmd) error {
	if err := s.Start(ns, cmd); err != nil {
		return err
	}
	return cmd.Wait()
}

// Close ends the thread, and with it all that it has started and that still runs.
func (s *Starter) Close() {
	close(s.quit)
	<-s.ended
}
