package listen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Holder describes a process that holds a name.
type Holder struct {
	// PID is its process id here; 0 if it is in a container whose processes cannot be
	// seen from here.
	PID int `json:"-"`
	// UID is its user.
	UID int `json:"-"`
	// Command is what it was started for, State and Socket the files that it uses. They
	// are its own words.
	Command string `json:"command"`
	State   string `json:"state"`
	Socket  string `json:"socket"`
}

// TakenError says that another process holds the name.
type TakenError struct{ By Holder }

// Error reads `process 7 (run, state file "/a", control socket "/b") holds it`.
func (e *TakenError) Error() string {
	who := "process " + strconv.Itoa(e.By.PID)
	if e.By.PID == 0 {
		who = "a process of another container"
	}
	if e.By.Command == "" {
		return who + " holds it and does not answer"
	}
	return fmt.Sprintf("%s (%s, state file %q, control socket %q) holds it", who, e.By.Command, e.By.State, e.By.Socket)
}

// UnprivilegedError says that a process holds the name that cannot be one of ours: it
// may change nothing in this network namespace.
type UnprivilegedError struct{ PID, UID int }

// Error reads "process 7 of user 1000, which has no CAP_NET_ADMIN, holds it".
func (e *UnprivilegedError) Error() string {
	return fmt.Sprintf("process %d of user %d, which has no CAP_NET_ADMIN, holds it", e.PID, e.UID)
}

const (
	// claimLimit bounds asking a holder, and answering one who asks.
	claimLimit = time.Second
	// maxHolder bounds what a holder says.
	maxHolder = 4096
	// claimAttempts is how often a name is tried whose holder ends meanwhile.
	claimAttempts = 3
)

// Claim takes a name that only one process can hold in a network namespace, until it
// closes what is returned or ends, however it ends. Names of unix(7)'s abstract
// namespace belong to a network namespace, whatever file systems and containers its
// processes are in. A name that is held is a [TakenError], or an
// [UnprivilegedError].
func Claim(name string, us Holder) (io.Closer, error) {
	text, err := json.Marshal(us)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		l, err := net.Listen("unix", "@"+name)
		if err == nil {
			go introduce(l, text)
			return l, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, err
		}
		by, err := holder(name)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED) && attempt < claimAttempts:
		case err != nil && by == nil:
			return nil, &TakenError{}
		case !privileged(by.PID, by.UID):
			return nil, &UnprivilegedError{PID: by.PID, UID: by.UID}
		default:
			return nil, &TakenError{By: *by}
		}
	}
}

// introduce tells each client who we are.
func introduce(l net.Listener, text []byte) {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			<-time.After(claimLimit) // such as too many open files
			continue
		}
		if c.SetWriteDeadline(time.Now().Add(claimLimit)) == nil {
			_, _ = c.Write(text) // who does not read it does not want to know
		}
		c.Close()
	}
}

// holder asks who holds a name. The process and its user are the kernel's words.
func holder(name string) (*Holder, error) {
	c, err := net.DialTimeout("unix", "@"+name, claimLimit)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	by := &Holder{}
	if err := peer(c, by); err != nil {
		return nil, err
	}
	if err := c.SetReadDeadline(time.Now().Add(claimLimit)); err != nil {
		return by, err
	}
	text, err := io.ReadAll(io.LimitReader(c, maxHolder))
	if err != nil {
		return by, err
	}
	return by, json.Unmarshal(text, by)
}

// peer fills in the process that listens.
func peer(c net.Conn, by *Holder) error {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return fmt.Errorf("%T is no unix connection", c)
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	by.PID, by.UID = int(cred.Pid), int(cred.Uid)
	return nil
}

// privileged reports whether a process may change this network namespace, as far as can
// be seen: every user may take a name, and shall not keep a controller from
// starting.
func privileged(pid, uid int) bool {
	if uid == 0 || uid == os.Geteuid() {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if pid == 0 || err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if digits, ok := strings.CutPrefix(line, "CapEff:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(digits), 16, 64)
			return err == nil && set&(1<<unix.CAP_NET_ADMIN) != 0 && sameUsers(pid)
		}
	}
	return false
}

// sameUsers reports whether a process is in our user namespace. In one of its own
// everybody has every capability, for what belongs to that one.
func sameUsers(pid int) bool {
	ours, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return false
	}
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	return err == nil && ours == theirs
}
