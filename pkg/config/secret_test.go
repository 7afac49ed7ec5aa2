package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// everySecret is a configuration with a value for every secret key there is, and those
// values. A new secret key makes TestNoSecretIsWritten fail until it is here.
func everySecret(t *testing.T) (text string, names, values []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("s3cret-of-the-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return `
drivers: [osp_ovn_bgp_driver]
history: {steps: 7}
learn: {accept: ["0.0.0.0/0", "10.0.0.0/8 le 24"]}
ovn_sb_connection: "ssl:192.0.2.7:6642,ssl:192.0.2.8:6642"
ovn_sb_private_key: /etc/keys/sb.pem
bgp:
  as: 64999
  router_id: 192.0.2.1
  peers:
    - {address: 192.0.2.9, as: 65000, password: 's3cret: "in the" file', families: [ipv4-unicast, l2vpn-evpn]}
    - {address: 192.0.2.10, as: 65000, password_file: ` + file + `, hold_time: 9}
    - {address: 192.0.2.11, as: 65000}
  verify:
    points:
      - {address: 192.0.2.60, as: 65100, password: 's3cret of a point'}
      - {address: 192.0.2.61, as: 65100, password_file: ` + file + `}
`, []string{
			"bgp.peers[].password", "bgp.peers[].password_file", "bgp.verify.points[].password",
			"bgp.verify.points[].password_file",
		}, []string{`s3cret: "in the" file`, "s3cret-of-the-file", "s3cret of a point"}
}

// What is exported has no secret in it, whatever the secret looks like, and means the same
// when it is read back.
func TestNoSecretIsWritten(t *testing.T) {
	text, names, values := everySecret(t)
	if all := SecretKeys(); !slices.Equal(all, names) {
		t.Fatalf("secret keys are %q, and this test configures %q: add the new ones", all, names)
	}
	s, problems := Read("config.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	if got := s.Secrets(); !slices.Equal(got, values) {
		t.Errorf("secrets %q, want %q", got, values)
	}
	out, err := s.Text()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range append(values, "s3cret", "password_file") {
		if strings.Contains(out, secret) {
			t.Errorf("%q is in\n%s", secret, out)
		}
	}
	again, problems := Read("exported.yaml", []byte(out))
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems.Err(), out)
	}
	for i := range s.BGP.Peers {
		if p := &s.BGP.Peers[i]; p.Password != "" {
			p.Password = ""
		}
	}
	for i := range s.BGP.Verify.Points {
		s.BGP.Verify.Points[i].Password = ""
	}
	a, b := table(&s), table(&again)
	for i, k := range a {
		if !k.Equal(b[i]) {
			t.Errorf("%s differs when it is read back from\n%s", k.Name, out)
		}
	}
	if twice, err := again.Text(); err != nil || twice != out {
		t.Errorf("exported again it is\n%s, %v, not\n%s", twice, err, out)
	}
}
