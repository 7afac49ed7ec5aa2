package vm_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/vm"
)

// suite is a test binary to run where all modules are.
type suite struct {
	pkg  string // below the module
	tags string
	skip string // pattern of what is not for the guest
	only string // pattern of what is run; all if it is empty
	ovn  string // directory of another release of OVN
}

// suites are the packages whose tests need more than an ordinary kernel, in
// the order in which they run.
var suites = []suite{
	// How fast it is and how it bears storms is for the machine's own kernel.
	{pkg: "pkg/actual/kernel", skip: "^(TestMany|TestLoss|TestChurn|TestChurnEverything)$"},
	{pkg: "pkg/observe/host"},
	{pkg: "e2e/vm/walk", tags: "guest"},
	{pkg: "e2e/vm/vlan", tags: "guest"},
	{pkg: "e2e/vm/manyvnis", tags: "guest"},
	{pkg: "e2e/vm/evpn", tags: "guest", skip: "^TestNative"},
}

// besideNative are stories of EVPN on OVN 26.03, with ovn_native_driver in the same process, and those
// of that driver that need VRF and dummy devices.
var besideNative = suite{
	pkg: "e2e/vm/evpn", tags: "guest", only: "^(TestNative.*|TestTenant)$",
	ovn: "/var/cache/bgp-ovn-test/ovn-26.03", // where scripts/install-ovn26 puts it
}

// The tests that need 8021q, VRF or dummy pass: in one guest where this kernel
// lacks one of them, and directly where it does not. Each is a subtest here.
func TestSuites(t *testing.T) {
	besideOthers(t)
	runSuites(t, suites[:len(suites)-1])
}

// The stories of EVPN have a guest of their own: what earlier labs have left in a
// kernel with one processor is not theirs to bear.
func TestEVPN(t *testing.T) {
	besideOthers(t)
	runSuites(t, suites[len(suites)-1:])
}

// OVN's own dynamic routing has a guest of its own, too.
func TestNative(t *testing.T) {
	besideOthers(t)
	runSuites(t, []suite{besideNative})
}

// besideOthers lets guests run at the same time, each of which has one processor.
func besideOthers(t *testing.T) {
	if len(vm.Missing()) > 0 {
		t.Parallel()
	}
}

func runSuites(t *testing.T, suites []suite) {
	t.Helper()
	env := environment(t)
	script := new(strings.Builder)
	for _, s := range suites {
		bin := harness.Must(harness.BuildTests(t.Context(), s.pkg, s.tags))(t)
		args := []string{"-test.v=test2json", "-test.timeout=" + suiteLimit.String()}
		if s.skip != "" {
			args = append(args, "-test.skip='"+s.skip+"'")
		}
		if s.only != "" {
			args = append(args, "-test.run='"+s.only+"'")
		}
		fmt.Fprintf(script, "%s\ncd %s\nE2E_OVN=%s %s %s 2>&1\n%s\n",
			sayStart(s.pkg), packageDir(t, s.pkg), s.ovn, bin, strings.Join(args, " "), sayEnd)
	}
	var out bytes.Buffer
	runWhereAllIs(t, env, script.String(), guestLimit, &out)
	runs := split(out.String())
	if len(runs) != len(suites) {
		t.Errorf("%d of %d suites said anything; the output ends with:\n%s", len(runs), len(suites), tail(out.String()))
	}
	for _, r := range runs {
		t.Run(r.pkg, func(t *testing.T) { r.report(t) })
	}
}

// runWhereAllIs runs a script of the shell, in a guest if need be. At the limit it
// is ended.
func runWhereAllIs(t testing.TB, env []string, script string, limit time.Duration, out io.Writer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit+3*time.Minute)
	defer cancel()
	began := time.Now()
	missing := vm.Missing()
	if len(missing) == 0 {
		cmd := exec.CommandContext(ctx, "sh", "-c", script)
		cmd.Env, cmd.Stdout, cmd.Stderr = env, out, out
		if err := cmd.Run(); err != nil {
			t.Errorf("run here: %v", err)
		}
		return
	}
	res, err := vm.Run(ctx, vm.Options{
		Args: []string{"sh", "-c", script}, Env: env, Stdout: out, Stderr: out, Limit: limit,
	})
	if err != nil {
		t.Fatalf("this kernel lacks %v, and there is no guest: %v", missing, err)
	}
	t.Logf("this kernel lacks %v: booted a guest in %s, done after %s", missing, res.Booted, time.Since(began))
	if res.Status != 0 {
		t.Errorf("the guest's command ended with status %d", res.Status)
	}
}

// The limits end what hangs. They are far from what a suite takes, which depends on
// what else the machine does.
const (
	suiteLimit = 30 * time.Minute
	guestLimit = 40 * time.Minute
)

// guestSlowness is by how much a guest is slower than the machine below it, at
// least: every system call of its processes is several of the machine's.
const guestSlowness = 4

// environment is that of the suites: with the program under test, which is built
// out here, and with how busy the machine is. Programs are built without the race
// detector, which guests cannot bear.
func environment(t testing.TB) []string {
	t.Helper()
	return append(os.Environ(),
		harness.BinaryVariable+"="+harness.Must(harness.Binary(t.Context()))(t),
		harness.SlownessVariable+"="+strconv.FormatFloat(max(harness.Slowness(), guestSlowness), 'f', 1, 64))
}

func packageDir(t testing.TB, pkg string) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("../..", pkg))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
