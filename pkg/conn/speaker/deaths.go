package speaker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// maxReport bounds what is read of a report, in octets; the stack of the goroutine
	// that panicked comes first.
	maxReport = 1 << 20
	// maxRecord bounds the file of deaths, in octets. A full one has 30 KiB.
	maxRecord = 1 << 18
)

// labelsSetting makes the runtime print labels of goroutines. Go before 1.26 does not
// know it: nobody is to blame then.
const labelsSetting = "tracebacklabels"

// Record has the ends of a speaker by messages of peers, in a file that outlives
// the process. Processes that share it lock it.
type Record struct {
	// path is the file of deaths. Beside it are the report of a process that ends by a
	// panic, and the lock.
	path string
}

// RecordBeside is the record of the speaker whose socket, or whose state file, is at
// path.
func RecordBeside(path string) Record { return Record{path: path + ".deaths"} }

// RecordOf is the record of the speaker process that listens on a socket, unix:/path.
func RecordOf(socket string) (Record, error) {
	path, err := socketPath(socket)
	return RecordBeside(path), err
}

func (r Record) report() string { return r.path + ".report" }

// Begin enters how the process before this one ended, and makes this one leave a
// report if it ends by a panic. It must be called before the first session. What
// fails costs that this end is not counted.
func (r Record) Begin(log *slog.Logger) {
	if err := r.begin(log, time.Now()); err != nil {
		log.Warn("an end of the speaker by a message of a peer will not be noticed", slog.Any("err", err))
	}
}

func (r Record) begin(log *slog.Logger, now time.Time) error {
	if err := os.MkdirAll(filepath.Dir(r.path), 0o755); err != nil {
		return fmt.Errorf("create directory of the report: %w", err)
	}
	f, err := open(r.report(), os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return fmt.Errorf("open the report of the last end: %w", err)
	}
	defer func() { _ = f.Close() }() // the runtime has its own descriptor
	text, err := io.ReadAll(io.LimitReader(f, maxReport))
	if err != nil {
		return fmt.Errorf("read the report of the last end: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("read the report of the last end: %w", err)
	}
	if len(text) > 0 {
		r.enter(log, text, info.ModTime(), now)
	}
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("empty the report of the last end: %w", err)
	}
	// The runtime takes note of this while the process runs, unlike of most settings.
	if settings := os.Getenv("GODEBUG"); !strings.Contains(settings, labelsSetting) {
		if err := os.Setenv("GODEBUG", strings.TrimPrefix(settings+","+labelsSetting+"=1", ",")); err != nil {
			return fmt.Errorf("have labels of goroutines in reports: %w", err)
		}
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		return fmt.Errorf("have reports written to %s: %w", r.report(), err)
	}
	return nil
}

// enter records who is to blame for a report that was written at a time.
func (r Record) enter(log *slog.Logger, report []byte, at, now time.Time) {
	peer, ok := culprit(report)
	if !ok {
		log.Warn("the process before this one ended by a panic, and no peer's message is known to be the cause",
			slog.Time("at", at))
		return
	}
	log.Error("a message of a peer ended the process before this one: a defect of the speaker; report it with the log",
		slog.String("peer", peer), slog.Time("at", at))
	err := r.change(func(d Deaths, damage error) (Deaths, error) {
		if damage != nil {
			log.Warn("the record of ends of the speaker is begun anew", slog.Any("err", damage))
		}
		return d.With(Death{At: at, Peer: peer}, now), nil
	})
	if err != nil {
		log.Warn("an end of the speaker cannot be recorded", slog.String("peer", peer), slog.Any("err", err))
	}
}

// Held lists the peers that are held now. A record that cannot be read holds nobody
// and is an error; one that does not exist is none.
func (r Record) Held(now time.Time) ([]Held, error) {
	d, err := r.read()
	return d.Held(now), err
}

// Release ends the hold of a peer, and reports whether there was one.
func (r Record) Release(address string, now time.Time) (was bool, err error) {
	if d, err := r.read(); err != nil || len(d.Held(now)) == 0 {
		return false, err
	}
	err = r.change(func(d Deaths, damage error) (Deaths, error) {
		was = slices.ContainsFunc(d.Held(now), func(h Held) bool { return h.Is(address) })
		return d.Without(address), damage
	})
	return was && err == nil, err
}

// read returns the deaths in the file; none if there is no file.
func (r Record) read() (Deaths, error) {
	f, err := open(r.path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("record of ends of the speaker: %w", err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxRecord+1))
	if err != nil {
		return nil, fmt.Errorf("record of ends of the speaker: %w", err)
	}
	var d Deaths
	if len(text) > maxRecord {
		err = fmt.Errorf("more than %d octets", maxRecord)
	} else {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return nil, fmt.Errorf("record of ends of the speaker: %s is damaged (%w) and counts as empty; remove it",
			r.path, err)
	}
	return d, nil
}

// change replaces the file as a whole. fn gets what is in it, and why that is
// nothing if it cannot be read.
func (r Record) change(fn func(d Deaths, damage error) (Deaths, error)) error {
	lock, err := open(r.path+".lock", os.O_RDWR|os.O_CREATE)
	if err != nil {
		return fmt.Errorf("lock the record of ends of the speaker: %w", err)
	}
	defer func() { _ = lock.Close() }() // which unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock the record of ends of the speaker: %w", err)
	}
	d, err := fn(r.read())
	if err != nil {
		return err
	}
	if err := r.replace(d); err != nil {
		return fmt.Errorf("write the record of ends of the speaker: %w", err)
	}
	return nil
}

func (r Record) replace(d Deaths) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	next := r.path + ".new"
	f, err := open(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(next, r.path)
}

// open opens a regular file, never by a link, and does not wait for a pipe. Who has the
// speaker's group may write to the record, as to its socket.
func open(path string, flags int) (*os.File, error) {
	f, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o660)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = f.Close()
		return nil, errors.Join(fmt.Errorf("%s is not a regular file", path), err)
	}
	return f, nil
}
