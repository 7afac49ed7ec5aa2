package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/vm/guest"
)

const (
	initPath   = "e2e/vm/init"
	consoleLog = "console.log"
	bootLog    = "boot.log"
)

// kernel is an installed User-Mode Linux.
type kernel struct {
	path    string
	modules string // directory of its version
	libs    string // directory of the C library that it needs; empty if that is the machine's
}

// newer is where scripts/install-deps unpacks the User-Mode Linux of a newer Debian.
const newer = "/var/cache/bgp-ovn-uml"

// findKernel prefers the newer one, in which a system call costs a fifth.
func findKernel() (kernel, error) {
	if _, err := os.Stat(filepath.Join(newer, "ld")); err == nil {
		modules, err := findModules(newer)
		return kernel{
			path: filepath.Join(newer, "usr/bin/linux.uml"), modules: modules,
			libs: filepath.Join(newer, "usr/lib/x86_64-linux-gnu"),
		}, err
	}
	path, err := exec.LookPath("linux.uml")
	if err != nil {
		return kernel{}, fmt.Errorf(remedy, err)
	}
	modules, err := findModules("/")
	return kernel{path: path, modules: modules}, err
}

const remedy = "virtual machine: %w; install package user-mode-linux (scripts/install-deps test)"

// findModules finds the modules of the one version that is installed under a root.
func findModules(root string) (string, error) {
	dir := filepath.Join(root, "usr/lib/uml/modules")
	found, err := filepath.Glob(filepath.Join(dir, "*", "modules.dep"))
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf(remedy, fmt.Errorf("want one version of its modules in %s, found %d", dir, len(found)))
	}
	return filepath.Dir(found[0]), nil
}

// buildInit builds process 1, which must be static: it runs before anything
// else is there.
func buildInit(ctx context.Context, to string) error {
	bin, err := harness.BuildStatic(ctx, initPath)
	if err != nil {
		return err
	}
	return harness.Copy(bin, to)
}

// boot runs the machine to its end.
func (k kernel) boot(ctx context.Context, o Options, scratch string) error {
	// Descriptors 3, 4 and 5 in there: console, output, error.
	console, err := os.Create(filepath.Join(scratch, consoleLog))
	if err != nil {
		return err
	}
	files := []*os.File{console}
	defer func() { closeAll(files) }()
	var copying sync.WaitGroup
	defer copying.Wait() // after closeAll's descriptors, of which the pipes' readers wait for the end
	output, err := pipeTo(o.Stdout, &copying)
	if err != nil {
		return err
	}
	files = append(files, output)
	errorsTo := output
	// As in os/exec: two copies into one writer would write over each other, and
	// a bytes.Buffer even loses what it had.
	if !sameWriter(o.Stdout, o.Stderr) {
		if errorsTo, err = pipeTo(o.Stderr, &copying); err != nil {
			return err
		}
	}
	files = append(files, errorsTo)
	log, err := os.Create(filepath.Join(scratch, bootLog))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := k.command(ctx, o, scratch)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, files
	err = errors.Join(runToEnd(cmd), ctx.Err())
	closeAll(files)
	files = nil
	return err
}

func (k kernel) command(ctx context.Context, o Options, scratch string) *exec.Cmd {
	// Randomised addresses would cost it page tables for hundreds of megabytes.
	args := []string{runtimeMachine(), "-R"}
	if k.libs != "" {
		args = append(args, "env", "LD_LIBRARY_PATH="+k.libs) // for it, and not for setarch
	}
	return exec.CommandContext(ctx, "setarch", append(args, k.path,
		"mem="+o.Memory,
		// Its processes are its own, trusted ones: a filter sees their system calls, where
		// the host can do that, instead of a tracer. Older ones do not know this word.
		"seccomp=auto",
		// The machine's own tree, and never for writing.
		"root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
		"quiet", "loglevel=4",
		// A panic ends the process instead of leaving it there.
		"noreboot", "panic=1",
		"init="+filepath.Join(scratch, "init"), guest.ScratchVariable+"="+scratch,
		"uml_dir="+scratch+"/", "umid=vm",
		"dummy.numdummies=0", "ifb.numifbs=0", "bonding.max_bonds=0",
		"con=null", "con0=null,fd:3", "con1=null,fd:4", "con2=null,fd:5")...)
}

func runtimeMachine() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// pipeTo returns what the machine may write to so that w gets it. The machine's
// processes hold its other end; the copy ends with the last of them.
func pipeTo(w io.Writer, copying *sync.WaitGroup) (*os.File, error) {
	if w == nil {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	r, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	copying.Add(1)
	go func() {
		defer copying.Done()
		defer r.Close()
		_, err := io.Copy(w, r)
		if err != nil {
			// The machine would stand still at a full pipe.
			_, _ = io.Copy(io.Discard, r)
		}
	}()
	return in, nil
}

// sameWriter reports whether two writers are one; those of a type that cannot be
// compared are not.
func sameWriter(a, b io.Writer) bool {
	defer func() { _ = recover() }() // what comparing says of such a type
	return a != nil && a == b
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// runToEnd runs the machine in a session of its own: each process in there is a
// process here, of that group.
func runToEnd(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 500 * time.Millisecond
	// Pdeathsig comes when the thread ends that forked, so it must stay ours.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the virtual machine: %w", err)
	}
	err := cmd.Wait()
	if kill := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); kill != nil && !errors.Is(kill, syscall.ESRCH) {
		return errors.Join(err, kill)
	}
	return err
}
