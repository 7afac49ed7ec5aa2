package install

import (
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// The list beside a package has each module that the program says it is made of, in its
// version and with a licence, and nothing else but Go's own library.
func TestSBOM(t *testing.T) {
	var list struct {
		BOMFormat, SpecVersion, SerialNumber string
		Metadata                             struct {
			Timestamp string
			Component struct{ Name, Version string }
		}
		Components []struct {
			Name, Version string
			Evidence      struct {
				Licenses []struct{ License struct{ ID, Name string } }
			}
		}
	}
	text := harness.Must(os.ReadFile(sbomOf(newer)))(t)
	harness.Check(t, json.Unmarshal(text, &list))
	if main := list.Metadata.Component; list.BOMFormat != "CycloneDX" || main.Version != newer ||
		list.SerialNumber != "" || list.Metadata.Timestamp != "" {
		t.Errorf("it is %s %s of %+v, serial number %q, time %q", list.BOMFormat, list.SpecVersion, main,
			list.SerialNumber, list.Metadata.Timestamp)
	}
	dir := t.TempDir()
	harness.Run(t, "dpkg-deb", "--extract", debOf(newer), dir)
	info := harness.Must(buildinfo.ReadFile(filepath.Join(dir, "usr/bin/bgp-ovn")))(t)
	listed := map[string]bool{}
	for _, c := range list.Components {
		listed[c.Name+" "+c.Version] = true
		if c.Name != "std" && len(c.Evidence.Licenses) == 0 {
			t.Errorf("%s %s has no licence", c.Name, c.Version)
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if !listed[m.Path+" "+m.Version] {
			t.Errorf("%s %s is in the program and not in the list", m.Path, m.Version)
		}
	}
	if std := fmt.Sprint("std ", info.GoVersion); !listed[std] || len(listed) != len(info.Deps)+1 {
		t.Errorf("%d modules are listed, want %d and %s", len(listed), len(info.Deps), std)
	}
}
