package lab

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// starter starts processes in namespaces, all from one thread of its own.
// Pdeathsig is sent when the *thread* that forked ends, not the process; a
// thread that nobody else uses makes it mean what it should: the lab's
// processes end with the lab's owner and not before.
type starter struct {
	requests chan startRequest
	quit     chan struct{}
	ended    chan struct{}
}

type startRequest struct {
	ns     netns.NsHandle
	cmd    *exec.Cmd
	result chan error
}

func newStarter() *starter {
	s := &starter{make(chan startRequest), make(chan struct{}), make(chan struct{})}
	up := make(chan struct{})
	go s.run(up)
	<-up
	return s
}

func (s *starter) run(up chan struct{}) {
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

// start starts cmd in ns.
func (s *starter) start(ns netns.NsHandle, cmd *exec.Cmd) error {
	r := startRequest{ns, cmd, make(chan error, 1)}
	select {
	case s.requests <- r:
		return <-r.result
	case <-s.ended:
		return errors.New("the lab is closed")
	}
}

func (s *starter) close() {
	close(s.quit)
	<-s.ended
}
