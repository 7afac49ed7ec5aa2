package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/bundle"
	"github.com/bgp-ovn/bgp-ovn/pkg/bundle/gather"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
	"github.com/bgp-ovn/bgp-ovn/state"
)

// partDoctor is the member of a bundle that has the findings of doctor.
const partDoctor = "doctor.json"

// Support makes support bundles. Whatever does not answer costs its own members and a while,
// never the bundle.
type Support struct {
	Settings config.Settings
	// Problems are those of the configuration: it need not be valid.
	Problems config.Problems
	// Program is the name and version of this program.
	Program string
	// Controller is asked first. Without one, Preview computes what it can.
	Controller interface {
		Record(ctx context.Context, take control.Take) error
	}
	Preview func(ctx context.Context, take control.Take) error
	// Examine is doctor's report, as JSON and as text.
	Examine func(ctx context.Context) (form, text []byte, err error)

	out *bundle.Writer
	// kept are parts that tell what else to gather.
	kept map[string][]byte
}

// The times that parts of the work may take.
const (
	recordLimit  = 2 * time.Minute
	previewLimit = 20 * time.Second
	examineLimit = 15 * time.Second
)

// Write writes a bundle, and returns what is said of it. An error means that it could not
// be written.
func (s *Support) Write(ctx context.Context, to io.Writer, now time.Time) (bundle.Manifest, error) {
	s.out, s.kept = bundle.NewWriter(to, s.Program, now), map[string][]byte{}
	about := s.out.Manifest()
	about.Chassis, about.Controller = s.Settings.Chassis, "running"
	if err := s.record(ctx); err != nil {
		return *about, err
	}
	if text := s.problems(); text != "" {
		if err := s.add("configuration-problems.txt", []byte(text)); err != nil {
			return *about, err
		}
	}
	if err := s.versions(); err != nil {
		return *about, err
	}
	if err := s.examine(ctx); err != nil {
		return *about, err
	}
	for _, c := range gather.Commands(s.node()) {
		data, err := gather.Run(ctx, c)
		if err != nil {
			s.out.Miss(c.Member, s.scrubbed(err.Error()))
		}
		if len(data) == 0 && err != nil {
			continue
		}
		if err := s.add(c.Member, data); err != nil {
			return *about, err
		}
	}
	return *about, s.out.Close()
}

// add writes a member of text that others made, without the secrets that are configured.
func (s *Support) add(name string, data []byte) error {
	return s.out.Add(name, Scrub(data, s.secrets()))
}

func (s *Support) secrets() []string { return secretsOf(s.Settings) }

// secretsOf are the secrets of a configuration, and of the files that it names.
func secretsOf(s config.Settings) []string {
	out := s.Secrets()
	if path := s.Web.TokenFile; path != "" {
		if token, err := config.ReadSecret(path); err == nil {
			out = append(out, token)
		}
	}
	return out
}

func (s *Support) scrubbed(text string) string {
	return string(Scrub([]byte(text), s.secrets()))
}

// take writes a part of a record. Answers have no secrets in them, and are not searched for
// any: a password may be a word that they consist of.
func (s *Support) take(p control.Part) error {
	if s.out.Has(p.Name) {
		return nil // the controller has told it before it stopped answering
	}
	if p.Missing != "" {
		s.out.Miss(p.Name, s.scrubbed(p.Missing))
	}
	if len(p.Data) == 0 && p.Missing != "" {
		return nil
	}
	switch p.Name {
	case control.PartStatus, control.PartSnapshot, control.PartCurrent:
		s.kept[p.Name] = p.Data
	}
	if !slices.Contains(control.Parts(), p.Name) {
		return nil // of another version
	}
	return s.out.Add(p.Name, p.Data)
}

// record asks the controller, and makes up for it where it does not answer.
func (s *Support) record(ctx context.Context) error {
	var failed error // of the bundle itself
	take := func(p control.Part) error {
		failed = s.take(p)
		return failed
	}
	limited, cancel := context.WithTimeout(ctx, recordLimit)
	defer cancel()
	err := s.Controller.Record(limited, take)
	if failed != nil || err == nil {
		return failed
	}
	s.out.Manifest().Controller = s.scrubbed(err.Error())
	missing := map[string]string{}
	for _, name := range control.Parts() {
		if !s.out.Has(name) {
			missing[name] = err.Error()
		}
	}
	if missing[control.PartConfiguration] != "" {
		p, err := configurationPart(s.Settings)
		if err != nil {
			return err
		}
		delete(missing, control.PartConfiguration)
		p.Name, p.Missing = control.PartConfiguration, "no controller has told its own: as the command reads it"
		if err := s.take(p); err != nil {
			return err
		}
	}
	if err := s.fromFile(missing); err != nil {
		return err
	}
	if err := s.preview(ctx, missing); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(missing)) {
		s.out.Miss(name, s.scrubbed(missing[name]))
	}
	return nil
}

// fromFile takes history and ledger from the state file, if no controller has it.
func (s *Support) fromFile(missing map[string]string) error {
	if missing[control.PartHistory] == "" || missing[control.PartLedger] == "" {
		return nil
	}
	db, err := state.OpenReadOnly(s.Settings.StateFile, time.Now)
	if err != nil {
		missing[control.PartHistory], missing[control.PartLedger] = err.Error(), err.Error()
		return nil
	}
	rec := &recorder{ctx: context.Background(), take: s.take}
	rec.json(control.PartHistory, func(context.Context) (any, error) {
		return pastOf(db, history.Filter{Most: mostSteps})
	})
	rec.part(control.PartLedger, func(context.Context) (control.Part, error) {
		raw, err := db.Lines()
		return control.Part{Data: raw}, err
	})
	delete(missing, control.PartHistory)
	delete(missing, control.PartLedger)
	if err := db.Close(); err != nil {
		s.out.Miss(control.PartLedger, err.Error())
	}
	return rec.err
}

// preview computes what a controller would compute.
func (s *Support) preview(ctx context.Context, missing map[string]string) error {
	parts := make(chan control.Part, len(control.Parts()))
	err := within(ctx, previewLimit, func(ctx context.Context) error {
		return s.Preview(ctx, func(p control.Part) error {
			select {
			case parts <- p:
				return nil
			default:
				return errors.New("more parts than there are")
			}
		})
	})
	for {
		select {
		case p := <-parts:
			delete(missing, p.Name)
			if err := s.take(p); err != nil {
				return err
			}
			continue
		default:
		}
		break
	}
	for name, why := range missing {
		if err != nil && previewed(name) {
			missing[name] = why + "; computing it here: " + err.Error()
		}
	}
	return nil
}

// previewed reports whether a part can be had without a controller.
func previewed(name string) bool {
	switch name {
	case control.PartSnapshot, control.PartPlan, control.PartDesired, control.PartCurrent:
		return true
	}
	return false
}

// within runs something that may ignore its context, and leaves it behind then. What heeds
// it has some time to say what it waited for.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) error {
	outer, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	inner, stop := context.WithTimeout(outer, limit*4/5)
	done := make(chan error, 1)
	go func() {
		defer stop()
		done <- f(inner)
	}()
	select {
	case err := <-done:
		return err
	case <-outer.Done():
		return fmt.Errorf("no answer within %s", limit)
	}
}

// problems are those of the configuration, a line each.
func (s *Support) problems() string {
	var b strings.Builder
	for _, p := range s.Problems {
		b.WriteString(p.Error() + "\n")
	}
	return b.String()
}

// versions writes who is who.
func (s *Support) versions() error {
	v := struct {
		Program    string           `json:"program"`
		Controller string           `json:"controller"`
		Go         string           `json:"go"`
		Platform   string           `json:"platform"`
		Kernel     string           `json:"kernel"`
		System     string           `json:"system"`
		Sources    []control.Source `json:"sources"`
	}{
		Program: s.Program, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Kernel: firstLine("/proc/sys/kernel/osrelease"), System: firstLine("/etc/os-release"), Sources: []control.Source{},
	}
	var st control.Status
	if json.Unmarshal(s.kept[control.PartStatus], &st) == nil {
		v.Controller, v.Sources = st.Program, st.Sources
		s.out.Manifest().Chassis = st.Chassis
	}
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("versions.json: %w", err)
	}
	return s.add("versions.json", append(raw, '\n'))
}

// firstLine is that of a small file; empty if it cannot be read.
func firstLine(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	raw, _ := io.ReadAll(io.LimitReader(f, 4<<10))
	line, _, _ := strings.Cut(string(raw), "\n")
	return line
}

// examine writes doctor's report.
func (s *Support) examine(ctx context.Context) error {
	type report struct{ form, text []byte }
	done := make(chan report, 1)
	err := within(ctx, examineLimit, func(ctx context.Context) error {
		form, text, err := s.Examine(ctx)
		done <- report{form, text}
		return err
	})
	if err != nil {
		s.out.Miss(partDoctor, s.scrubbed(err.Error()))
		return nil
	}
	r := <-done
	return errors.Join(s.add(partDoctor, r.form), s.add("doctor.txt", r.text))
}

// node is what the commands of the kernel and Open vSwitch depend on: the tables and
// bridges of what is there, and those that the snapshot maps.
func (s *Support) node() gather.Node {
	n := gather.Node{
		Protocol: s.Settings.Routing.RouteProtocol, Database: s.Settings.OpenVSwitch.Endpoint,
		RunDir: s.Settings.OpenVSwitch.RunDir,
	}
	tables, bridges := map[uint32]bool{mainTable: true}, map[string]bool{}
	for line := range strings.Lines(string(s.kept[control.PartCurrent])) {
		v, err := object.Parse(line)
		if err != nil {
			continue // of another version
		}
		switch v := v.(type) {
		case object.Route:
			tables[v.Table] = true
		case object.Rule:
			tables[v.Table] = true
		case object.Flow:
			bridges[v.Bridge] = true
		}
	}
	for _, b := range mappedBridges(s.kept[control.PartSnapshot]) {
		bridges[b] = true
	}
	n.Tables, n.Bridges = slices.Sorted(maps.Keys(tables)), slices.Sorted(maps.Keys(bridges))
	return n
}

// mainTable is RT_TABLE_MAIN.
const mainTable = 254

// mappedBridges are the bridges of provider networks in a snapshot file.
func mappedBridges(raw []byte) []string {
	f, err := file.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	snap, err := f.Snapshot("")
	if err != nil {
		return nil
	}
	var out []string
	for _, m := range snap.OVS.Mappings {
		out = append(out, m.Bridge)
	}
	return out
}
