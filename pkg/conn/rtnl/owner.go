package rtnl

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Owners names the processes that netlink ports belong to. A process that changes one
// thing and ends, as ip does, must be asked for at once: it is gone a moment later.
//
// It is not safe for concurrent use.
type Owners struct {
	// Namespace is that of the sockets; without one nothing is known.
	Namespace *Namespace

	names map[uint32]owner
	// scanned is when all processes were searched last.
	scanned time.Time
}

type owner struct {
	name string
	at   time.Time
}

const (
	// maxPID is PID_MAX_LIMIT of the kernel. The first socket of a process has its number
	// as port; further ones have ports beyond.
	maxPID = 1 << 22
	// rememberOwner is how long a name is used again: a process that flushes a table is
	// asked for once.
	rememberOwner = 2 * time.Second
	// scanEvery bounds how often all descriptors of all processes are looked at.
	scanEvery = 200 * time.Millisecond
	maxOwners = 256
)

// Of names the process, such as "ip[1234]"; of one that has ended before anybody could
// look only the number is known. Port 0 is the kernel. It is empty if nothing is known.
func (o *Owners) Of(port uint32) string {
	if port == 0 {
		return "the kernel"
	}
	if o.Namespace == nil {
		return ""
	}
	now := time.Now()
	if known, ok := o.names[port]; ok && now.Sub(known.at) < rememberOwner {
		return known.name
	}
	if o.names == nil || len(o.names) >= maxOwners {
		o.names = map[uint32]owner{}
	}
	name := o.find(port, now)
	o.names[port] = owner{name, now}
	return name
}

func (o *Owners) find(port uint32, now time.Time) string {
	pid := strconv.FormatUint(uint64(port), 10)
	first := "" // read before anything else, because the process may be about to end
	if port <= maxPID {
		first = comm(pid)
	}
	inode := o.inode(port)
	if inode == "" || holds(pid, inode) {
		switch {
		case first != "":
			return first + "[" + pid + "]"
		case port <= maxPID:
			return "process " + pid
		}
		return ""
	}
	// The socket is that of another process: of one with several, or of one in a container
	// that has the number in its own namespace.
	if now.Sub(o.scanned) < scanEvery {
		return ""
	}
	o.scanned = now
	if pid = holder(inode); pid != "" {
		return comm(pid) + "[" + pid + "]"
	}
	if first != "" {
		return first + "[" + strconv.FormatUint(uint64(port), 10) + "]"
	}
	return ""
}

// comm is the name of a process; empty if there is none.
func comm(pid string) string {
	raw, err := os.ReadFile("/proc/" + pid + "/comm")
	if err != nil {
		return ""
	}
	return printable(string(bytes.TrimSpace(raw)))
}

// printable leaves out of a name, which a process chooses itself, what could disturb a
// terminal or a log.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, name)
}

// inode is that of the rtnetlink socket with a port; empty if it is closed already.
func (o *Owners) inode(port uint32) string {
	found := ""
	err := o.Namespace.Do(func() error {
		file, err := os.Open("/proc/thread-self/net/netlink")
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		want := strconv.FormatUint(uint64(port), 10)
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			// sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode; protocol 0 is rtnetlink.
			if f := strings.Fields(lines.Text()); len(f) >= 10 && f[1] == "0" && f[2] == want {
				found = f[9]
			}
		}
		return lines.Err()
	})
	if err != nil {
		return ""
	}
	return found
}

// holds reports whether a process has a socket open.
func holds(pid, inode string) bool {
	dir := "/proc/" + pid + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	want := fmt.Sprintf("socket:[%s]", inode)
	for _, e := range entries {
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil && target == want {
			return true
		}
	}
	return false
}

// holder is the number of the process that has a socket open; empty if none is seen.
func holder(inode string) string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return ""
	}
	for _, e := range entries {
		if name := e.Name(); name[0] >= '1' && name[0] <= '9' && holds(name, inode) {
			return name
		}
	}
	return ""
}
