package bgp_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// process is a speaker in another process.
type process struct {
	socket string
	cmd    *exec.Cmd
	kill   func()
}

// runServe is the speaker process of the tests, as bgp-ovn speaker is.
func runServe() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := speaker.Serve(ctx, os.Getenv(socketEnv), logger(), func() { fmt.Fprintln(os.Stdout, "ready") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// forms are the programs that can hold the sessions.
var forms = map[string]func(t testing.TB, socket string) *exec.Cmd{
	"speaker": func(_ testing.TB, socket string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), roleEnv+"="+roleServe, socketEnv+"="+socket)
		return cmd
	},
	"gobgpd": func(t testing.TB, socket string) *exec.Cmd {
		return exec.Command(gobgpd(t), "--api-hosts", "unix://"+socket[len("unix:"):], "--pprof-disable", "-p", "-l", "warn")
	},
}

// gobgpd is GoBGP's own daemon in the release that we link: those before 4.0 have
// another gRPC API. It is built once for all tests.
func gobgpd(t testing.TB) string {
	t.Helper()
	cmd := exec.Command("go", "tool", "-modfile=../../../tools/gobgpd/go.mod", "-n", "gobgpd")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("build gobgpd: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// spawn starts a speaker process and waits for its socket.
func spawn(t testing.TB, form string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "spk") // short: it holds unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &process{socket: "unix:" + dir + "/s"}
	p.start(t, form)
	return p
}

func (p *process) start(t testing.TB, form string) {
	t.Helper()
	path := p.socket[len("unix:"):]
	os.Remove(path)
	p.cmd = child(t, forms[form](t, p.socket), filepath.Join(filepath.Dir(path), form))
	p.kill = func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
	eventually(t, 10*time.Second, func() string { return emptyIf(exists(path), form+" makes no socket") })
}

// dial makes a backend over a speaker process. It is closed with the test.
func dial(t testing.TB, p *process, change func(*bgp.Config)) *bgp.Backend {
	t.Helper()
	b, err := bgp.Dial(config(func(c *bgp.Config) {
		c.Socket = p.socket
		if change != nil {
			change(c)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	ready(t, b)
	return b
}

// ready waits until the backend can be read.
func ready(t testing.TB, b *bgp.Backend) {
	t.Helper()
	eventually(t, 10*time.Second, func() string {
		_, err := b.Read(context.Background(), actual.Focus{})
		return emptyIf(err == nil, fmt.Sprint(err))
	})
}

// inEachForm runs a test on the speaker inside this process and on those in
// others.
func inEachForm(t *testing.T, run func(*testing.T, func(t testing.TB, change func(*bgp.Config)) *bgp.Backend)) {
	t.Helper()
	t.Run("embedded", func(t *testing.T) { run(t, start) })
	for form := range forms {
		t.Run(form, func(t *testing.T) {
			run(t, func(t testing.TB, change func(*bgp.Config)) *bgp.Backend { return dial(t, spawn(t, form), change) })
		})
	}
}
