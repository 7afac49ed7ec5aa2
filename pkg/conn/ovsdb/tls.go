package ovsdb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// TLS names the PEM files for ssl remotes, as ovn-controller's --private-key,
// --certificate and --ca-cert do. They are read at each connect.
type TLS struct {
	// Key and Cert identify us; both or none.
	Key, Cert string
	// CA is who must have signed the server's certificate.
	CA string
	// Names are those of which the server's certificate must have one: DNS names or
	// addresses among its subjectAltName, or its CN if it has none. Without any,
	// every certificate of the CA is taken.
	Names []string
}

func (t TLS) validate(remotes []remote) error {
	needed := false
	for _, r := range remotes {
		needed = needed || r.tls
	}
	if !needed {
		return nil
	}
	if t.CA == "" {
		return errors.New("ssl remotes need the certificate of the CA that signed the server's")
	}
	if (t.Key == "") != (t.Cert == "") {
		return errors.New("tls: private key and certificate belong together, one of them is missing")
	}
	_, err := t.load()
	return err
}

// load reads the files. The name in the server's certificate is not compared
// with the address: OVN's own clients do not, and the certificates of its
// tools (ovs-pki) need not hold one. The chain is what counts, and Names if there
// are any.
func (t TLS) load() (*tls.Config, error) {
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("tls: read CA certificate: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls: no certificate in %s", t.CA)
	}
	cfg := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // replaced by VerifyConnection
		VerifyConnection:   func(c tls.ConnectionState) error { return errors.Join(verifyChain(c, roots), t.verifyName(c)) },
	}
	if t.Cert == "" {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("tls: read certificate %s and key %s: %w", t.Cert, t.Key, err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

// verifyChain checks that our CA has signed the certificate, at whatever distance.
func verifyChain(c tls.ConnectionState, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, cert := range c.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	_, err := c.PeerCertificates[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: between,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("the server's certificate is not signed by our CA: %w", err)
	}
	return nil
}

// verifyName checks that the certificate has one of the names.
func (t TLS) verifyName(c tls.ConnectionState) error {
	if len(t.Names) == 0 {
		return nil
	}
	cert := c.PeerCertificates[0]
	for _, name := range t.Names {
		if cert.VerifyHostname(name) == nil || withoutNames(cert) && cert.Subject.CommonName == name {
			return nil
		}
	}
	return fmt.Errorf("the server's certificate is that of %s and not of %s", namesOf(cert), strings.Join(t.Names, " or "))
}

// withoutNames reports whether a certificate says nothing but its CN.
func withoutNames(cert *x509.Certificate) bool { return len(cert.DNSNames)+len(cert.IPAddresses) == 0 }

// namesOf are the names that a certificate has, for errors.
func namesOf(cert *x509.Certificate) string {
	if withoutNames(cert) {
		return strconv.Quote(cert.Subject.CommonName)
	}
	names := make([]string, 0, len(cert.DNSNames)+len(cert.IPAddresses))
	for _, name := range cert.DNSNames {
		names = append(names, strconv.Quote(name))
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, ip.String())
	}
	return strings.Join(names, ", ")
}
