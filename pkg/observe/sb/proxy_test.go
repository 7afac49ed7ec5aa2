package sb_test

import (
	"encoding/json"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// older is a proxy between a client and a real server and refuses requests that
// contain any of the words, as a server that does not know them would.
func older(t *testing.T, server *ovsdbServer, words ...string) string {
	t.Helper()
	socket := filepath.Join(shortDir(t), "old.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go refuse(c, server.socket, words)
		}
	}()
	return "unix:" + socket
}

func refuse(c net.Conn, socket string, words []string) {
	defer c.Close()
	s, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer s.Close()
	go func() {
		io.Copy(c, s)
		c.Close()
	}()
	for in := json.NewDecoder(c); ; {
		var text json.RawMessage
		if in.Decode(&text) != nil {
			return
		}
		if !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(string(text), w) }) {
			s.Write(text)
			continue
		}
		var request struct{ ID json.RawMessage }
		json.Unmarshal(text, &request)
		c.Write([]byte(`{"error": "unknown method", "result": null, "id": ` + string(request.ID) + "}\n"))
	}
}
