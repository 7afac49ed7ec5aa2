package file_test

import (
	"bytes"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// FuzzDecode reads any text as a file, and writes what it could read. What drivers make
// of such files is the affair of FuzzDrivers in pkg/drivers.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"sb": {"Encap": [{"_uuid": "00000000-0000-0000-0000-000000000001", ` +
		`"ip": "1.1.1.1"}]}, "ovs": {"a": {}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		have, err := file.Decode(bytes.NewReader(text))
		if err != nil || len(have.OVS) == 0 {
			return
		}
		for key := range have.OVS {
			snap, err := have.Snapshot(key)
			if err != nil {
				t.Fatal(err)
			}
			write(t, snap)
		}
	})
}
