package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// A record comes part by part as it was given, with what is missing.
func TestRecord(t *testing.T) {
	want := sample()
	want.parts = []control.Part{
		{Name: control.PartLog, Data: []byte("a line\n\nanother\n")},
		{Name: control.PartPlan, Missing: "it hangs\n\"a\""},
		{Name: control.PartSnapshot, Data: bytes.Repeat([]byte{'{', 0, '\n'}, 1<<20)},
	}
	c := control.NewClient(serve(t, want))
	var got []control.Part
	if err := c.Record(t.Context(), func(p control.Part) error {
		got = append(got, p)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	same := func(a, b control.Part) bool {
		return a.Name == b.Name && a.Missing == b.Missing && bytes.Equal(a.Data, b.Data)
	}
	if !slices.EqualFunc(got, want.parts, same) {
		t.Errorf("%d parts came, and not as they were given", len(got))
	}
	enough := errors.New("enough")
	if err := c.Record(t.Context(), func(control.Part) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the error of the one who takes: %v", err)
	}
	none := control.NewClient(filepath.Join(t.TempDir(), "none"))
	if err := none.Record(t.Context(), nil); !errors.Is(err, control.ErrNoController) {
		t.Errorf("without a controller: %v", err)
	}
}

// What has come before a controller dies was taken, and that the rest is missing is an error.
func TestRecordCutShort(t *testing.T) {
	c := sample()
	c.parts, c.err = []control.Part{{Name: "a", Data: []byte("x")}}, errors.New("dying")
	n := 0
	err := control.NewClient(serve(t, c)).Record(t.Context(), func(control.Part) error { n++; return nil })
	if err == nil || n != 1 {
		t.Errorf("%d parts, %v", n, err)
	}
}

// Whatever answers on the socket cannot make a client take more than a part may have.
func TestRecordOfOthers(t *testing.T) {
	for body, want := range map[string]string{
		"":                      "",
		"hello":                 "EOF",
		"hello\n":               "invalid character",
		`{"size": -1}` + "\n":   "has -1 octets",
		`{"size": 1e15}` + "\n": "cannot unmarshal",
		fmt.Sprintf(`{"size": %d}`+"\n", control.MaxPart+1): "octets",
		fmt.Sprintf(`{"size": %d}`+"\n", control.MaxPart):   "unexpected EOF",
		strings.Repeat("x", 1<<20):                          "buffer full",
	} {
		path := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.bgp-ovn.record")
			io.WriteString(w, body)
		})}
		go func() { _ = srv.Serve(l) }()
		err = control.NewClient(path).Record(context.Background(), func(control.Part) error { return nil })
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", body, err, want)
		}
		srv.Close()
	}
}
