// Command image writes the OCI image of bgp-ovn for several architectures, without a daemon:
//
//	image -out DIRECTORY -tar FILE -version V -commit C -epoch SECONDS ARCH=PROGRAM,ROOT,LIST...
//
// PROGRAM is bgp-ovn for the architecture. ROOT is a directory with unpacked packages of a
// distribution; of it the image has ovs-ofctl and the libraries that it needs, and nothing
// else. LIST is what the program is made of, as CycloneDX; with the packages of ROOT it
// is in the image, and beside FILE for each architecture. DIRECTORY becomes an OCI layout with
// an index, FILE the same as an archive. The same input gives the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who runs the program unless the container says otherwise: nobody in particular.
const user = "65532:65532"

// build is what all architectures share.
type build struct {
	version, commit string
	created         time.Time
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run() error {
	var b build
	out := flag.String("out", "", "directory of the OCI layout")
	archive := flag.String("tar", "", "file of the archive")
	epoch := flag.Int64("epoch", 0, "time of everything in it, in seconds since 1970")
	flag.StringVar(&b.version, "version", "", "version")
	flag.StringVar(&b.commit, "commit", "", "commit")
	flag.Parse()
	if *out == "" || *archive == "" || flag.NArg() == 0 {
		return errors.New("usage: image -out DIRECTORY -tar FILE ARCH=PROGRAM,ROOT,LIST")
	}
	b.created = time.Unix(*epoch, 0).UTC()
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arg := range flag.Args() {
		arch, from, ok := strings.Cut(arg, "=")
		paths := strings.Split(from, ",")
		if !ok || len(paths) != 3 {
			return fmt.Errorf("%s is not ARCH=PROGRAM,ROOT,LIST", arg)
		}
		list, err := contents(paths[2], paths[1], arch)
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		beside := fmt.Sprintf("%s_%s.cdx.json", strings.TrimSuffix(*archive, ".tar"), arch)
		if err := os.WriteFile(beside, list, 0o644); err != nil {
			return err
		}
		img, err := b.image(arch, paths[0], paths[1], string(list))
		if err != nil {
			return fmt.Errorf("%s: %w", arch, err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	if err := os.RemoveAll(*out); err != nil {
		return err
	}
	path, err := layout.Write(*out, empty.Index)
	if err != nil {
		return err
	}
	named := layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": b.version})
	if err := path.AppendIndex(index, named); err != nil {
		return err
	}
	if err := writeTar(*archive, *out, b.created); err != nil {
		return err
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return nil
}

// image has two layers: what comes from the distribution seldom changes, and is shared by
// versions.
func (b build) image(arch, program, root, list string) (v1.Image, error) {
	tools, err := toolFiles(root)
	if err != nil {
		return nil, err
	}
	own := []file{
		{path: "usr/bin/bgp-ovn", from: program, mode: 0o755},
		{path: "usr/share/doc/bgp-ovn/bgp-ovn.cdx.json", text: list, mode: 0o644},
		{path: "etc/passwd", text: "root:x:0:0:root:/:/sbin/nologin\nbgp-ovn:x:65532:65532::/:/sbin/nologin\n", mode: 0o644},
		{path: "etc/group", text: "root:x:0:\nbgp-ovn:x:65532:\n", mode: 0o644},
		{path: "etc/bgp-ovn", dir: true, mode: 0o755},
		{path: "run/bgp-ovn", dir: true, mode: 0o750, uid: 65532},
		{path: "run/openvswitch", dir: true, mode: 0o755},
		{path: "run/ovn", dir: true, mode: 0o755},
		{path: "var/lib/bgp-ovn", dir: true, mode: 0o750, uid: 65532},
		{path: "tmp", dir: true, mode: 0o1777},
	}
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	for _, part := range []struct {
		files []file
		by    string
	}{{tools, "ovs-ofctl and its libraries"}, {own, "bgp-ovn " + b.version}} {
		l, err := newLayer(part.files, b.created)
		if err != nil {
			return nil, err
		}
		img, err = mutate.Append(img, mutate.Addendum{
			Layer: l, MediaType: types.OCILayer,
			History: v1.History{Created: v1.Time{Time: b.created}, CreatedBy: part.by},
		})
		if err != nil {
			return nil, err
		}
	}
	conf, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	conf = conf.DeepCopy()
	conf.OS, conf.Architecture, conf.Created = "linux", arch, v1.Time{Time: b.created}
	conf.Config.Entrypoint, conf.Config.Cmd = []string{"/usr/bin/bgp-ovn"}, []string{"run"}
	conf.Config.Env = []string{"PATH=/usr/bin"}
	conf.Config.User = user
	conf.Config.Labels = map[string]string{
		"org.opencontainers.image.title":    "bgp-ovn",
		"org.opencontainers.image.version":  b.version,
		"org.opencontainers.image.revision": b.commit,
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.created":  b.created.Format(time.RFC3339),
	}
	return mutate.ConfigFile(img, conf)
}

// writeTar packs a layout.
func writeTar(to, dir string, created time.Time) error {
	var files []file
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		files = append(files, file{path: filepath.ToSlash(rel), from: path, dir: d.IsDir(), mode: mode(d.IsDir())})
		return err
	})
	if err != nil {
		return err
	}
	text, err := tarOf(files, created)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

func mode(dir bool) int64 {
	if dir {
		return 0o755
	}
	return 0o644
}

// String tells of a file in an error.
func (f file) String() string { return f.path + " from " + strconv.Quote(f.from) }
