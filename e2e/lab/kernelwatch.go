package lab

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// quietFor is how long the kernel must have said nothing before a watch begins.
// It tells of a device that came up or got a carrier up to a second later
// (linkwatch), and on a busy machine later than that.
const quietFor = 2 * time.Second

// KernelWatch records what changes in a node's kernel: devices, addresses, routes
// and rules.
type KernelWatch struct {
	node   *Node
	cmd    *exec.Cmd
	cancel context.CancelFunc
	out    *syncBuffer
	links  map[string]bool // lines of all devices at the begin
	from   int             // what was said before that is of earlier times
}

// WatchKernel begins to record once the kernel has been quiet for a while.
func (n *Node) WatchKernel(ctx context.Context) (*KernelWatch, error) {
	living, cancel := context.WithCancel(ctx)
	w := &KernelWatch{node: n, cancel: cancel, out: new(syncBuffer)}
	w.cmd = n.Command(living, "ip", "-o", "-d", "monitor", "link", "address", "route", "rule")
	w.cmd.Stdout = w.out
	if err := w.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("watch the kernel of %s: %w", n.Name, err)
	}
	err := harness.Await(ctx, "ip monitor to listen", func(context.Context) (bool,
		error,
	) {
		return listens(w.cmd.Process.Pid)
	})
	if err == nil {
		err = harness.Until(ctx, "the kernel of "+n.Name+" to be quiet", w.out.quiet)
	}
	if err == nil {
		w.links, err = w.devices(ctx)
	}
	if err != nil {
		w.end()
		return nil, err
	}
	w.from = len(w.out.text())
	return w, nil
}

// listens reports whether a process has a netlink socket that is in any group: the
// columns of the file are socket, protocol, port, which is the process id for the
// first socket of a process, and groups.
func listens(pid int) (bool, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/netlink", pid))
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) > 3 && words[2] == strconv.Itoa(pid) && strings.Trim(words[3], "0") != "" {
			return true, nil
		}
	}
	return false, nil
}

func (w *KernelWatch) devices(ctx context.Context) (map[string]bool, error) {
	out, err := w.node.Run(ctx, "ip", "-o", "-d", "link", "show")
	if err != nil {
		return nil, err
	}
	lines := map[string]bool{}
	for line := range strings.Lines(out) {
		lines[normal(line)] = true
	}
	return lines, nil
}

// timers run in bridges without anybody's doing.
var timers = regexp.MustCompile(`\w*timer +[0-9.]+`)

// normal is a line without them, and without the sign for the end of a line.
func normal(line string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(timers.ReplaceAllString(line, ""), `\`, " ")), " ")
}

// Stop ends the watch and returns a line for each change. The kernel also tells of a
// device about which nothing has changed; that is nobody's write and left out. What
// is different at the end is a change, whether the kernel told of it or not.
func (w *KernelWatch) Stop() string {
	after, err := w.devices(context.Background())
	w.end()
	if err != nil {
		return err.Error()
	}
	var changes strings.Builder
	lines := bufio.NewScanner(strings.NewReader(w.out.text()[w.from:]))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if !w.knew(normal(lines.Text())) {
			fmt.Fprintln(&changes, lines.Text())
		}
	}
	for line := range after {
		if !w.links[line] {
			fmt.Fprintln(&changes, "at the end:", line)
		}
	}
	return changes.String()
}

// knew reports whether a line says nothing of a device but what was the case at the
// begin. A bridge tells of its ports with fewer words than there are of a device, such
// as when one has got its carrier.
func (w *KernelWatch) knew(line string) bool {
	if w.links[line] {
		return true
	}
	words := strings.Fields(line)
	for known := range w.links {
		of := strings.Fields(known)
		if len(words) > 2 && words[0] == of[0] { // its number; the name may be with its peer's or not
			return !slices.ContainsFunc(words[2:], func(word string) bool { return !slices.Contains(of, word) })
		}
	}
	return false
}

func (w *KernelWatch) end() {
	w.cancel()
	_ = w.cmd.Wait() // it is killed
}

// syncBuffer is written by a process while it is read.
type syncBuffer struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	last time.Time // of the last write, or of the first look
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = time.Now()
	return b.buf.Write(p)
}

func (b *syncBuffer) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *syncBuffer) quiet() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.last.IsZero() {
		b.last = time.Now()
	}
	return time.Since(b.last) >= quietFor
}
