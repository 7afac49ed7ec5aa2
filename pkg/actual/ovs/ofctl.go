package ovs

import (
	"bytes"
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

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
)

// A bridge may be limited to some versions of OpenFlow (column protocols of
// table Bridge); the newest that both sides know is negotiated. Bundles need
// 1.3 at least.
const (
	anyVersion    = "OpenFlow10,OpenFlow11,OpenFlow12,OpenFlow13,OpenFlow14,OpenFlow15"
	bundleVersion = "OpenFlow13,OpenFlow14,OpenFlow15"
)

var (
	// errFormat says that the newer versions have no form for a flow: they
	// refuse actions that contradict the match, such as strip_vlan without a
	// VLAN in it.
	errFormat = errors.New("this flow cannot be part of a bundle")
	// errVersion says that the bridge speaks none of the versions offered.
	errVersion = errors.New("the bridge allows none of the offered OpenFlow versions; " +
		"check column protocols of table Bridge")
	// errAway says that ovs-vswitchd is not there to be asked.
	errAway = errors.New("ovs-vswitchd does not answer")
)

// ofctl runs ovs-ofctl.
type ofctl struct {
	path    string // or the name, looked up each time: a package may bring it later
	runDir  string
	timeout time.Duration
}

// dump prints all flows. Filters by cookie would need one run for each and
// hide what exists under a key that we want.
func (o ofctl) dump(ctx context.Context, bridge string) ([]byte, error) {
	return o.run(ctx, nil, "-O", anyVersion, "--no-names", "--no-stats", "dump-flows", o.target(bridge))
}

// modify performs flow modifications in the format of "ovs-ofctl add-flows"
// as one transaction; on a bridge without bundles, one after the other.
func (o ofctl) modify(ctx context.Context, bridge string, lines []byte) error {
	_, err := o.run(ctx, lines, "-O", bundleVersion, "--no-names", "--bundle", "add-flows", o.target(bridge), "-")
	if errors.Is(err, errVersion) {
		return o.modifyPlain(ctx, bridge, lines, anyVersion)
	}
	return err
}

// modifyPlain performs modifications without a bundle.
func (o ofctl) modifyPlain(ctx context.Context, bridge string, lines []byte, version string) error {
	_, err := o.run(ctx, lines, "-O", version, "--no-names", "add-flows", o.target(bridge), "-")
	return err
}

// watch is the command that prints every change of the flow tables.
func (o ofctl) watch(ctx context.Context, bridge string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, o.path, "-O", anyVersion, "--no-names",
		// Without this it leaves a control socket behind when killed.
		"--unixctl=none",
		"monitor", o.target(bridge), "watch:!initial")
	cmd.Env = o.environment()
	return cmd
}

// target names the management socket: the plain name would be tried as a
// bridge, a socket, a file and a datapath in turn.
func (o ofctl) target(bridge string) string { return "unix:" + o.socket(bridge) }

func (o ofctl) socket(bridge string) string { return filepath.Join(o.runDir, bridge+".mgmt") }

// haveSocket reports whether a bridge of that name exists, as far as the
// directory shows; after a crash of ovs-vswitchd sockets stay behind.
func (o ofctl) haveSocket(bridge string) bool {
	if checkBridge(bridge) != nil {
		return false
	}
	_, err := os.Stat(o.socket(bridge))
	return err == nil
}

// answers reports whether the bridge can be talked to.
func (o ofctl) answers(ctx context.Context, bridge string) bool {
	return o.haveSocket(bridge) && listens(ctx, o.socket(bridge))
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

func (o ofctl) environment() []string {
	return append(os.Environ(), "OVS_RUNDIR="+o.runDir, "LC_ALL=C")
}

func (o ofctl) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	// Its own timeout ends it even if we do not live to do so.
	limit := fmt.Sprintf("--timeout=%d", int(o.timeout.Seconds())+1)
	cmd := exec.CommandContext(ctx, o.path, append([]string{limit}, args...)...)
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
func (o ofctl) explain(ctx context.Context, err error, stderr string) error {
	text := errorText(stderr)
	switch {
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		return notInstalled(o.path, err)
	case ctx.Err() != nil:
		return fmt.Errorf("run ovs-ofctl: no answer after %v: %w", o.timeout, ctx.Err())
	case strings.Contains(stderr, "version negotiation failed"):
		return fmt.Errorf("%w: %s", errVersion, text)
	case strings.Contains(stderr, "usable flow formats"):
		return fmt.Errorf("%w: %s", errFormat, text)
	case strings.Contains(stderr, "(Connection refused)"), strings.Contains(stderr, "(Connection reset by peer)"),
		strings.Contains(stderr, "(End of file)"), strings.Contains(stderr, "(Broken pipe)"):
		return fmt.Errorf("%w: %s", errAway, text)
	case strings.Contains(stderr, "(No such file or directory)") && o.running(ctx):
		return fmt.Errorf("bridge does not exist: %w", actual.ErrGone)
	case strings.Contains(stderr, "(No such file or directory)"):
		return fmt.Errorf("%w: %s", errAway, text)
	case text == "":
		return fmt.Errorf("run ovs-ofctl: %w", err)
	default:
		return errors.New(text)
	}
}

// running reports whether an ovs-vswitchd listens, on a control socket or for
// another bridge. Neither the file nor the process id in its name would prove
// it: the first outlives a crash, the second may be of another PID namespace.
func (o ofctl) running(ctx context.Context) bool {
	for _, pattern := range []string{"*vswitchd*.ctl", "*.mgmt"} {
		sockets, _ := filepath.Glob(filepath.Join(o.runDir, pattern))
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

// checkBridge refuses what cannot be the name of a bridge but would lead
// outside the run directory.
func checkBridge(name string) error {
	if name == "" || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00") {
		return fmt.Errorf("%q cannot be the name of a bridge", name)
	}
	return nil
}
