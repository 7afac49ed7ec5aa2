package bundle

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// Writer writes a bundle. Members come in the order in which they are added.
type Writer struct {
	zip      *gzip.Writer
	tar      *tar.Writer
	manifest Manifest
	total    int64
}

// NewWriter begins a bundle that was made at a time by a program.
func NewWriter(to io.Writer, program string, made time.Time) *Writer {
	w := &Writer{zip: gzip.NewWriter(to), manifest: Manifest{
		Form: formVersion, Program: program, Made: made.UTC().Truncate(time.Second),
		Members: []Member{}, Missing: []Missing{},
	}}
	w.tar = tar.NewWriter(w.zip)
	return w
}

// Manifest is what is said of the bundle; Chassis and Controller are for the caller to set.
func (w *Writer) Manifest() *Manifest { return &w.manifest }

// Add writes a member. One that does not fit is missing, with the reason; an error means
// that the bundle cannot be written.
func (w *Writer) Add(name string, data []byte) error {
	switch {
	case checkName(name) != nil || name == ManifestName || w.Has(name):
		return fmt.Errorf("support bundle: %q cannot be the name of a member", name)
	case len(data) > MaxMember:
		w.Miss(name, fmt.Sprintf("it has more than %d MiB", MaxMember>>20))
		return nil
	case w.total+int64(len(data)) > MaxTotal || len(w.manifest.Members) == MaxMembers-1:
		w.Miss(name, "the bundle is full")
		return nil
	}
	w.total += int64(len(data))
	w.manifest.Members = append(w.manifest.Members, Member{name, len(data)})
	return w.write(name, data)
}

// Miss notes that a member is not in the bundle, or not whole.
func (w *Writer) Miss(name, why string) {
	w.manifest.Missing = append(w.manifest.Missing, Missing{name, why})
}

// Has reports whether a member was added.
func (w *Writer) Has(name string) bool {
	return slices.ContainsFunc(w.manifest.Members, func(m Member) bool { return m.Name == name })
}

func (w *Writer) write(name string, data []byte) error {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(data)), ModTime: w.manifest.Made,
		Format: tar.FormatUSTAR,
	}
	if err := w.tar.WriteHeader(h); err != nil {
		return fmt.Errorf("write %s into the support bundle: %w", name, err)
	}
	if _, err := w.tar.Write(data); err != nil {
		return fmt.Errorf("write %s into the support bundle: %w", name, err)
	}
	return nil
}

// Close writes the manifest and ends the bundle.
func (w *Writer) Close() error {
	raw, err := json.MarshalIndent(w.manifest, "", "  ")
	if err != nil {
		return fmt.Errorf("write the manifest of the support bundle: %w", err)
	}
	if err := w.write(ManifestName, append(raw, '\n')); err != nil {
		return err
	}
	if err := errors.Join(w.tar.Close(), w.zip.Close()); err != nil {
		return fmt.Errorf("write the support bundle: %w", err)
	}
	return nil
}
