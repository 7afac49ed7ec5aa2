package file_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/rowlist"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// BenchmarkLargeFile reads and writes a snapshot with 100,000 ports.
func BenchmarkLargeFile(b *testing.B) {
	var ports []*observe.PortBinding
	for i := range 100_000 {
		ports = append(ports, &observe.PortBinding{
			UUID: observe.UUID{0: 1, 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}, LogicalPort: fmt.Sprintf("port-%06d", i),
			RawMAC: []string{fmt.Sprintf("fa:16:3e:%02x:%02x:%02x 10.0.0.1", i>>16, i>>8&0xff, i&0xff)},
			ExternalIDs: map[string]string{
				"neutron:cidrs": "10.0.0.1/24", "neutron:port_name": fmt.Sprint("vm", i),
				"neutron:device_owner": "compute:nova",
			},
		})
	}
	sb := &observe.Southbound{Tables: []string{"Port_Binding"}, Ports: rowlist.Of(ports...)}
	snap := observe.Snapshot{Chassis: "hv1", SB: sb, OVS: &observe.OpenVSwitch{SystemID: "hv1"}}
	text := write(b, snap)
	b.Run("read", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := file.Decode(bytes.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if err := file.Write(io.Discard, snap); err != nil {
				b.Fatal(err)
			}
		}
	})
}
