package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// Bundle is what was read of a support bundle.
type Bundle struct {
	Manifest Manifest
	members  map[string][]byte
}

// Read reads the members with the given names of the bundle in a file; others are skipped.
// It does not wait for somebody to write into a named pipe.
func Read(path string, names ...string) (*Bundle, error) {
	const remedy = "name a file that bgp-ovn support-bundle has written"
	in, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		var about *fs.PathError
		if errors.As(err, &about) {
			err = about.Err
		}
		return nil, fmt.Errorf("read support bundle %s: %w; %s", path, err, remedy)
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read support bundle %s: it is not a regular file; %s", path, remedy)
	}
	b, err := Decode(in, names...)
	if err != nil {
		return nil, fmt.Errorf("read support bundle %s: %w", path, err)
	}
	return b, nil
}

// Decode reads the members with the given names of a bundle.
func Decode(from io.Reader, names ...string) (*Bundle, error) {
	in := &bounded{in: from, left: maxCompressed, what: "compressed"}
	zip, err := gzip.NewReader(bufio.NewReader(in))
	if err != nil {
		return nil, notOne(err)
	}
	zip.Multistream(false)
	files := tar.NewReader(&bounded{in: zip, left: MaxTotal + MaxMembers*2*blockSize + 2*blockSize, what: "uncompressed"})
	b := &Bundle{members: map[string][]byte{}}
	seen := map[string]bool{}
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, notOne(err)
		}
		if err := admit(h, seen); err != nil {
			return nil, err
		}
		seen[h.Name] = true
		if h.Name != ManifestName && !slices.Contains(names, h.Name) {
			continue
		}
		data, err := io.ReadAll(files) // which grows with what comes, not with what is said
		if err != nil {
			return nil, notOne(err)
		}
		b.members[h.Name] = data
	}
	raw, ok := b.members[ManifestName]
	if !ok {
		return nil, fmt.Errorf("there is no %s: %w", ManifestName, errNot)
	}
	if err := json.Unmarshal(raw, &b.Manifest); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", ManifestName, err, errNot)
	}
	if b.Manifest.Form > formVersion {
		return nil, fmt.Errorf("it has form %d, and this program knows %d: use the bgp-ovn that made it (%.80q)",
			b.Manifest.Form, formVersion, b.Manifest.Program)
	}
	return b, nil
}

// blockSize is that of tar.
const blockSize = 512

// admit refuses what no bundle of ours has.
func admit(h *tar.Header, seen map[string]bool) error {
	switch {
	case checkName(h.Name) != nil:
		return checkName(h.Name)
	case h.Typeflag != tar.TypeReg:
		return fmt.Errorf("member %s is not a regular file: %w", h.Name, errNot)
	case seen[h.Name]:
		return fmt.Errorf("member %s is there twice: %w", h.Name, errNot)
	case len(seen) == MaxMembers:
		return fmt.Errorf("it has more than %d members: %w", MaxMembers, errNot)
	case h.Size > MaxMember:
		return fmt.Errorf("member %s has %d octets, more than %d MiB: %w", h.Name, h.Size, MaxMember>>20, errNot)
	}
	return nil
}

// notOne adds what to do to the error of a reader.
func notOne(err error) error {
	var size *sizeError
	if errors.As(err, &size) {
		return size
	}
	return fmt.Errorf("%w: %w", err, errNot)
}

// sizeError says that there is more than a bundle may have.
type sizeError struct{ what string }

// Error says so.
func (e *sizeError) Error() string {
	return "it is larger than a support bundle may be (" + e.what + "): is it one?"
}

// bounded ends with an error where more comes than may.
type bounded struct {
	in   io.Reader
	left int64
	what string
}

// Read reads.
func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, &sizeError{b.what}
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// Member returns a member. One that is not there is an error with the reason that the
// manifest has.
func (b *Bundle) Member(name string) ([]byte, error) {
	if data, ok := b.members[name]; ok {
		return data, nil
	}
	why := "it was not gathered"
	for _, m := range b.Manifest.Missing {
		if m.Name == name {
			why = m.Why
		}
	}
	return nil, fmt.Errorf("the support bundle has no %s: %.400s", name, why)
}

// maxObjects bounds the objects of JSON in a member: an empty one takes two octets of text
// and hundreds in memory.
const maxObjects = 2 << 20

// Unmarshal decodes a member of JSON.
func (b *Bundle) Unmarshal(name string, into any) error {
	raw, err := b.Member(name)
	if err != nil {
		return err
	}
	if bytes.Count(raw, []byte("{")) > maxObjects {
		return fmt.Errorf("%s of the support bundle has more than %d objects", name, maxObjects)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("%s of the support bundle: %w", name, err)
	}
	return nil
}
