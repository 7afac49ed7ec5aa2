package config

import (
	"strings"
	"testing"
)

// A page that other machines reach needs TLS and a token; nothing else is let through.
func TestWebListen(t *testing.T) {
	const all = ", certificate: /c, private_key: /k, token_file: /t"
	for web, want := range map[string]string{
		"listen: '127.0.0.1:9180'":                                   "",
		"listen: '127.9.8.7:9180'":                                   "",
		"listen: '[::1]:9180'":                                       "",
		"listen: 'unix:/run/x.sock'":                                 "",
		"listen: '127.0.0.1:9180', token_file: /t":                   "",
		"listen: '192.0.2.1:9180'" + all:                             "",
		"listen: '0.0.0.0:9180'" + all:                               "",
		"token_file: /t":                                             "",
		"listen: '0.0.0.0:9180'":                                     "other machines reach this address",
		"listen: '[::]:9180'":                                        "other machines reach this address",
		"listen: '192.0.2.1:9180', token_file: /t":                   "other machines reach this address",
		"listen: '[::ffff:192.0.2.1]:9180'":                          "other machines reach this address",
		"listen: '192.0.2.1:9180', certificate: /c, private_key: /k": "other machines reach this address",
		"listen: '127.0.0.1:1', certificate: /c":                     "key and certificate belong together",
		"listen: ':9180'" + all:                                      "is nothing to listen on",
		"listen: 'localhost:9180'":                                   "is nothing to listen on",
		"listen: '127.0.0.1:0'":                                      "is nothing to listen on",
		"listen: 9180":                                               "is nothing to listen on",
		"listen: 'unix:run/x.sock'":                                  "is no absolute path",
		"token_file: 'secret-itself'":                                "is not an absolute path",
	} {
		_, problems := Read("c.yaml", []byte("bgp: {as: 64999}\nweb: {"+web+"}\n"))
		text := ""
		if len(problems) > 0 {
			text = problems.Err().Error()
		}
		if (text == "") != (want == "") || !strings.Contains(text, want) {
			t.Errorf("%s: %q, want %q", web, text, want)
		}
	}
}
