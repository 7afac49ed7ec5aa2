package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// tool is the program of the distribution that bgp-ovn runs.
const tool = "usr/bin/ovs-ofctl"

// file is one in a layer: of another file, with this text, or a directory.
type file struct {
	path       string
	from, text string
	dir        bool
	mode       int64
	uid        int
}

// toolFiles are the program and all that its dynamic linker loads, with the licences of the
// packages.
func toolFiles(root string) ([]file, error) {
	program := filepath.Join(root, tool)
	f, err := elf.Open(program)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := []file{{path: tool, from: program, mode: 0o755}}
	loader, err := interpreter(f)
	if err != nil {
		return nil, err
	}
	dirs, err := libraryDirs(root)
	if err != nil {
		return nil, err
	}
	from, err := find(root, dirs, path.Base(loader))
	if err != nil {
		return nil, err
	}
	out = append(out, file{path: strings.TrimPrefix(loader, "/"), from: from, mode: 0o755})
	seen := map[string]bool{path.Base(loader): true}
	todo := []string{program}
	for len(todo) > 0 {
		needed, err := imports(todo[0])
		if err != nil {
			return nil, err
		}
		todo = todo[1:]
		for _, name := range needed {
			if seen[name] {
				continue
			}
			seen[name] = true
			from, err := find(root, dirs, name)
			if err != nil {
				return nil, err
			}
			// All lie where the loader looks without being told.
			out = append(out, file{path: "usr/lib/" + name, from: from, mode: 0o644})
			todo = append(todo, from)
		}
	}
	licences, err := filepath.Glob(filepath.Join(root, "usr/share/doc/*/copyright"))
	if err != nil {
		return nil, err
	}
	for _, l := range licences {
		if info, err := os.Lstat(l); err != nil || !info.Mode().IsRegular() {
			continue // one that is in another package
		}
		rel, err := filepath.Rel(root, l)
		if err != nil {
			return nil, err
		}
		out = append(out, file{path: rel, from: l, mode: 0o644})
	}
	return out, nil
}

func interpreter(f *elf.File) (string, error) {
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			text, err := io.ReadAll(io.LimitReader(p.Open(), 4096))
			return strings.TrimRight(string(text), "\x00"), err
		}
	}
	return "", errors.New("it has no dynamic linker")
}

func imports(name string) ([]string, error) {
	f, err := elf.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.ImportedLibraries()
}

// libraryDirs are where Debian has the libraries of one architecture.
func libraryDirs(root string) ([]string, error) {
	var out []string
	for _, pattern := range []string{"lib/*-linux-gnu*", "usr/lib/*-linux-gnu*", "lib64", "usr/lib"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

func find(root string, dirs []string, name string) (string, error) {
	for _, dir := range dirs {
		if found, err := filepath.EvalSymlinks(filepath.Join(dir, name)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("no package in %s has %s: name it in scripts/image", root, name)
}

// newLayer makes a layer whose bytes depend on nothing but the files.
func newLayer(files []file, created time.Time) (v1.Layer, error) {
	text, err := tarOf(files, created)
	if err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil })
}

// tarOf packs files in the order of their paths, with the directories above them.
func tarOf(files []file, created time.Time) ([]byte, error) {
	have := map[string]bool{}
	for _, f := range files {
		have[f.path] = true
	}
	for _, f := range slices.Clone(files) {
		for dir := path.Dir(f.path); dir != "." && !have[dir]; dir = path.Dir(dir) {
			have[dir] = true
			files = append(files, file{path: dir, dir: true, mode: 0o755})
		}
	}
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		if err := f.write(w, created); err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (f file) write(w *tar.Writer, created time.Time) error {
	h := &tar.Header{Name: f.path, Mode: f.mode, Uid: f.uid, Gid: f.uid, ModTime: created, Typeflag: tar.TypeReg}
	if f.dir {
		h.Name, h.Typeflag = f.path+"/", tar.TypeDir
		return w.WriteHeader(h)
	}
	text := []byte(f.text)
	if f.from != "" {
		var err error
		if text, err = os.ReadFile(f.from); err != nil {
			return err
		}
	}
	h.Size = int64(len(text))
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(text)
	return err
}
