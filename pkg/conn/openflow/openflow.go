// Package openflow talks to bridges of Open vSwitch by ovs-ofctl: reading flows, changing
// them, and being told of changes. The form in which that prints flows is the only stable
// one that every release has.
//
// It refuses to know whose a flow is and what it means: package actual/ovs keeps ours,
// package observe/flows reads those of others.
//
// Read next: [Tool], then [Monitor].
package openflow

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A bridge may be limited to some versions of OpenFlow (column protocols of
// table Bridge); the newest that both sides know is negotiated. Bundles need
// 1.3 at least.
const (
	anyVersion    = "OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15"
	bundleVersion = "OpenFlow13,OpenFlow14,OpenFlow15"
)

var (
	// ErrFormat says that the newer versions have no form for a flow: they
	// refuse actions that contradict the match, such as strip_vlan without a
	// VLAN in it.
	ErrFormat = errors.New("this flow cannot be part of a bundle")
	// ErrVersion says that the bridge speaks none of the versions offered.
	ErrVersion = errors.New("the bridge allows none of the offered OpenFlow versions; " +
		"check column protocols of table Bridge")
	// ErrAway says that ovs-vswitchd is not there to be asked.
	ErrAway = errors.New("ovs-vswitchd does not answer")
	// ErrNoBridge says that ovs-vswitchd runs without a bridge of that name.
	ErrNoBridge = errors.New("bridge does not exist")
)

// The defaults of a Tool.
const (
	DefaultRunDir  = "/var/run/openvswitch"
	DefaultOfctl   = "ovs-ofctl"
	DefaultTimeout = 10 * time.Second
)

// Tool runs ovs-ofctl.
type Tool struct {
	// Path is that of the program, or its name, looked up each time: a package may bring
	// it later.
	Path string
	// RunDir holds the management sockets of the bridges.
	RunDir string
	// Timeout bounds every run, except the monitors.
	Timeout time.Duration
}

// New fills in what is not given: an empty runDir is $OVS_RUNDIR, and DefaultRunDir without
// that. It does not need Open vSwitch to run, nor to be installed yet.
func New(path, runDir string, timeout time.Duration) (Tool, error) {
	o := Tool{
		Path: cmp.Or(path, DefaultOfctl), RunDir: cmp.Or(runDir, os.Getenv("OVS_RUNDIR"), DefaultRunDir), Timeout: timeout,
	}
	if !filepath.IsAbs(o.RunDir) {
		return o, fmt.Errorf("run directory %q is not absolute", o.RunDir)
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	return o, nil
}

// Installed says why ovs-ofctl cannot be run; nil if it is there.
func Installed() error {
	if _, err := exec.LookPath(DefaultOfctl); err != nil {
		return notInstalled(DefaultOfctl, err)
	}
	return nil
}

// Dump prints all flows. Filters by cookie would need one run for each and
// hide what exists under a key that we want.
func (o Tool) Dump(ctx context.Context, bridge string) ([]byte, error) {
	return o.run(ctx, nil, "-O", anyVersion, "--no-names", "--no-stats", "dump-flows", o.target(bridge))
}

// Modify performs flow modifications in the format of "ovs-ofctl add-flows"
// as one transaction; on a bridge without bundles, one after the other.
func (o Tool) Modify(ctx context.Context, bridge string, lines []byte) error {
	_, err := o.run(ctx, lines, "-O", bundleVersion, "--no-names", "--bundle", "add-flows", o.target(bridge), "-")
	if errors.Is(err, ErrVersion) {
		return o.ModifyPlain(ctx, bridge, lines, anyVersion)
	}
	return err
}

// Ask asks a bridge for its description, over the socket and in the versions of OpenFlow
// that changes of flows go by. Nil means that it answers.
func (o Tool) Ask(ctx context.Context, bridge string) error {
	if err := CheckBridge(bridge); err != nil {
		return err
	}
	_, err := o.run(ctx, nil, "-O", bundleVersion, "show", o.target(bridge))
	return err
}

// ModifyPlain performs modifications without a bundle.
func (o Tool) ModifyPlain(ctx context.Context, bridge string, lines []byte, version string) error {
	_, err := o.run(ctx, lines, "-O", version, "--no-names", "add-flows", o.target(bridge), "-")
	return err
}

// watch is the command that prints every change of the flow tables.
func (o Tool) watch(ctx context.Context, bridge string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, o.Path, "-O", anyVersion, "--no-names",
		// Without this it leaves a control socket behind when killed.
		"--unixctl=none",
		"monitor", o.target(bridge), "watch:!initial")
	cmd.Env = o.environment()
	return cmd
}

// target names the management socket: the plain name would be tried as a
// bridge, a socket, a file and a datapath in turn.
func (o Tool) target(bridge string) string { return "unix:" + o.socket(bridge) }

func (o Tool) socket(bridge string) string { return filepath.Join(o.RunDir, bridge+".mgmt") }

// HaveSocket reports whether a bridge of that name exists, as far as the
// directory shows; after a crash of ovs-vswitchd sockets stay behind.
func (o Tool) HaveSocket(bridge string) bool {
	if CheckBridge(bridge) != nil {
		return false
	}
	_, err := os.Stat(o.socket(bridge))
	return err == nil
}

// Answers reports whether the bridge can be talked to.
func (o Tool) Answers(ctx context.Context, bridge string) bool {
	return o.HaveSocket(bridge) && listens(ctx, o.socket(bridge))
}

func listens(ctx context.Context, path string) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return false
	}
	c.Close()
	return true
}

func (o Tool) environment() []string {
	return append(os.Environ(), "OVS_RUNDIR="+o.RunDir, "LC_ALL=C")
}

func (o Tool) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	// Its own timeout ends it even if we do not live to do so.
	limit := fmt.Sprintf("--timeout=%d", int(o.Timeout.Seconds())+1)
	cmd := exec.CommandContext(ctx, o.Path, append([]string{limit}, args...)...)
	cmd.Env = o.environment()
	cmd.WaitDelay = time.Second
	cmd.Stdin = bytes.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return nil, o.explain(ctx, err, stderr.String())
	}
	return stdout.Bytes(), nil
}

func notInstalled(program string, err error) error {
	return fmt.Errorf("%s, which comes with Open vSwitch, is not installed: %w", program, err)
}

// explain turns a failure of ovs-ofctl into the error that callers handle.
func (o Tool) explain(ctx context.Context, err error, stderr string) error {
	text := errorText(stderr)
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return notInstalled(o.Path, err)
	case ctx.Err() != nil:
		return fmt.Errorf("run ovs-ofctl: no answer after %v: %w", o.Timeout, ctx.Err())
	case strings.Contains(stderr, "version negotiation failed"):
		return fmt.Errorf("%w: %s", ErrVersion, text)
	case strings.Contains(stderr, "usable flow formats"):
		return fmt.Errorf("%w: %s", ErrFormat, text)
	case strings.Contains(stderr, "(Connection refused)"), strings.Contains(stderr, "(Connection reset by peer)"),
		strings.Contains(stderr, "(End of file)"), strings.Contains(stderr, "(Broken pipe)"):
		return fmt.Errorf("%w: %s", ErrAway, text)
	case strings.Contains(stderr, "(No such file or directory)") && o.Running(ctx):
		return ErrNoBridge
	case strings.Contains(stderr, "(No such file or directory)"):
		return fmt.Errorf("%w: %s", ErrAway, text)
	case text == "":
		return fmt.Errorf("run ovs-ofctl: %w", err)
	default:
		return errors.New(text)
	}
}

// Running reports whether an ovs-vswitchd listens, on a control socket or for
// another bridge. Neither the file nor the process id in its name would prove
// it: the first outlives a crash, the second may be of another PID namespace.
func (o Tool) Running(ctx context.Context) bool {
	for _, pattern := range []string{"*vswitchd*.ctl", "*.mgmt"} {
		sockets, _ := filepath.Glob(filepath.Join(o.RunDir, pattern))
		for _, path := range sockets {
			if listens(ctx, path) {
				return true
			}
		}
	}
	return false
}

// errorText makes one line of what ovs-ofctl wrote to stderr: OpenFlow errors
// come before the line that names their sender.
func errorText(stderr string) string {
	var text []string
	for _, line := range strings.Split(stderr, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !strings.Contains(line, "|WARN|") {
			text = append(text, line)
		}
	}
	const most = 3 // a rejected bundle may be quoted in full
	return strings.Join(text[:min(len(text), most)], "; ")
}

// CheckBridge refuses what cannot be the name of a bridge but would lead
// outside the run directory.
func CheckBridge(name string) error {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q cannot be the name of a bridge", name)
	}
	return nil
}
