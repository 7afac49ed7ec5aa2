package ovsdb

import (
	"encoding/json"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// scripted is a server whose words are fixed, and which hears nothing.
type scripted struct {
	text []byte
	net.Conn
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, s.text)
	s.text = s.text[n:]
	return n, nil
}
func (s *scripted) Write(p []byte) (int, error)      { return len(p), nil }
func (s *scripted) SetReadDeadline(time.Time) error  { return nil }
func (s *scripted) SetWriteDeadline(time.Time) error { return nil }

// FuzzMessages reads any text as what a server sends: messages of every sort around the
// rows, of which a server of another kind may send anything, and schemas.
func FuzzMessages(f *testing.F) {
	for _, text := range []string{
		`{"id":"probe","result":[],"error":null}`, `{"id":1,"result":{"tables":{}},"error":null}`,
		`{"params":["rows",{}],"method":"update2","id":null}`, `{"id":7,"method":"echo","params":["x"]}`,
		`{"method":"update","params":["server",{"Database":{"x":{"new":{"name":"a","connected":true,"index":5}}}}],` +
			`"id":null}`,
		`{"id":1,"error":{"error":"a","details":"b"},"result":null}`, `{"method":"monitor_canceled","params":["rows"]}`,
		`{"name":"x","version":"1","tables":{"T":{"columns":{"c":{"type":{"key":{"type":"uuid"},"max":"unlimited"}}}}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		srv := &server{rows: map[string]serverRow{}}
		c := newConn(&scripted{text: text}, &Config{MaxSize: 1 << 16}, new(atomic.Uint64))
		c.notify = func(method string, d *wire.Decoder) bool {
			if method != "update" {
				return false
			}
			if head := readUpdateHeader(d); d.Err() == nil && head.Monitor == serverID {
				srv.read(d)
			} else {
				d.Skip()
			}
			d.End()
			d.Must("update")
			return true
		}
		_ = c.call("get_schema", nil, func(d *wire.Decoder) { d.Raw() })
		for c.receive() == nil {
			_ = srv.judge("a", &cluster{})
		}
		var schema databaseSchema
		if json.Unmarshal(text, &schema) == nil {
			_ = schema.check("any", map[string][]string{"T": {"c"}})
			schema.wire()
		}
	})
}
