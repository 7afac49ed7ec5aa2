package sb

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
)

// manyPorts is the <table-updates2> of a first copy.
func manyPorts(n int) []byte {
	var out bytes.Buffer
	out.WriteString(`{"Port_Binding":{`)
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `"00000000-0000-0000-0000-%012x":{"initial":{"logical_port":"port-%d",`+
			`"mac":"fa:16:3e:00:00:01 10.0.0.1",`+
			`"external_ids":["map",[["neutron:device_id","%032d"],["neutron:revision_number","3"]]]}}`, i+1, i*7919%n, i)
	}
	out.WriteString("}}")
	return out.Bytes()
}

// BenchmarkUpdate applies a change of one row among 100,000 and publishes it.
func BenchmarkUpdate(b *testing.B) {
	s, err := Database.NewStore(nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.ReadCopy(wire.NewDecoder(bytes.NewReader(manyPorts(100_000))), nil); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		text := fmt.Sprintf(`{"Port_Binding":{"00000000-0000-0000-0000-%012x":{"modify":{"tunnel_key":%d}}}}`, i%100_000+1,
			i+1)
		changed, err := s.ReadUpdate(wire.NewDecoder(strings.NewReader(text)))
		if err != nil || !changed {
			b.Fatal(changed, err)
		}
		if s.Publish().Ports.Len() != 100_000 {
			b.Fatal("rows were lost")
		}
	}
}

// BenchmarkCopy decodes a first copy from memory.
func BenchmarkCopy(b *testing.B) {
	text := manyPorts(100_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := Database.NewStore(nil)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.ReadCopy(wire.NewDecoder(bytes.NewReader(text)), nil); err != nil {
			b.Fatal(err)
		}
	}
}
