package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

const secret = "s3cret"

// withPasswordFile is a configuration of one neighbour whose password is in a file.
func withPasswordFile(path string) string {
	return "bgp:\n  peers:\n    - address: 192.0.2.1\n      as: 1\n      password_file: " + path + "\n"
}

// passwordFile writes a file with a password.
func passwordFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// A password file holds the password, with or without a line break at its end; a change
// of it is a change of bgp.peers.
func TestPasswordFile(t *testing.T) {
	for text, want := range map[string]string{
		secret: secret, secret + "\n": secret, secret + "\r\n": secret, " a, b ": " a, b ", "a=b,c\n": "a=b,c",
		strings.Repeat("x", 80) + "\n": strings.Repeat("x", 80),
	} {
		for _, mode := range []os.FileMode{0o600, 0o400, 0o640} {
			s, problems := Load(source(t, drivers.All(), withPasswordFile(passwordFile(t, text, mode)), nil))
			if problems.Err() != nil || len(s.BGP.Peers) != 1 || s.BGP.Peers[0].Password != want {
				t.Errorf("%q, mode %o: %+v, %v", text, mode, s.BGP.Peers, problems.Err())
			}
		}
	}
	path := passwordFile(t, secret, 0o600)
	link := path + ".link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	src := source(t, drivers.All(), withPasswordFile(link), nil)
	before, problems := Load(src)
	if problems.Err() != nil || before.BGP.Peers[0].Password != secret {
		t.Fatalf("through a link: %v", problems.Err())
	}
	if err := os.WriteFile(path, []byte("other\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	after, _ := Load(src)
	if changed, restart := Changes(before, after); strings.Join(changed, " ") != "bgp.peers" || len(restart) > 0 {
		t.Errorf("changed %v, restart %v", changed, restart)
	}
}

// What is no proper password file is refused with the line, and nothing of it is
// repeated.
func TestBadPasswordFiles(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, path, want string }{
		{"not there", "/nonexistent/" + secret, "the file cannot be read: no such file or directory: make the file"},
		{"not absolute", secret, "it is not an absolute path: write the /absolute/path"},
		{"directory", t.TempDir(), "it is not a regular file"},
		{"pipe", pipe, "it is not a regular file"},
		{"device", "/dev/zero", "it is not a regular file"},
		{"readable", passwordFile(t, secret, 0o604), "everybody on this node can read or write the file (mode 0604): chmod"},
		{"writable", passwordFile(t, secret, 0o602), "everybody on this node can read or write the file (mode 0602): chmod"},
		{"empty", passwordFile(t, "", 0o600), "the file is empty"},
		{"line break only", passwordFile(t, "\n", 0o600), "the file is empty"},
		{"two lines", passwordFile(t, secret+"\nmore\n", 0o600), "the file has several lines"},
		{"too long", passwordFile(t, secret+strings.Repeat("x", 75), 0o600), "longer than 80 bytes (RFC 2385)"},
		{"far too long", passwordFile(t, strings.Repeat(secret, 1<<20), 0o600), "longer than 80 bytes (RFC 2385)"},
		{"zero", passwordFile(t, secret+"\x00", 0o600), "it contains a byte of value zero"},
	} {
		src := source(t, drivers.All(), withPasswordFile(tt.path), nil)
		s, problems := Load(src)
		want := src.Path + ":5: bgp.peers[0].password_file: " + tt.want
		if problems.Err() == nil || !strings.HasPrefix(problems.Err().Error(), want) ||
			strings.Contains(problems.Err().Error(), secret) {
			t.Errorf("%s: got\n%v\nwant\n%s", tt.name, problems.Err(), want)
		}
		if s.BGP.Peers[0].Password != "" {
			t.Errorf("%s: a password is set", tt.name)
		}
	}
	path := passwordFile(t, secret, 0o600)
	checkBad(t, withPasswordFile(path)+"      password: a\n",
		"5: bgp.peers[0].password_file: password is set, too: leave one of them out")
	checkBad(t, "bgp:\n  peers:\n    - {address: 'fe80::1%eth0', as: 1, password: a}\n",
		"3: bgp.peers[0].password: a session with a link-local address can have no password: "+
			"leave it out, or use an address of the network")
}

// Passwords that others on the node can read are told of: in flags, and in a file
// that everybody may read. In a variable, which only the same user and root can
// read, and in a file of its own they are not.
func TestExposedPasswords(t *testing.T) {
	const peer = "bgp: {peers: [{address: 192.0.2.1, as: 1, password: 's3cret,x'}]}\n"
	const flag = `address=192.0.2.1,as=1,"password=s3cret,x"`
	file := withPasswordFile(passwordFile(t, secret, 0o600))
	for _, tt := range []struct {
		name, file string
		mode       os.FileMode
		env        map[string]string
		args       []string
		want       string
	}{
		{"file of root", peer, 0o600, nil, nil, ""},
		{"file of a group", peer, 0o640, nil, nil, ""},
		{"file of everybody", peer, 0o644, nil, nil, "(mode 0644), and it has passwords (bgp.peers[0].password)"},
		{"no password", "log: {level: info}\n", 0o644, nil, nil, ""},
		{"password file", file, 0o644, nil, nil, ""},
		{"flag", "", 0o600, nil, []string{"--bgp-peers=" + flag}, "--bgp-peers: everybody on this node can read flags (ps)"},
		{"flag in place of the file", peer, 0o644, nil, []string{"--bgp-peers=address=192.0.2.1,as=1"}, ""},
		{"variable", "", 0o600, map[string]string{"BGP_OVN_BGP_PEERS": flag}, nil, ""},
	} {
		src := source(t, drivers.All(), tt.file, tt.env, tt.args...)
		if err := os.Chmod(src.Path, tt.mode); err != nil && tt.file != "" {
			t.Fatal(err)
		}
		s, problems := Load(src)
		if problems.Err() != nil {
			t.Errorf("%s: %v", tt.name, problems.Err())
		}
		notes := strings.Join(s.Notes(), "\n")
		if !strings.Contains(notes, tt.want) || tt.want == "" && notes != "" || strings.Contains(notes, secret) {
			t.Errorf("%s: notes %q, want %q", tt.name, notes, tt.want)
		}
		// Whatever prints settings by accident prints no password.
		for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(form, s); strings.Contains(text, secret) {
				t.Errorf("%s: %s prints the password", tt.name, form)
			}
		}
	}
}
