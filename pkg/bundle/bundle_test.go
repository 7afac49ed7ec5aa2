package bundle_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
)

var made = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func sample(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	w := bundle.NewWriter(&b, "bgp-ovn test", made)
	w.Manifest().Chassis = "hv1"
	for _, m := range []string{"status.json", "bgp/peers.json", "log.txt"} {
		if err := w.Add(m, []byte(`{"of": "`+m+`"}`)); err != nil {
			t.Fatal(err)
		}
	}
	w.Miss("plan.json", "the controller hangs")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is asked for comes back, what is missing says why, and the same contents are the
// same bytes.
func TestRoundTrip(t *testing.T) {
	raw := sample(t)
	if !bytes.Equal(raw, sample(t)) {
		t.Error("two bundles of the same contents differ")
	}
	b, err := bundle.Decode(bytes.NewReader(raw), "status.json", "plan.json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct{ Of string }
	if err := b.Unmarshal("status.json", &v); err != nil || v.Of != "status.json" {
		t.Errorf("got %q, %v", v.Of, err)
	}
	if _, err := b.Member("plan.json"); err == nil || !strings.Contains(err.Error(), "the controller hangs") {
		t.Errorf("a member that is missing: %v", err)
	}
	if _, err := b.Member("log.txt"); err == nil {
		t.Error("a member that was not asked for was read")
	}
	var names []string
	for _, m := range b.Manifest.Members {
		names = append(names, m.Name)
	}
	if b.Manifest.Chassis != "hv1" || !slices.Equal(names, []string{"status.json", "bgp/peers.json", "log.txt"}) {
		t.Errorf("manifest %+v", b.Manifest)
	}
}

// Names that could leave a directory, or be taken for an option, are never written.
func TestBadNames(t *testing.T) {
	w := bundle.NewWriter(io.Discard, "p", made)
	for _, name := range []string{
		"", "/etc/passwd", "../x", "a/../b", "-rf", "a/-b", "a\x00b", "a b", bundle.ManifestName, "a/", ".x",
		strings.Repeat("a", 200),
	} {
		if err := w.Add(name, nil); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	if err := w.Add("a", nil); err != nil {
		t.Error(err)
	}
	if err := w.Add("a", nil); err == nil {
		t.Error("a name was written twice")
	}
	for _, word := range []string{"br-ex", "../../x", "", "-p", "ü", strings.Repeat("b", 500)} {
		if err := w.Add(bundle.FileName("ovs", word+"x", ".txt"), nil); err != nil {
			t.Errorf("%q: %v", word, err)
		}
	}
}

// archive makes a bundle of headers as they are, with a manifest.
func archive(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	w := tar.NewWriter(zip)
	manifest := []byte(`{"form": 1}`)
	last := &tar.Header{Name: bundle.ManifestName, Typeflag: tar.TypeReg, Size: int64(len(manifest))}
	for _, h := range append(headers, last) {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		data := manifest
		if h.Name != bundle.ManifestName {
			data = make([]byte, h.Size)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	zip.Close()
	return b.Bytes()
}

// What no bundle of ours is, is refused with a reason, and costs no memory.
func TestHostile(t *testing.T) {
	many := make([]*tar.Header, bundle.MaxMembers+1)
	for i := range many {
		many[i] = &tar.Header{Name: fmt.Sprintf("m%d", i), Typeflag: tar.TypeReg}
	}
	good := sample(t)
	for name, tt := range map[string]struct {
		raw  []byte
		want string
	}{
		"nothing":         {nil, "not a support bundle"},
		"text":            {[]byte("hello"), "not a support bundle"},
		"cut":             {good[:len(good)/2], "not a support bundle"},
		"no manifest":     {gzipped(nil), "there is no MANIFEST.json"},
		"a way up":        {archive(t, &tar.Header{Name: "../x", Typeflag: tar.TypeReg}), "no bundle has such a name"},
		"an absolute way": {archive(t, &tar.Header{Name: "/etc/x", Typeflag: tar.TypeReg}), "no bundle has such a name"},
		"a link":          {archive(t, &tar.Header{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "y"}), "not a regular"},
		"a device":        {archive(t, &tar.Header{Name: "x", Typeflag: tar.TypeChar}), "not a regular file"},
		"twice": {
			archive(t, &tar.Header{Name: "x", Typeflag: tar.TypeReg}, &tar.Header{Name: "x", Typeflag: tar.TypeReg}),
			"is there twice",
		},
		"many": {archive(t, many...), "more than 256 members"},
	} {
		if _, err := bundle.Decode(bytes.NewReader(tt.raw), "x"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// A header that promises more than comes, and zeros that never end, end early.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: bundle.MaxMember + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Decode(bytes.NewReader(gzipped(b.Bytes())), "x"); err == nil ||
		!strings.Contains(err.Error(), "more than 512 MiB") {
		t.Errorf("a member that is too large: %v", err)
	}
	b.Reset()
	w = tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: bundle.MaxMember}); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Decode(bytes.NewReader(gzipped(b.Bytes())), "x"); err == nil ||
		!strings.Contains(err.Error(), "cut short") {
		t.Errorf("a member that is cut short: %v", err)
	}
	// Empty objects of JSON take two octets of text and hundreds in memory.
	b.Reset()
	out := bundle.NewWriter(&b, "p", made)
	if err := out.Add("x", bytes.Repeat([]byte("{},"), 3<<20)); err != nil {
		t.Fatal(err)
	}
	out.Close()
	got, err := bundle.Decode(&b, "x")
	if err != nil {
		t.Fatal(err)
	}
	err = got.Unmarshal("x", new([]struct{ A, B, C string }))
	if err == nil || !strings.Contains(err.Error(), "objects") {
		t.Errorf("millions of empty objects: %v", err)
	}
}

func gzipped(raw []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(raw)
	w.Close()
	return b.Bytes()
}

// What is no file is never waited for.
func TestReadPaths(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	good := filepath.Join(dir, "good")
	if err := os.WriteFile(good, sample(t), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bundle.Read(good, "log.txt"); err != nil {
		t.Error(err)
	}
	for _, path := range []string{pipe, dir, filepath.Join(dir, "none"), "/dev/zero"} {
		if _, err := bundle.Read(path); err == nil || !strings.Contains(err.Error(), "name a file") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// FuzzDecode: nothing panics, hangs or takes memory that its size does not explain.
func FuzzDecode(f *testing.F) {
	f.Add(sample(f))
	f.Add(archive(f, &tar.Header{Name: "x", Typeflag: tar.TypeReg, Size: 3}))
	f.Add(gzipped([]byte("x")))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		// The fuzzer cannot make checksums of gzip: what it makes is also what is in it.
		for _, raw := range [][]byte{raw, gzipped(raw)} {
			b, err := bundle.Decode(bytes.NewReader(raw), "status.json", "x")
			if err != nil {
				continue
			}
			var v any
			_ = b.Unmarshal("status.json", &v)
		}
	})
}
