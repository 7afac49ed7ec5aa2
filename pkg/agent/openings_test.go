package agent

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// What a controller answers on is not needed to forward: an address that is taken and a
// directory that is missing are problems, and are tried again.
func TestStartWithoutSockets(t *testing.T) {
	const metrics = "127.0.0.1:19131"
	busy, err := net.Listen("tcp", metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	w := newWorld(t, quietSpeaker, "metrics: {listen: '"+metrics+"'}")
	socket := w.path("control.sock") // a directory with something in it
	if err := os.MkdirAll(filepath.Join(socket, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	n := w.runNode()
	await(t, func() string {
		if r := w.routes(); !strings.Contains(r, here.String()) {
			return "nothing is routed:\n" + r
		}
		return ""
	})
	s, err := n.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, p := range s.Problems {
		if p.Code == "not-listening" {
			keys = append(keys, append(p.Others, p.Object.Name)...)
		}
	}
	if got := strings.Join(keys, " "); got != "socket metrics.listen" && got != "metrics.listen socket" {
		t.Errorf("%q cannot be listened on, in %+v", got, s.Problems)
	}
	busy.Close()
	if err := os.RemoveAll(socket); err != nil {
		t.Fatal(err)
	}
	await(t, func() string {
		s, err := control.NewClient(socket).Status(t.Context())
		if err != nil {
			return err.Error()
		}
		for _, p := range s.Problems {
			if p.Code == "not-listening" {
				return p.Text
			}
		}
		return ""
	})
	resp, err := http.Get("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}
