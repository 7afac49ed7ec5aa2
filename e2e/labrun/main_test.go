package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// programs builds labrun and bgp-ovn.
func programs(t *testing.T) (labrun, bin string) {
	t.Helper()
	return harness.Must(harness.Build(t.Context(), "e2e/labrun"))(t), harness.Must(harness.Binary(t.Context()))(t)
}

// session is a run of labrun in a process group of its own, as under a shell.
type session struct {
	*exec.Cmd
	t     *testing.T
	lines *bufio.Scanner
	said  []string
}

func start(t *testing.T, labrun string, args ...string) *session {
	t.Helper()
	ctx := harness.Context(t, 2*time.Minute)
	s := &session{Cmd: exec.CommandContext(ctx, labrun, args...), t: t}
	// It must get the chance to clean up, also when the test fails.
	s.Cancel = func() error { return s.Process.Signal(syscall.SIGTERM) }
	s.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w := io.Pipe()
	s.Stdout, s.Stderr = w, w
	s.lines = bufio.NewScanner(r)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = w.CloseWithError(errors.Join(s.Wait(), io.EOF)) }()
	return s
}

// until reads lines up to one that contains text, or all if text is empty.
func (s *session) until(text string) {
	s.t.Helper()
	for s.lines.Scan() {
		line := s.lines.Text()
		s.said = append(s.said, line)
		if text != "" && strings.Contains(line, text) {
			return
		}
	}
	if text != "" {
		s.t.Fatalf("it never said %q:\n%s", text, strings.Join(s.said, "\n"))
	}
}

// ends demands that it closes in good order.
func (s *session) ends() {
	s.t.Helper()
	s.until("")
	if last := s.said[len(s.said)-1]; last != "closed; nothing is left" || !s.ProcessState.Success() {
		s.t.Errorf("%s\n%s", s.ProcessState, strings.Join(s.said, "\n"))
	}
	dir, id := "", ""
	for _, line := range s.said {
		if words := strings.Fields(line); len(words) == 6 && words[0] == "lab" && words[4] == "in" {
			id, dir = words[3], words[5]
		}
	}
	if _, err := os.Stat(dir); dir == "" || !os.IsNotExist(err) {
		s.t.Errorf("directory %q: %v", dir, err)
	}
	if left, _ := filepath.Glob("/run/netns/" + id + "-*"); id == "" || len(left) > 0 {
		s.t.Errorf("lab %q left namespaces %v", id, left)
	}
}

// commands are what it says to paste.
func (s *session) commands() []string {
	var out []string
	for _, line := range s.said {
		if strings.HasPrefix(line, "  ") && !strings.HasPrefix(line, "  #") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}

// stillReachable demands that what the tour broke was mended.
func (s *session) stillReachable() {
	s.t.Helper()
	for _, c := range s.commands() {
		if !strings.Contains(c, " ping ") && !strings.Contains(c, " status ") {
			continue
		}
		out, err := exec.CommandContext(s.t.Context(), "sh", "-c", c).CombinedOutput()
		if err != nil {
			s.t.Errorf("after the breakage: %s: %v\n%s", c, err, out)
		}
	}
}

func TestOnce(t *testing.T) {
	labrun, bin := programs(t)
	s := start(t, labrun, "-bin", bin, "-once")
	s.ends()
	t.Log("\n" + strings.Join(s.said, "\n"))
	for _, addr := range []string{
		"172.24.4.31", "2001:db8:4::31", "172.24.4.40", "2001:db8:4::40", "172.24.4.41",
		"172.24.4.42",
	} {
		proven := false
		for _, line := range s.said {
			proven = proven || strings.HasPrefix(line, addr+" ") && strings.HasSuffix(line, "5 of 5 answered")
		}
		if !proven {
			t.Errorf("%s is not proven", addr)
		}
	}
}

// The commands that it prints work as they stand, and Ctrl-C, which every
// process of the group gets, ends it in good order; so does SIGTERM.
func TestTourAndSignals(t *testing.T) {
	labrun, bin := programs(t)
	t.Run("ctrl-c", func(t *testing.T) {
		s := start(t, labrun, "-bin", bin)
		s.until("Ctrl-C ends the lab")
		if n := len(s.commands()); n < 10 {
			t.Errorf("only %d commands", n)
		}
		for _, c := range s.commands() {
			out, err := exec.CommandContext(t.Context(), "sh", "-c", c).CombinedOutput()
			var exit *exec.ExitError
			if errors.As(err, &exit) && exit.ExitCode() == 2 && strings.Contains(c, "explain 172.24.4.40") {
				err = nil // not announced from there
			}
			if err != nil || len(out) == 0 && !strings.Contains(c, "flush") && !strings.Contains(c, "del-flows") {
				t.Errorf("%s: %v\n%s", c, err, out)
			}
		}
		s.stillReachable()
		if err := syscall.Kill(-s.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		s.ends()
	})
	t.Run("sigterm", func(t *testing.T) {
		s := start(t, labrun, "-bin", bin)
		s.until("network blue")
		if err := s.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		s.until("closed; nothing is left")
		s.until("lab: interrupted before everything was proven")
	})
}

func TestPaste(t *testing.T) {
	if got, want := paste([]string{"vtysh", "-c", "show bgp", "it's"}), `vtysh -c 'show bgp' 'it'\''s'`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
