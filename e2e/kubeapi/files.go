package kubeapi

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// makeFiles writes certificates and tokens.
func (s *Server) makeFiles() {
	s.t.Helper()
	caKey, ca := s.certificate("authority", nil, nil, nil)
	s.CA = ca
	_, _ = s.certificate("server", caKey, ca, []net.IP{net.ParseIP(s.opts.Listen)})
	s.write("tokens", []byte(AdminToken+",admin,1,\"system:masters\"\n"+ReaderToken+","+Reader+",2\n"))
}

func (s *Server) write(name string, data []byte) {
	s.t.Helper()
	harness.Check(s.t, os.WriteFile(s.path(name), data, 0o600))
}

// certificate makes one with its key: of an authority, or signed by one.
func (s *Server) certificate(name string, parentKey *ecdsa.PrivateKey, parent []byte, ips []net.IP,
) (*ecdsa.PrivateKey, []byte) {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	harness.Check(s.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: ips, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: parent == nil,
	}
	signer, signerKey := template, key
	if parent != nil {
		block, _ := pem.Decode(parent)
		signer, err = x509.ParseCertificate(block.Bytes)
		harness.Check(s.t, err)
		signerKey = parentKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, key.Public(), signerKey)
	harness.Check(s.t, err)
	// The form of SEC 1: of PKCS 8 the API server cannot read the public key.
	keyDER, err := x509.MarshalECPrivateKey(key)
	harness.Check(s.t, err)
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.write(name+".crt", crt)
	s.write(name+".key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
	return key, crt
}

// Kubeconfig writes one for an address of the API, a token file and a certificate of an
// authority, and returns its path. Empty arguments are those of the server and of the
// reader.
func (s *Server) Kubeconfig(name, address, token string, ca []byte) string {
	s.t.Helper()
	if address == "" {
		address = s.Address()
	}
	if token == "" {
		token = ReaderToken
	}
	if ca == nil {
		ca = s.CA
	}
	s.write(name+".token", []byte(token))
	s.write(name+".ca", ca)
	s.write(name, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {server: "https://%s", certificate-authority: %s.ca}
users:
- name: u
  user: {tokenFile: %s}
contexts:
- name: x
  context: {cluster: c, user: u}
current-context: x
`, address, name, s.path(name+".token")))
	return s.path(name)
}

// OtherAuthority is the certificate of an authority that has signed nothing here.
func (s *Server) OtherAuthority() []byte {
	s.t.Helper()
	_, ca := s.certificate("other", nil, nil, nil)
	return ca
}
