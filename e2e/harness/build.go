package harness

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// BinaryVariable names the program under test, where somebody has built it before:
// the Makefile has, and so has whoever starts a guest, in which building takes
// minutes. It has not the prefix of the product's own variables, which are keys of
// its configuration.
const BinaryVariable = "E2E_BGP_OVN"

const (
	module  = "github.com/bgp-ovn/bgp-ovn/"
	product = "cmd/bgp-ovn"
)

// keep is how long a program stays in the cache that no run has asked for.
const keep = 24 * time.Hour

// Binary is the program under test: the one that [BinaryVariable] names, or else
// one that is built from the source beside the test.
func Binary(ctx context.Context) (string, error) {
	bin := os.Getenv(BinaryVariable)
	if bin == "" {
		return Build(ctx, product)
	}
	if !filepath.IsAbs(bin) {
		return "", fmt.Errorf("%s=%s: tests run in the directories of their packages: give an absolute path", BinaryVariable,
			bin)
	}
	// A file that a test looks at is an input of its result: go does not take the
	// result from its cache when the file has changed. It sees os.Stat, not access(2).
	if _, err := os.Stat(bin); err != nil {
		return "", fmt.Errorf("%s: %w", BinaryVariable, err)
	}
	if err := unix.Access(bin, unix.X_OK); err != nil {
		return "", fmt.Errorf("%s=%s: %w", BinaryVariable, bin, err)
	}
	return bin, nil
}

// Build builds a main package, named from the top of the module, and returns the
// path of the program. Suites that run at the same time build it once: the first
// builds and the others find that there is nothing to do. The path is that of these
// very bytes, so that nobody's program changes while it is being run.
func Build(ctx context.Context, pkg string) (string, error) {
	return build(ctx, pkg, "bin", "build")
}

// BuildStatic is Build without C, for a program that runs where no library is.
func BuildStatic(ctx context.Context, pkg string) (string, error) {
	return build(ctx, pkg, "static", "build")
}

// BuildTests builds the tests of a package, with build tags, as a program.
func BuildTests(ctx context.Context, pkg, tags string) (string, error) {
	return build(ctx, pkg, "test", "test", "-c", "-tags="+tags)
}

func build(ctx context.Context, pkg, form string, args ...string) (string, error) {
	dir, err := cache(pkg)
	if err != nil {
		return "", err
	}
	unlock, err := lock(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	if err := lookAtSource(); err != nil {
		return "", err
	}
	// A name that stays, because go links again only if what is there is older.
	latest := filepath.Join(dir, filepath.Base(pkg)+"."+form)
	cmd := exec.CommandContext(ctx, "go", append(args, "-o", latest, module+pkg)...)
	cmd.Env = append(os.Environ(), "GOFLAGS=") // such as -race, which guests cannot bear
	if form == "static" {
		cmd.Env = append(cmd.Env, "CGO_ENABLED=0")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	return named(dir, latest)
}

// cache makes the directory of a package's programs. Another checkout has its own:
// two that build in turns would otherwise link every time.
func cache(pkg string) (string, error) {
	home, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("place for what tests build: %w", err)
	}
	here, err := os.Getwd()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(Top(here) + "\n" + pkg))
	dir := filepath.Join(home, "bgp-ovn-e2e", fmt.Sprintf("%x", key[:6]))
	return dir, os.MkdirAll(dir, 0o755)
}

// lookAtSource makes all source of the module an input of the test's result, as the
// program is that the test runs: otherwise go would take a result from its cache
// which another program has had.
func lookAtSource() error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	return filepath.WalkDir(Top(here), func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			_, err = os.Stat(path)
		}
		return err
	})
}

// Top is the directory of go.mod, at or above a directory.
func Top(dir string) string {
	for at := dir; ; at = filepath.Dir(at) {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			return at
		}
		if at == filepath.Dir(at) {
			return dir
		}
	}
}

// lock holds a directory against other processes.
func lock(dir string) (unlock func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// named copies the latest program to a name that has its content in it, and
// removes those that nobody has asked for in a while.
func named(dir, latest string) (string, error) {
	sum, err := digest(latest)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, filepath.Base(latest)+"-"+sum)
	now := time.Now()
	if os.Chtimes(path, now, now) == nil {
		return path, nil
	}
	old, err := filepath.Glob(latest + "-*")
	if err != nil {
		return "", err
	}
	for _, p := range old {
		if info, err := os.Stat(p); err == nil && now.Sub(info.ModTime()) > keep {
			_ = os.Remove(p)
		}
	}
	return path, Copy(latest, path)
}

func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// Copy copies a program, to where another user can read it for instance. It
// appears under its name only when it is complete.
func Copy(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.CreateTemp(filepath.Dir(to), ".new-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()) }()
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Chmod(0o755), out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return os.Rename(out.Name(), to)
}
