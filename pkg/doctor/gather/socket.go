package gather

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
)

// The columns of /proc/net/tcp and /proc/net/udp (proc_net(5)) that are read.
const (
	columnLocal = 1 // ADDRESS:PORT in hexadecimal
	columnState = 3
	columnInode = 9
)

// tcpListen is TCP_LISTEN in the column of states.
const tcpListen = "0A"

// socketOwners returns the owners of listening TCP sockets, or of UDP sockets,
// on a port of this network namespace, by PID.
func socketOwners(protocol string, port int) ([]doctor.SocketOwner, error) {
	inodes := map[string]bool{}
	for _, file := range []string{protocol, protocol + "6"} {
		// Not /proc/self/net, which is that of the main thread: a trial of device
		// types may have left it in a namespace of its own.
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if errors.Is(err, os.ErrNotExist) { // a kernel without IPv6
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

// socketOnPort returns the inode of the socket that a line describes, if it is
// on the port.
func socketOnPort(line string, port int, listening bool) (inode string, ok bool) {
	columns := strings.Fields(line)
	if len(columns) <= columnInode || listening && columns[columnState] != tcpListen {
		return "", false
	}
	_, hex, _ := strings.Cut(columns[columnLocal], ":")
	local, err := strconv.ParseUint(hex, 16, 16)
	return columns[columnInode], err == nil && int(local) == port
}

// holders finds the processes that have the sockets open. All sockets that no
// visible process has count as one owner without a name.
func holders(inodes map[string]bool) []doctor.SocketOwner {
	var out []doctor.SocketOwner
	found := map[string]bool{}
	files, _ := filepath.Glob("/proc/[0-9]*/fd/*") // errors only for a malformed pattern
	for _, file := range files {
		target, err := os.Readlink(file)
		if err != nil {
			continue // closed meanwhile, or of another user's process
		}
		inode, ok := strings.CutPrefix(target, "socket:[")
		inode = strings.TrimSuffix(inode, "]")
		if !ok || !inodes[inode] {
			continue
		}
		found[inode] = true
		pid, _ := strconv.Atoi(strings.Split(file, "/")[2]) // the pattern has digits there
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		out = append(out, doctor.SocketOwner{PID: pid, Name: strings.TrimSpace(string(name))})
	}
	sorting.Sort(out, func(a, b doctor.SocketOwner) int { return a.PID - b.PID })
	out = slices.Compact(out)
	if len(found) < len(inodes) {
		out = append(out, doctor.SocketOwner{})
	}
	return out
}
