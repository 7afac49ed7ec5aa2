package ovsdb_test

import (
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fake is a server whose words a test chooses, down to the last byte.
type fake struct {
	t      *testing.T
	remote string
	// answer returns the result of a request, or "" for the default one.
	answer func(method, params string) string

	mu    sync.Mutex
	conns []net.Conn
	heard []string // methods and parameters of all requests
}

func newFake(t *testing.T, answer func(method, params string) string) *fake {
	t.Helper()
	return newFakeOn(t, "unix", filepath.Join(shortDir(t), "fake.sock"), answer)
}

// newFakeOn is one that listens on an address of another network.
func newFakeOn(t *testing.T, network, address string, answer func(method, params string) string) *fake {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, remote: network + ":" + l.Addr().String(), answer: answer}
	t.Cleanup(func() {
		l.Close()
		f.drop()
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.mu.Lock()
			f.conns = append(f.conns, c)
			f.mu.Unlock()
			go f.serve(c)
		}
	}()
	return f
}

func (f *fake) serve(c net.Conn) {
	for in := json.NewDecoder(c); ; {
		var m struct {
			Method     string
			Params, ID json.RawMessage
		}
		if in.Decode(&m) != nil {
			return
		}
		f.mu.Lock()
		f.heard = append(f.heard, m.Method+" "+string(m.Params))
		f.mu.Unlock()
		if m.Method == "" {
			continue // an answer
		}
		result := f.answer(m.Method, string(m.Params))
		if result == "" {
			result = f.standard(m.Method, string(m.Params))
		}
		switch result {
		case "silence":
		case "unknown":
			fmt.Fprintf(c, `{"id":%s,"error":"unknown method"}`, m.ID)
		default:
			fmt.Fprintf(c, `{"id":%s,"result":%s,"error":null}`, m.ID, result)
		}
	}
}

func (f *fake) standard(method, params string) string {
	switch {
	case method == "get_schema" && strings.Contains(params, "Network"):
		return networkSchema
	case method == "echo":
		return params
	case method == "set_db_change_aware":
		return "{}"
	}
	return "unknown"
}

// send sends a message on the newest connection.
func (f *fake) send(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.conns[len(f.conns)-1].Write([]byte(text)); err != nil {
		f.t.Error(err)
	}
}

func (f *fake) drop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.conns {
		c.Close()
	}
}

// asked are the requests of a method.
func (f *fake) asked(method string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, h := range f.heard {
		if strings.HasPrefix(h, method+" ") {
			out = append(out, h)
		}
	}
	return out
}

const (
	rowA  = "aaaaaaaa-0000-0000-0000-00000000000a"
	rowB  = "bbbbbbbb-0000-0000-0000-00000000000b"
	txn1  = "11111111-1111-1111-1111-111111111111"
	txn2  = "22222222-2222-2222-2222-222222222222"
	portA = `{"name":"a","mac":"fa:16:3e:00:00:0a 10.0.0.10","options":["map",[["k","v"]]]}`
	portB = `{"name":"b","mac":["set",["fa:16:3e:00:00:0b","unknown"]]}`
)

// ports is the <table-updates2> of Port rows.
func ports(updates ...string) string {
	return `{"Port":{` + strings.Join(updates, ",") + `}}`
}

func initial(id, row string) string  { return fmt.Sprintf(`%q:{"initial":%s}`, id, row) }
func inserted(id, row string) string { return fmt.Sprintf(`%q:{"insert":%s}`, id, row) }
func modified(id, row string) string { return fmt.Sprintf(`%q:{"modify":%s}`, id, row) }

func since(found bool, txn, updates string) string {
	return fmt.Sprintf(`[%t,%q,%s]`, found, txn, updates)
}

func update3(txn, updates string) string {
	return fmt.Sprintf(`{"id":null,"method":"update3","params":["rows",%q,%s]}`, txn, updates)
}
