package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
)

// component is one of a CycloneDX list, as far as it is known of a package of Debian.
type component struct {
	Type    string `json:"type"`
	Name    string `json:"name"`
	Version string `json:"version"`
	PURL    string `json:"purl"`
}

// contents is the list of what the program is made of, and the packages of the distribution
// under root from which the image has files.
func contents(list, root, arch string) ([]byte, error) {
	raw, err := os.ReadFile(list)
	if err != nil {
		return nil, err
	}
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(raw, &whole); err != nil {
		return nil, fmt.Errorf("%s: %w", list, err)
	}
	var components []json.RawMessage
	if err := json.Unmarshal(whole["components"], &components); err != nil {
		return nil, fmt.Errorf("%s: components: %w", list, err)
	}
	packages, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*"))
	if err != nil {
		return nil, err
	}
	for _, dir := range packages { // in the order of names
		name := filepath.Base(dir)
		version, err := versionOf(dir)
		if err != nil {
			return nil, fmt.Errorf("version of package %s: %w", name, err)
		}
		c, err := json.Marshal(component{
			"library", name, version, fmt.Sprintf("pkg:deb/debian/%s@%s?arch=%s", name, url.QueryEscape(version), arch),
		})
		if err != nil {
			return nil, err
		}
		components = append(components, c)
	}
	if whole["components"], err = json.Marshal(components); err != nil {
		return nil, err
	}
	out, err := json.MarshalIndent(whole, "", "  ")
	return append(out, '\n'), err
}

// entry is how a changelog of Debian begins: the source, and the version of its packages.
var entry = regexp.MustCompile(`^\S+ \(([^)]+)\)`)

// versionOf reads the version of an unpacked package in its changelog. It is that of the
// source: of a few packages the own one has another epoch.
func versionOf(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, "changelog.Debian.gz"))
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	line, err := bufio.NewReader(z).ReadString('\n')
	if err != nil {
		return "", err
	}
	m := entry.FindStringSubmatch(line)
	if m == nil {
		return "", fmt.Errorf("its changelog begins with %.80q", line)
	}
	return m[1], nil
}
