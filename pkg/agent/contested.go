package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// contested makes one problem of all objects that others change back: of those who do, the
// one that does it most often is named, and another controller before anybody else.
func (s *statusReport) contested(keys []reconcile.Contested, now time.Time) {
	for _, k := range keys {
		c := control.Contested{
			Kind: k.Key.Kind.String(), Key: k.Key.String(), Count: k.Count, Since: k.Since,
			Last: k.Last, PerMinute: k.PerMinute, By: k.By,
			Controller: isController(k.By), PauseSeconds: k.Pause.Seconds(),
		}
		if k.Next.After(now) {
			c.Next = &k.Next
		}
		s.Contested = append(s.Contested, c)
	}
	if len(keys) == 0 {
		return
	}
	most := slices.MaxFunc(s.Contested, func(a, b control.Contested) int {
		if a.Controller != b.Controller {
			return b2i(a.Controller) - b2i(b.Controller)
		}
		return a.Count - b.Count
	})
	what := fmt.Sprintf("%d of our objects; most often %s: %d times since %s, %d a minute", len(keys), most.Object(),
		most.Count, clock(most.Since.Local()), most.PerMinute)
	if most.Next != nil {
		what += fmt.Sprintf("; repaired again at %s, after a pause of %s", most.Next.Local().Format(time.TimeOnly),
			time.Duration(most.PauseSeconds*float64(time.Second)))
	}
	var f *problem.Finding
	switch {
	case most.Controller:
		f = s.problem("contested", fmt.Sprintf("two controllers: %s and this one, process %d, undo each other's "+
			"changes to %s", most.By, os.Getpid(), what), "stop one of them: "+whoIs(most.By))
	case most.By != "":
		f = s.problem("contested", most.By+" keeps changing back "+what,
			"stop it, or have it leave them alone: "+whoIs(most.By)+"; ip -ts monitor all shows what it does")
	default:
		f = s.problem("contested", "another program keeps changing back "+what,
			"find that program, and stop it or have it leave them alone: ip -ts monitor all label; is it a second controller, "+
				"or networkd?")
	}
	f.Since = most.Since
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// culprit is a process as backends name it, "ip[1234]", wherever in a text.
var culprit = regexp.MustCompile(`([^\s,\[]+)\[(\d+)\]$`)

// isController reports whether who changes objects back is another bgp-ovn: a program of
// our name, or of the name that this one was started by.
func isController(by string) bool {
	m := culprit.FindStringSubmatch(by)
	const most = 15 // characters of a process's name, TASK_COMM_LEN without the end
	own := filepath.Base(os.Args[0])
	return m != nil && (m[1] == "bgp-ovn" || m[1] == own[:min(len(own), most)])
}

// whoIs is a command that tells what a process is, or, of one that has ended, who runs it
// again and again.
func whoIs(by string) string {
	if m := culprit.FindStringSubmatch(by); m != nil {
		if _, err := os.Stat("/proc/" + m[2]); err == nil {
			return "ps -fp " + m[2]
		}
		return "ps -ef --forest: that process has ended, and something starts it again and again"
	}
	return "ps -ef --forest"
}
