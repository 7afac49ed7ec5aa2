package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// PingResult is what became of a series of echo requests.
type PingResult struct {
	Sent, Received int
	// LongestGap counts the most requests in a row without an answer; times
	// the interval it is the outage.
	LongestGap int
}

// Lossless says that all requests were answered, and that there were any.
func (r PingResult) Lossless() bool { return r.Sent > 0 && r.Received == r.Sent }

var (
	pingSummary = regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`)
	pingReply   = regexp.MustCompile(`bytes from .*icmp_seq=(\d+)`)
)

// Ping sends count echo requests from this node and waits at most a second for
// the last answer. Loss is a result; an error means that ping could not run.
func (n *Node) Ping(ctx context.Context, to netip.Addr, count int, interval time.Duration) (PingResult, error) {
	out, err := n.Run(ctx, "ping", "-n", "-W", "1", "-c", strconv.Itoa(count),
		"-i", strconv.FormatFloat(interval.Seconds(), 'f', 3, 64), to.String())
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) {
		return PingResult{}, err
	}
	return parsePing(out)
}

func parsePing(out string) (PingResult, error) {
	m := pingSummary.FindStringSubmatch(out)
	if m == nil {
		return PingResult{}, fmt.Errorf("ping said: %s", out)
	}
	sent, _ := strconv.Atoi(m[1])
	received, _ := strconv.Atoi(m[2])
	answered := make(map[int]bool)
	for _, m := range pingReply.FindAllStringSubmatch(out, -1) {
		seq, _ := strconv.Atoi(m[1])
		answered[seq] = true
	}
	r := countAnswers(sent, answered)
	r.Received = received
	return r, nil
}

func countAnswers(sent int, answered map[int]bool) PingResult {
	r := PingResult{Sent: sent, Received: len(answered)}
	gap := 0
	for seq := 1; seq <= sent; seq++ {
		gap++
		if answered[seq] {
			gap = 0
		}
		r.LongestGap = max(r.LongestGap, gap)
	}
	return r
}

// AwaitPing pings until one request is answered.
func (n *Node) AwaitPing(ctx context.Context, to netip.Addr) error {
	return harness.Await(ctx, fmt.Sprintf("%s to reach %s", n.Name, to), func(ctx context.Context) (bool, error) {
		r, err := n.Ping(ctx, to, 1, time.Second)
		return r.Received > 0, err
	})
}
