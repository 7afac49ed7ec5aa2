package sb_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
)

// authority signs certificates.
type authority struct {
	t    *testing.T
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	file string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	_, a.file = a.issue(name, true)
	return a
}

// issue makes a key and a certificate without any host name but its CN, as ovs-pki
// does, or with names.
func (a *authority) issue(name string, ca bool, names ...string) (keyFile, certFile string) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, DNSNames: names,
	}
	if ca {
		a.key, a.cert, cert.KeyUsage = key, cert, x509.KeyUsageCertSign
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write(name+".key", "PRIVATE KEY", private), a.write(name+".crt", "CERTIFICATE", der)
}

func (a *authority) write(name, kind string, der []byte) string {
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func TestTLS(t *testing.T) {
	right, wrong := newAuthority(t, "right"), newAuthority(t, "wrong")
	key, cert := right.issue("server", false)
	ourKey, ourCert := right.issue("us", false)
	port := freePort(t, "127.0.0.1")
	dir := shortDir(t)
	db := filepath.Join(dir, "sb.db")
	command(t, "ovsdb-tool", "create", db, schemaFile)
	startServer(t, dir, "--remote=pssl:"+port+":127.0.0.1", "--private-key="+key, "--certificate="+cert, "--ca-cert="+
		right.file, db)
	remote := "ssl:127.0.0.1:" + port

	s := open(t, ovsdb.Config{Remotes: []string{remote}, TLS: ovsdb.TLS{Key: ourKey, Cert: ourCert, CA: right.file}})
	await(t, s, "the first copy", synced)

	// The server's certificate is not one of our CA, until the file is replaced.
	mixed := filepath.Join(t.TempDir(), "ca.crt")
	copyFile(t, wrong.file, mixed)
	s = open(t, ovsdb.Config{Remotes: []string{remote}, TLS: ovsdb.TLS{Key: ourKey, Cert: ourCert, CA: mixed}})
	eventually(t, "the refusal", func() bool {
		return strings.Contains(s.Status().LastError, "the server's certificate is not signed by our CA")
	})
	if _, err := s.Read(t.Context()); err == nil {
		t.Error("rows of a server that is not trusted")
	}
	copyFile(t, right.file, mixed)
	await(t, s, "the renewed CA file", synced)

	// Ours is not one of the server's.
	badKey, badCert := wrong.issue("us", false)
	s = open(t, ovsdb.Config{Remotes: []string{remote}, TLS: ovsdb.TLS{Key: badKey, Cert: badCert, CA: right.file}})
	eventually(t, "the server's refusal", func() bool { return len(s.Status().Errors) == 1 })
	t.Log(s.Status().LastError)

	for _, bad := range []ovsdb.TLS{
		{CA: right.file, Key: ourKey}, {CA: "/nowhere"}, {CA: key}, {CA: right.file, Key: key, Cert: ourCert},
	} {
		if _, err := sb.Open(t.Context(), ovsdb.Config{Remotes: []string{remote}, TLS: bad}); err == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
}

// With names, only a server whose certificate has one of them is taken.
func TestTLSServerName(t *testing.T) {
	ours := newAuthority(t, "ours")
	ourKey, ourCert := ours.issue("us", false)
	dir := shortDir(t)
	serve := func(name string, names ...string) (remote string) {
		key, cert := ours.issue(name, false, names...)
		port := freePort(t, "127.0.0.1")
		db := filepath.Join(dir, name+".db")
		command(t, "ovsdb-tool", "create", db, schemaFile)
		own := filepath.Join(dir, name)
		if err := os.Mkdir(own, 0o700); err != nil {
			t.Fatal(err)
		}
		startServer(t, own, "--remote=pssl:"+port+":127.0.0.1", "--private-key="+key, "--certificate="+cert,
			"--ca-cert="+ours.file, db)
		return "ssl:127.0.0.1:" + port
	}
	named, plain := serve("named", "sb-1.example.org", "sb.example.org"), serve("plain")
	for _, tt := range []struct {
		remote string
		names  []string
		want   string // empty: it is taken
	}{
		{named, nil, ""},
		{named, []string{"sb.example.org"}, ""},
		{named, []string{"other.example.org", "SB-1.example.org"}, ""},
		{named, []string{"named"}, `that of "sb-1.example.org", "sb.example.org" and not of named`},
		{named, []string{"example.org"}, "and not of example.org"},
		{plain, []string{"plain"}, ""},
		{plain, []string{"sb.example.org", "x"}, `that of "plain" and not of sb.example.org or x`},
	} {
		s := open(t, ovsdb.Config{Remotes: []string{tt.remote}, TLS: ovsdb.TLS{
			Key: ourKey, Cert: ourCert, CA: ours.file, Names: tt.names,
		}})
		if tt.want == "" {
			await(t, s, "the first copy", synced)
			continue
		}
		eventually(t, "the refusal", func() bool { return strings.Contains(s.Status().LastError, tt.want) })
		if _, err := s.Read(t.Context()); err == nil {
			t.Errorf("%v: rows of a server with another name", tt.names)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(to+".new", to); err != nil {
		t.Fatal(err)
	}
}

var _ observe.Source[*observe.Southbound] = (*sb.Source)(nil)
