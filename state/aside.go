package state

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// The reasons for which a file is set aside; its new name has the reason.
const (
	// AsideDamaged is a file that cannot be read.
	AsideDamaged = "damaged"
	// AsideNewer is one that a newer program wrote.
	AsideNewer = "newer"
	// AsideOtherNode is one of another node.
	AsideOtherNode = "other-node"
	// AsideReplaced is one that took the place of ours while we used that.
	AsideReplaced = "replaced"
)

// keptAside is how many files are kept that were set aside for one reason. Those of a
// newer program are all kept: it may come back.
const keptAside = 5

// asideTime is the form of the time in the name of a file that was set aside.
const asideTime = "20060102T150405Z"

// Aside is a state file that was set aside.
type Aside struct {
	Path   string
	Reason string
	At     time.Time
}

// refusal is why a file is to be set aside.
type refusal struct {
	reason string
	err    error
}

// Error is why.
func (r *refusal) Error() string { return r.err.Error() }

// Unwrap is why.
func (r *refusal) Unwrap() error { return r.err }

// setAside renames a file for a reason, and removes the oldest of too many. No other
// file is overwritten.
func setAside(path, reason string, now time.Time) (string, error) {
	base := path + "." + reason + "-" + now.UTC().Format(asideTime)
	to := base
	for n := 2; ; n++ {
		err := renameNew(path, to)
		if err == nil {
			break
		}
		if !errors.Is(err, os.ErrExist) || n > 100 {
			return "", fmt.Errorf("set aside %s: %w", path, err)
		}
		to = fmt.Sprintf("%s-%d", base, n)
	}
	if reason != AsideNewer {
		same := slices.DeleteFunc(asides(path), func(a Aside) bool { return a.Reason != reason })
		for _, a := range same[:max(0, len(same)-keptAside)] {
			_ = os.Remove(a.Path) // one more that is kept does no harm
		}
	}
	return to, nil
}

// renameNew renames a file, but not over another one.
func renameNew(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return os.Remove(from)
	}
	if errors.Is(err, os.ErrExist) || errors.Is(err, os.ErrNotExist) {
		return err
	}
	// The file system has no links: nobody else gives files these names.
	if _, err := os.Lstat(to); !errors.Is(err, os.ErrNotExist) {
		return cmp.Or(err, os.ErrExist)
	}
	return os.Rename(from, to)
}

// asides are the files that were set aside, the oldest first.
func asides(path string) []Aside {
	var out []Aside
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	for _, n := range names {
		rest, ok := strings.CutPrefix(n.Name(), filepath.Base(path)+".")
		if !ok {
			continue
		}
		for _, reason := range []string{AsideDamaged, AsideNewer, AsideOtherNode, AsideReplaced} {
			text, ok := strings.CutPrefix(rest, reason+"-")
			if !ok || len(text) < len(asideTime) {
				continue
			}
			at, err := time.Parse(asideTime, text[:len(asideTime)])
			if err == nil {
				out = append(out, Aside{filepath.Join(filepath.Dir(path), n.Name()), reason, at})
			}
		}
	}
	sorting.Sort(out, func(a, b Aside) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Path, b.Path)) })
	return out
}
