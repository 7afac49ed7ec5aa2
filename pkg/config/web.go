package config

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
)

// webSocket begins the value of web.listen that is a unix socket.
const webSocket = "unix:"

// Socket is the path of the unix socket that the page is served on; empty if it is none.
func (w Web) Socket() string {
	path, ok := strings.CutPrefix(w.Listen, webSocket)
	if !ok {
		return ""
	}
	return path
}

// Local reports whether only programs of this node reach the page.
func (w Web) Local() bool {
	if w.Socket() != "" {
		return true
	}
	host, _, err := net.SplitHostPort(w.Listen)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// checkWebListen lets an address with a port pass, or a unix socket. Names are refused:
// what they stand for, and so who reaches the page, is decided elsewhere.
func checkWebListen(text string) error {
	const use = "use ADDRESS:PORT such as 127.0.0.1:9180, or unix:/run/bgp-ovn/web.sock"
	if path, ok := strings.CutPrefix(text, webSocket); ok {
		if !filepath.IsAbs(path) || len(path) > maxSocketPath {
			return key.Wrong(use, "%s is no absolute path of a socket", key.Quote(text))
		}
		return nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil || at.Port() == 0 {
		return key.Wrong(use, "%s is nothing to listen on", key.Quote(text))
	}
	return nil
}

// checkAbsolute lets an absolute path pass.
func checkAbsolute(text string) error {
	if !filepath.IsAbs(text) {
		return key.Wrong("write the /absolute/path of the file", "%s is not an absolute path", key.Quote(text))
	}
	return nil
}

// checkWeb wants TLS and a token for a page that other machines reach.
func checkWeb(w Web, r *key.Reading) {
	if w.Listen != "" && (w.Certificate == "") != (w.Key == "") {
		r.Report("web.private_key", "key and certificate belong together, and one of them is missing",
			"set web.certificate and web.private_key, or neither")
	}
	if w.Listen == "" || w.Local() || w.Certificate != "" && w.Key != "" && w.TokenFile != "" {
		return
	}
	r.Report("web.listen", "other machines reach this address, and the page shows everything about the node",
		"listen on 127.0.0.1, [::1] or unix:/path, or set web.certificate, web.private_key and web.token_file")
}
