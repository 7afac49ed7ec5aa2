package scenarios

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// What `make image` builds does a node's work with nothing but what is in the image: its
// program and its ovs-ofctl. The root of the file system is that of the image; of the node
// there are /proc, /sys and the sockets.
func TestImage(t *testing.T) {
	ctx := harness.Context(t, 4*time.Minute)
	layout := buildImage(ctx, t, "amd64")
	root, conf := unpackImage(t, layout)
	list := string(harness.Must(os.ReadFile(filepath.Join(root, "usr/share/doc/bgp-ovn/bgp-ovn.cdx.json")))(t))
	beside := filepath.Join(filepath.Dir(layout), "bgp-ovn-image_amd64.cdx.json")
	if list != string(harness.Must(os.ReadFile(beside))(t)) {
		t.Error("the list of what is in the image is another one than that beside it")
	}
	for _, part := range []string{"github.com/osrg/gobgp/v4", "deb/debian/openvswitch-common@", "deb/debian/libssl3@"} {
		if !strings.Contains(list, part) {
			t.Errorf("%s is not in the list of what is in the image", part)
		}
	}
	if conf.User != "65532:65532" || strings.Join(conf.Entrypoint, " ") != "/usr/bin/bgp-ovn" {
		t.Errorf("the image runs %q as %q", conf.Entrypoint, conf.User)
	}
	plain := exec.CommandContext(ctx, "chroot", "--userspec=65532:65532", root, "/usr/bin/bgp-ovn", "version")
	if out, err := plain.CombinedOutput(); err != nil {
		t.Errorf("nobody in particular cannot run it: %v\n%s", err, out)
	}
	c, usual := shared.Chassis[1], shared.agents[1]
	guest(t, "vm-image", shared.public, c, "172.24.4.160")
	at(t, "172.24.4.160", c)
	harness.Check(t, usual.Stop(ctx))
	harness.AtEnd(t, usual.Start)
	// What it has to make anew: ovs-ofctl of the image makes the flows.
	harness.Must(c.Run(ctx, "ovs-ofctl", "del-flows", "br-ex", "cookie=0x3e7/-1"))(t)
	harness.Must(c.Run(ctx, "ip", "route", "flush", "table", "201"))(t)
	contained := harness.Must(product.New(c, inside(t, root)))(t)
	harness.Check(t, contained.Start(ctx))
	harness.AtEnd(t, contained.Stop)
	at(t, "172.24.4.160", c)
	pings(t, "172.24.4.160")
	flows := harness.Must(c.Run(ctx, "ovs-ofctl", "dump-flows", "br-ex", "cookie=0x3e7/-1"))(t)
	if !strings.Contains(flows, "mod_dl_dst") {
		t.Errorf("ovs-ofctl of the image has made no flow:\n%s", flows)
	}
}

// TestImageOfArm64: the other half of the image has programs of arm64, and the libraries that they
// load.
func TestImageOfArm64(t *testing.T) {
	qemu := harness.Arm64(t)
	ctx := harness.Context(t, 10*time.Minute) // nothing of Go's own library is built for arm64 yet
	root, conf := unpackImage(t, buildImage(ctx, t, "arm64"))
	if conf.User != "65532:65532" || strings.Join(conf.Entrypoint, " ") != "/usr/bin/bgp-ovn" {
		t.Errorf("the image runs %q as %q", conf.Entrypoint, conf.User)
	}
	for program, want := range map[string]string{"bgp-ovn": "linux/arm64", "ovs-ofctl": "Open vSwitch"} {
		program = filepath.Join(root, "usr/bin", program)
		arg := "--version"
		if want == "linux/arm64" {
			arg = "version"
		}
		out, err := exec.CommandContext(ctx, qemu, "-L", root, program, arg).CombinedOutput()
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, without %q:\n%s", program, err, want, out)
		}
	}
}

// buildImage builds it for one kind of machine.
func buildImage(ctx context.Context, t *testing.T, arch string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, "../../scripts/image", dir)
	cmd.Env = append(os.Environ(), "ARCHS="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("scripts/image: %v\n%s", err, out)
	}
	return filepath.Join(dir, "image")
}

// inside is a program that runs that of the image in the image.
func inside(t *testing.T, root string) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "bgp-ovn")
	text := fmt.Sprintf("#!/bin/sh\nexec unshare --mount sh -ec '"+
		"for d in proc sys dev tmp; do mkdir -p %[1]s/$d; mount --rbind /$d %[1]s/$d; done\n"+
		"PATH=/usr/bin exec /usr/sbin/chroot %[1]s /usr/bin/bgp-ovn \"$@\"' sh \"$@\"\n", root)
	harness.Check(t, os.WriteFile(script, []byte(text), 0o755))
	return script
}

// imageConfig is what an image says of how it is run.
type imageConfig struct {
	User       string
	Entrypoint []string
}

// unpackImage unpacks the first image of a layout as a container runtime does.
func unpackImage(t *testing.T, layout string) (root string, conf imageConfig) {
	t.Helper()
	root = filepath.Join(t.TempDir(), "root")
	blob := func(digest string) string {
		return filepath.Join(layout, "blobs", strings.Replace(digest, ":", "/", 1))
	}
	type descriptor struct{ Digest string }
	var index struct{ Manifests []descriptor }
	readJSON(t, filepath.Join(layout, "index.json"), &index)
	readJSON(t, blob(index.Manifests[0].Digest), &index)
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	readJSON(t, blob(index.Manifests[0].Digest), &manifest)
	var config struct {
		Architecture string
		Config       imageConfig
	}
	readJSON(t, blob(manifest.Config.Digest), &config)
	for _, l := range manifest.Layers {
		f := harness.Must(os.Open(blob(l.Digest)))(t)
		harness.Check(t, unpackLayer(f, root))
		harness.Check(t, f.Close())
	}
	return root, config.Config
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	harness.Check(t, json.Unmarshal(harness.Must(os.ReadFile(path))(t), into))
}

// unpackLayer unpacks a layer of which we know that it has files and directories only.
func unpackLayer(from io.Reader, root string) error {
	z, err := gzip.NewReader(from)
	if err != nil {
		return err
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		to := filepath.Join(root, h.Name)
		switch h.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(to, 0o755)
		case tar.TypeReg:
			err = writeFile(to, r, h.FileInfo().Mode())
		default:
			err = fmt.Errorf("%s is of type %c", h.Name, h.Typeflag)
		}
		if err == nil {
			err = os.Chown(to, h.Uid, h.Gid)
		}
		if err != nil {
			return err
		}
	}
}

func writeFile(to string, from io.Reader, mode os.FileMode) error {
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	if _, err = io.Copy(f, from); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}
