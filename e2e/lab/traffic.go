package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// Traffic is a stream of echo requests while something is done to the lab.
type Traffic struct {
	To netip.Addr

	cmd  *exec.Cmd
	read chan struct{} // closed when all is read

	mu       sync.Mutex
	answered map[int]bool
	last     int // sequence number of the last answer
}

// SendTraffic sends echo requests from this node until Stop. It ends with the
// lab at the latest.
func (n *Node) SendTraffic(to netip.Addr, every time.Duration) (*Traffic, error) {
	cmd := exec.Command("ping", "-n", "-i", strconv.FormatFloat(every.Seconds(), 'f', 3, 64), to.String())
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := n.lab.starter.Start(n.ns, cmd); err != nil {
		return nil, fmt.Errorf("ping %s from %s: %w", to, n.Name, err)
	}
	t := &Traffic{To: to, cmd: cmd, read: make(chan struct{}), answered: make(map[int]bool)}
	go t.follow(out)
	return t, nil
}

func (t *Traffic) follow(out io.Reader) {
	defer close(t.read)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		m := pingReply.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		seq, _ := strconv.Atoi(m[1])
		t.mu.Lock()
		t.answered[seq] = true
		t.last = max(t.last, seq)
		t.mu.Unlock()
	}
}

// AwaitAnswers waits for that many requests more to be answered than there are
// now.
func (t *Traffic) AwaitAnswers(ctx context.Context, n int) error {
	t.mu.Lock()
	want := len(t.answered) + n
	t.mu.Unlock()
	return harness.Await(ctx, fmt.Sprintf("%d answers from %s", n, t.To), func(context.Context) (bool, error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if missing := want - len(t.answered); missing > 0 {
			return false, fmt.Errorf("%d are missing", missing)
		}
		return true, nil
	})
}

// Stop ends it and says what became of the requests up to the last one that was
// answered. Those after it may be on their way: call AwaitAnswers first to know
// that they are. To call it twice is the same as once.
func (t *Traffic) Stop() (PingResult, error) {
	if err := t.cmd.Process.Signal(syscall.SIGINT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return PingResult{}, fmt.Errorf("stop ping %s: %w", t.To, err)
	}
	<-t.read
	_ = t.cmd.Wait() // ping ends with 1 if nothing was answered, which the result says
	t.mu.Lock()
	defer t.mu.Unlock()
	return countAnswers(t.last, t.answered), nil
}
