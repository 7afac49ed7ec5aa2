// Package bundle is the form of a support bundle: one compressed tar of what a node knows
// about itself, with a MANIFEST of what could not be gathered and why.
//
// It writes members in the order in which it gets them, with the same bytes for the same
// contents, and reads bundles from anywhere: every size, number and name is bounded, and
// nothing is ever unpacked to disk. It refuses to gather (pkg/bundle/gather and package
// agent do) and to know what a member means.
//
// Read next: [Writer], then [Read].
package bundle

import (
	"errors"
	"fmt"
	"hash/crc32"
	"regexp"
	"strings"
	"time"
)

// ManifestName is the last member of every bundle.
const ManifestName = "MANIFEST.json"

// formVersion is that of the form: a reader refuses newer ones.
const formVersion = 1

// The bounds of a bundle. A node of 100,000 ports has 250 MB in it.
const (
	MaxMembers = 256
	// MaxMember and MaxTotal bound what members have uncompressed, in octets.
	MaxMember = 512 << 20
	MaxTotal  = 4 << 30
	// maxCompressed bounds the file.
	maxCompressed = 1 << 30
	maxName       = 100
)

// Manifest says what a bundle has, and what it lacks.
type Manifest struct {
	// Form is the version of the form, Program that of who wrote the bundle.
	Form    int    `json:"form"`
	Program string `json:"program"`
	// Chassis is the node; empty if it is not known.
	Chassis string    `json:"chassis"`
	Made    time.Time `json:"made"`
	// Controller says how the controller took part: running, not running, or what went wrong.
	Controller string   `json:"controller"`
	Members    []Member `json:"members"`
	// Missing is what is not in the bundle, or not whole.
	Missing []Missing `json:"missing"`
}

// Member is one file of a bundle.
type Member struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// Missing is a member that could not be gathered, or of which something is left out.
type Missing struct {
	Name string `json:"name"`
	Why  string `json:"why"`
}

// goodName lets pass what can be the name of a member: no root, no way up, nothing that a
// shell or a terminal could take for something else.
var goodName = regexp.MustCompile(`^` + namePart + `(/` + namePart + `)*$`)

const namePart = `[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*`

// checkName refuses names that no bundle of ours has.
func checkName(name string) error {
	if len(name) > maxName || !goodName.MatchString(name) {
		return fmt.Errorf("member %.40q: no bundle has such a name", name)
	}
	return nil
}

// errNot says that a file is no support bundle; the remedy is the same for every cause.
var errNot = errors.New("this is not a support bundle, or it was cut short: copy it again, or make another " +
	"(bgp-ovn support-bundle)")

// FileName makes a name of a member of a word that others chose, such as the name of a
// bridge. Different words have different names.
func FileName(dir, word, ext string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, word)
	name = strings.TrimLeft(name[:min(len(name), 40)], "_-")
	if name != word {
		name = fmt.Sprintf("%s%08x", name, crc32.ChecksumIEEE([]byte(word)))
	}
	return dir + "/" + name + ext
}
