package config

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// The bounds of a password: TCP_MD5SIG_MAXKEYLEN, and what a file with one may have.
const (
	maxPassword     = 80
	maxPasswordFile = 4096
	// byOthers are the permissions by which everybody could read or replace a secret.
	byOthers = fs.FileMode(0o006)
)

// checkPassword never repeats the password.
func checkPassword(text string) error {
	switch {
	case len(text) > maxPassword:
		return key.Wrong("shorten it on both ends", "longer than %d bytes (RFC 2385)", maxPassword)
	case strings.ContainsRune(text, 0):
		return key.Wrong("choose another on both ends", "it contains a byte of value zero")
	}
	return nil
}

// readPassword reads the password of a neighbour that a file holds.
func readPassword(path string) (string, error) {
	password, err := ReadSecret(path)
	if err != nil {
		return "", err
	}
	return password, checkPassword(password)
}

// ReadSecret reads the password that a file holds, without the line break at its end.
// Links are followed, as secrets of Kubernetes are. An error repeats neither the
// contents nor the path, which may be a password in the wrong place.
func ReadSecret(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", key.Wrong("write the /absolute/path of a file that holds the password and nothing else",
			"it is not an absolute path")
	}
	// A named pipe without a writer must not keep us waiting.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", key.Wrong("make the file, or correct the path", "the file cannot be read: %s", reason(err))
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return "", key.Wrong("make the file, or correct the path", "the file cannot be read: %s", reason(err))
	case !info.Mode().IsRegular():
		return "", key.Wrong("name a regular file", "it is not a regular file")
	case info.Mode()&byOthers != 0:
		return "", key.Wrong("chmod o= on the file",
			"everybody on this node can read or write the file (mode %04o)", info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPasswordFile+1))
	if err != nil {
		return "", key.Wrong("name a file that can be read", "the file cannot be read: %s", reason(err))
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case password == "":
		return "", key.Wrong("write the password into it, or leave the key out", "the file is empty")
	case strings.ContainsAny(password, "\r\n"):
		return "", key.Wrong("leave the password alone in it", "the file has several lines")
	}
	return password, nil
}

// exposedPasswords tells of passwords that others on the node can read: in a flag, or
// in a configuration file of that mode. They are no problems: the node works.
func exposedPasswords(s *Settings, places map[string]key.Place, file fs.FileMode) (out Problems) {
	var flags, exposed []string
	at, flag := key.Place{}, ""
	var names []string
	for i := range s.BGP.Peers {
		names = append(names, fmt.Sprintf("bgp.peers[%d].password", i))
	}
	for i := range s.BGP.Verify.Points {
		names = append(names, fmt.Sprintf("bgp.verify.points[%d].password", i))
	}
	for _, name := range names {
		place, ok := places[name]
		switch {
		case !ok:
		case strings.HasPrefix(place.Source, "--"):
			flags, flag = append(flags, name), cmp.Or(flag, place.Source)
		case place.File != "" && file&byOthers != 0:
			at.File, exposed = place.File, append(exposed, name)
		}
	}
	if len(exposed) > 0 {
		out = append(out, Problem{
			Place: at, Remedy: "chmod o= " + at.File + ", or use password_file",
			Text: fmt.Sprintf("everybody on this node can read or write it (mode %04o), and it has passwords (%s)",
				file.Perm(), shortList(exposed)),
		})
	}
	if len(flags) > 0 {
		out = append(out, Problem{
			Place: key.Place{Source: flag}, Remedy: "use password_file",
			Text: fmt.Sprintf("everybody on this node can read flags (ps), and it has passwords (%s)", shortList(flags)),
		})
	}
	return out
}

// shortList names the first few of many.
func shortList(names []string) string {
	const most = 3
	if len(names) > most {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("%d more", len(names)-most))
	}
	return strings.Join(names, ", ")
}
