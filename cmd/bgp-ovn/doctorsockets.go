package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// socketOwner is who waits on a port in this network namespace.
type socketOwner struct {
	// PID and Name are those of the process; 0 and empty if none can be seen to
	// have the socket: the kernel itself, or another user's process.
	PID  int
	Name string
}

func (o socketOwner) String() string {
	if o.PID == 0 {
		return "the kernel or a process that cannot be seen"
	}
	return fmt.Sprintf("%s, pid %d", o.Name, o.PID)
}

// tcpListen is TCP_LISTEN as /proc/net/tcp prints it.
const tcpListen = "0A"

// socketOwners returns those who listen on a port of TCP, or who have one of
// UDP, by process.
func socketOwners(protocol string, port int) ([]socketOwner, error) {
	inodes := map[string]bool{}
	for _, file := range []string{protocol, protocol + "6"} {
		// Not /proc/self, which is the main thread: a trial of the kernel's types of
		// devices may have left that in a namespace of its own.
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if errors.Is(err, os.ErrNotExist) { // no IPv6
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read sockets: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if inode, ok := socketOnPort(line, port, protocol == "tcp"); ok {
				inodes[inode] = true
			}
		}
	}
	if len(inodes) == 0 {
		return nil, nil
	}
	return holders(inodes), nil
}

// socketOnPort takes the inode out of a line of /proc/net/tcp or udp.
func socketOnPort(line string, port int, listening bool) (inode string, ok bool) {
	words := strings.Fields(line)
	if len(words) < 10 || listening && words[3] != tcpListen {
		return "", false
	}
	_, hex, _ := strings.Cut(words[1], ":")
	have, err := strconv.ParseUint(hex, 16, 16)
	return words[9], err == nil && int(have) == port
}

// holders finds the processes that have the sockets. What nobody is seen to have
// counts as one owner without a name.
func holders(inodes map[string]bool) []socketOwner {
	var out []socketOwner
	found := map[string]bool{}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*") // the pattern is good
	for _, file := range files {
		target, err := os.Readlink(file)
		if err != nil {
			continue // gone, or not ours to see
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		inode = strings.TrimSuffix(inode, "]")
		if !ok || !inodes[inode] {
			continue
		}
		found[inode] = true
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2]) // the pattern says that it is one
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		out = append(out, socketOwner{PID: pid, Name: strings.TrimSpace(string(name))})
	}
	slices.SortFunc(out, func(a, b socketOwner) int { return a.PID - b.PID })
	out = slices.Compact(out)
	if len(found) < len(inodes) {
		out = append(out, socketOwner{})
	}
	return out
}
