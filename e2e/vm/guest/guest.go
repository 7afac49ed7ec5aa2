// Package guest is process 1 of the virtual machine that package vm boots: it
// turns a bare kernel into the machine outside, reads only, runs one command
// and powers off. It starts no other program, because an exec costs 5 to 50 ms
// in there. It is no init for anything else.
//
// Read [Boot] next, then [Order], which is all that the two sides share.
package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ScratchVariable is the boot parameter with the directory that both sides
// write: a parameter that the kernel does not know becomes a variable of
// process 1.
const ScratchVariable = "bgp_ovn_vm"

// Order is what the guest is to do.
type Order struct {
	Args  []string
	Env   []string
	Dir   string
	Limit time.Duration // after which the command gets SIGQUIT
	// Modules is the directory with modules.dep, Load what to load of it.
	Modules string
	Load    []string
}

// Report is what became of it.
type Report struct {
	Status   int           // of the command as a shell tells it
	TimedOut bool          // the limit ended it
	Booted   time.Duration // from the kernel's start to the command's
	Err      string        // why there was no command
}

// Place writes the order where the guest looks for it.
func (o Order) Place(scratch string) error { return write(scratch, "order.json", o) }

// ReadReport reads what the guest left behind; [os.ErrNotExist] means that it
// died.
func ReadReport(scratch string) (Report, error) {
	var r Report
	return r, read(scratch, "report.json", &r)
}

// Boot is the whole life of process 1. It does not return.
func Boot() {
	scratch := os.Getenv(ScratchVariable)
	report, err := boot(scratch)
	if err != nil {
		report.Err = err.Error()
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	if err := write(scratch, "report.json", report); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	// What is written to the host's files reaches them only now.
	unix.Sync()
	err = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	panic(fmt.Sprintf("guest: power off: %v", err)) // process 1 must not end: a panic ends the machine
}

func boot(scratch string) (Report, error) {
	if os.Getpid() != 1 || scratch == "" {
		return Report{}, errors.New("this is no virtual machine of package vm")
	}
	if err := share(scratch); err != nil {
		return Report{}, err
	}
	var o Order
	if err := read(scratch, "order.json", &o); err != nil {
		return Report{}, err
	}
	if err := furnish(o, scratch); err != nil {
		return Report{}, err
	}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &up); err != nil {
		return Report{}, err
	}
	report := Report{Booted: time.Duration(up.Nano())}
	var err error
	report.Status, report.TimedOut, err = o.run()
	return report, err
}

// furnish makes everything ready for the command.
func furnish(o Order, scratch string) error {
	m := modules{dir: o.Modules}
	if err := m.open(); err != nil {
		return err
	}
	// The overlay must be there before the root can be written to.
	if err := m.load("overlay"); err != nil {
		return err
	}
	if err := newRoot(); err != nil {
		return fmt.Errorf("new root: %w", err)
	}
	if err := share(scratch); err != nil {
		return err
	}
	for _, name := range o.Load {
		// IPv6 was a module of older kernels and is a part of newer ones.
		if _, err := os.Stat("/proc/sys/net/ipv6"); name == "ipv6" && err == nil {
			continue
		}
		if err := m.load(name); err != nil {
			return err
		}
	}
	if err := m.offer(); err != nil {
		return err
	}
	return settle()
}

func write(dir, name string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	// Renamed into place: half of a report must not look like one.
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func read(dir, name string, v any) error {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
