package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/agent"
	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor/gather"
)

func (c *cli) supportBundleCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "support-bundle", Short: "write one file with everything that helps to find out what is wrong", Args: noArgs,
		Long: `support-bundle writes a compressed tar with what the controller knows (snapshot,
desired and current state, plan, ledger, history, sessions and paths, explanations,
the newest lines of its log, metrics), the configuration in force, versions, doctor's
report, and what the kernel and Open vSwitch show of what concerns us. Passwords and
other secrets are not in it. MANIFEST.json in it lists what could not be gathered,
and why: it is written without a running controller too, and when one hangs.

Only the owner can read the file. status, plan, explain and history answer from it
with --bundle FILE, anywhere.
Exit status: 0 everything was gathered, 2 something is missing, 1 error.`,
		Example: "  bgp-ovn support-bundle --out /tmp/node-7.tar.gz\n  bgp-ovn explain 203.0.113.7 --bundle node-7.tar.gz",
		RunE: func(cmd *cobra.Command, _ []string) error {
			now := time.Now()
			if out == "" {
				out = "bgp-ovn-support-" + now.UTC().Format("20060102-150405") + ".tar.gz"
			}
			return c.supportBundle(cmd.Context(), out, now)
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the file to write; - is the standard output (default: a name with the time)")
	return cmd
}

// supportBundle writes a bundle and says what is missing.
func (c *cli) supportBundle(ctx context.Context, path string, now time.Time) error {
	s, problems := c.load()
	maker := agent.Support{
		Settings: s, Problems: problems, Program: versionText(), Controller: client(s),
		Preview: func(ctx context.Context, take control.Take) error { return c.previewRecord(ctx, s, take) },
		Examine: func(ctx context.Context) ([]byte, []byte, error) {
			r := doctor.ReportOf(doctor.Examine(gather.Facts(ctx, agent.DoctorConfig(ctx, s))))
			form, err := json.MarshalIndent(r, "", "  ")
			return append(form, '\n'), []byte(r.String()), err
		},
	}
	if path == "-" {
		_, err := maker.Write(ctx, c.stdout, now)
		return err
	}
	var m bundle.Manifest
	if err := writePrivate(path, func(w io.Writer) (err error) {
		m, err = maker.Write(ctx, w, now)
		return err
	}); err != nil {
		return fmt.Errorf("write the support bundle %s: %w", path, err)
	}
	c.differs(len(m.Missing) > 0)
	text := fmt.Sprintf("%s: %d files\n", path, len(m.Members)+1)
	if m.Controller != "running" {
		text += "controller: " + m.Controller + "\n"
	}
	for _, missing := range m.Missing {
		text += fmt.Sprintf("missing: %s: %s\n", missing.Name, missing.Why)
	}
	return view.Print(c.stdout, c.form, m, text)
}

// previewRecord computes what a bundle has of a controller, on the live databases.
func (c *cli) previewRecord(ctx context.Context, s config.Settings, take control.Take) error {
	p, err := agent.OpenPreview(ctx, s, c.logger(s))
	if err != nil {
		return err
	}
	if err = p.WaitSnapshot(ctx); err == nil {
		err = p.Record(ctx, take)
	}
	return errors.Join(err, p.Close())
}

// writePrivate writes a file that only its owner can read, and that has its name once it is
// whole. It replaces a file of that name, never what is no file.
func writePrivate(path string, write func(io.Writer) error) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return errors.New("it exists and is no regular file; name another")
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".bgp-ovn-*") // mode 0600, and never a link of others
	if err != nil {
		var about *fs.PathError
		if errors.As(err, &about) {
			err = about.Err
		}
		return fmt.Errorf("%w; name a file in another directory by --out", err)
	}
	err = errors.Join(write(f), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// recorded asks a support bundle.
func (c *cli) recorded(path string, f func(*agent.Recorded) error) error {
	s, _ := c.load() // only how to log: the bundle has its own configuration
	r, err := agent.OpenRecorded(path, c.logger(s))
	if err != nil {
		return err
	}
	m := r.Manifest()
	fmt.Fprintf(c.stderr, "bgp-ovn: from the support bundle of %s, made at %s by %s\n", oneLine(m.Chassis),
		m.Made.Format(time.RFC3339), oneLine(m.Program))
	if m.Program != versionText() {
		fmt.Fprintf(c.stderr, "bgp-ovn: this is %s: explanations that were not recorded may differ\n", versionText())
	}
	c.stdout = printable{c.stdout}
	return f(r)
}

// printable writes text of others to a terminal without what would command it.
type printable struct{ to io.Writer }

// Write writes text; control characters become question marks.
func (w printable) Write(p []byte) (int, error) {
	text := bytes.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return '?'
		}
		return r
	}, p)
	if _, err := w.to.Write(text); err != nil {
		return 0, err
	}
	return len(p), nil
}

// oneLine is a text of others as a message can show it.
func oneLine(s string) string {
	text := fmt.Sprintf("%+.80q", s)
	return text[1 : len(text)-1]
}

const bundleHelp = "answer from this support bundle instead of the controller"
