package config

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

// DefaultPath is the configuration file unless another one is named. It may be
// missing.
const DefaultPath = "/etc/bgp-ovn/config.yaml"

// maxFile bounds the configuration file; the largest sensible one has some
// kilobytes.
const maxFile = 1 << 20

// Problem is one thing that is wrong: where, which key, what, and what to do. It
// never holds a password.
type Problem = key.Problem

// Problems are all that is wrong, in the order of file and lines, then of variables
// and flags.
type Problems = key.Problems

// Source says where settings are read from.
type Source struct {
	// Path is the file; empty is [DefaultPath], which may be missing.
	Path string
	// Getenv looks a variable up; nil has none.
	Getenv func(string) (string, bool)
	// Environ lists the environment as os.Environ does; of it only names are used, to
	// tell of those that are no key. It may be nil.
	Environ []string
	// Flags are those of [Flags], maybe among others, as given on the command line;
	// nil has none.
	Flags *pflag.FlagSet
	// Set are texts KEY=VALUE on top of all that: what would be if they were configured.
	Set []string
}

// Load puts defaults, file, environment and flags on top of each other. With
// problems the Settings are what could be made of it: good enough to find a running
// controller with, and not to be run.
func Load(src Source) (Settings, Problems) { return load(drivers.All(), src) }

// Read reads the text of a file on top of the defaults, without environment and
// flags. Name is what problems call the file.
func Read(name string, text []byte) (Settings, Problems) {
	s, r := defaults(drivers.All()), &key.Reading{}
	readText(&s, r, name, text)
	return finish(s, r)
}

func load(list drivers.List, src Source) (Settings, Problems) {
	s, r := defaults(list), &key.Reading{}
	mode := readFile(&s, r, src.Path)
	for _, k := range table(&s) {
		if src.Getenv == nil {
			break
		}
		if value, ok := src.Getenv(k.Variable()); ok {
			r.SetText(k, []string{value}, key.Place{Source: "environment variable " + k.Variable()})
		}
	}
	for _, k := range table(&s) {
		if texts, ok := given(src.Flags, k.Flag()); ok {
			r.SetText(k, texts, key.Place{Source: "--" + k.Flag()})
		}
	}
	r.SetPairs(table(&s), src.Set, "--set")
	s.remarks = append(s.remarks, unknownVariables(table(&s), src.Environ)...)
	if name, ok := s.Kube.NodeName, src.Getenv != nil; ok && name == "" {
		s.Kube.NodeName, _ = src.Getenv(nodeNameVariable)
	}
	s.exposed = exposedPasswords(&s, r.Places(), mode)
	return finish(s, r)
}

// nodeNameVariable has the name of the Node in pods whose manifest says so.
const nodeNameVariable = "NODE_NAME"

// finish brings what was read into its one form and checks what concerns several
// keys.
func finish(s Settings, r *key.Reading) (Settings, Problems) {
	if once := unique(s.Drivers); len(once) < len(s.Drivers) {
		s.remarks = append(s.remarks, "drivers: one is named twice, maybe by another of its names; it runs once")
		s.Drivers = once
	}
	s.UseNorthbound, s.VTEPDevice, s.VXLANPort = false, "", 0
	s.Kube.Used, s.Kube.EgressIPs = false, false
	for i, o := range s.options {
		needs := o.Needs()
		if slices.Contains(s.Drivers, s.list[i].Name) {
			s.Kube.Used = s.Kube.Used || needs.Kubernetes
			s.Kube.EgressIPs = s.Kube.EgressIPs || needs.EgressIPs
		}
		s.UseNorthbound = s.UseNorthbound || needs.Northbound
		if s.VTEPDevice == "" {
			s.VTEPDevice = needs.VTEPDevice
		}
		if s.VXLANPort == 0 {
			s.VXLANPort = needs.VXLANPort
		}
	}
	for i := range s.BGP.Peers {
		if p := &s.BGP.Peers[i]; p.AS == asInternal {
			p.AS = s.BGP.AS
		}
	}
	check(&s, r)
	s.places = r.Places()
	return s, r.Problems()
}

// unique drops what was in a list before, and keeps the order.
func unique(list []string) []string {
	var out []string
	for _, v := range list {
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}

// readFile reads the configuration file, and returns its mode. Only the default one may
// be missing.
func readFile(s *Settings, r *key.Reading, path string) (mode fs.FileMode) {
	optional := path == ""
	if optional {
		path = DefaultPath
	}
	text, mode, err := readBounded(path)
	if errors.Is(err, os.ErrNotExist) && optional {
		return 0
	}
	if err != nil {
		r.At(key.Place{File: path}, "", "the configuration cannot be read: "+reason(err),
			"name another with --config, or mend the path")
		return 0
	}
	readText(s, r, path, text)
	return mode
}

// ReadFile reads a file that may be a configuration, ours or that of another program,
// of at most 1 MiB.
func ReadFile(path string) ([]byte, error) {
	text, _, err := readBounded(path)
	switch {
	case err != nil:
		return nil, errors.New(reason(err))
	case len(text) > maxFile:
		return nil, errors.New("it is larger than 1 MiB")
	}
	return text, nil
}

// readBounded reads at most maxFile octets of a file, and one more: a device may never
// end, and a named pipe without a writer would keep us waiting.
func readBounded(path string) ([]byte, fs.FileMode, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.IsDir() {
		return nil, 0, errors.New("it is a directory")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) == 0 && info.Mode().Type() == fs.ModeNamedPipe {
		err = errors.New("nobody writes into the named pipe")
	}
	return text, info.Mode(), err
}

// reason is the cause of an error of os, without the path, which stands before it.
func reason(err error) string {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

func readText(s *Settings, r *key.Reading, path string, text []byte) {
	if len(text) > maxFile {
		r.At(key.Place{File: path}, "", "larger than 1 MiB", "is it a configuration file?")
		return
	}
	if root, ok := parseYAML(r, path, text); ok {
		refuseUntranslated(&root, r)
		r.Object(root, table(s), "")
	}
}

// NotTranslated is the key under which config import puts what it cannot translate. No
// configuration that has it is valid, so that none is used in which an option of the
// predecessor is missing unnoticed.
const NotTranslated = "not_translated"

// refuseUntranslated reports each text under NotTranslated, and takes the key away.
func refuseUntranslated(root *key.Node, r *key.Reading) {
	i := slices.IndexFunc(root.Fields, func(f key.Field) bool { return f.Name == NotTranslated })
	if i < 0 {
		return
	}
	left := root.Fields[i]
	root.Fields = slices.Delete(root.Fields, i, i+1)
	for n, item := range left.Value.Items {
		r.At(item.Place, NotTranslated+"["+strconv.Itoa(n)+"]", item.Text, "settle it by hand, then remove this element")
	}
	if left.Value.Kind == key.Scalar {
		r.At(left.Place, NotTranslated, left.Value.Text, "settle it by hand, then remove this key")
	}
}

// unknownVariables tells of variables that look like keys and are none. They are no
// problem: others may use the prefix, too.
func unknownVariables(all []key.Key, environ []string) []string {
	known := map[string]bool{}
	for _, k := range all {
		known[k.Variable()] = true
	}
	var out []string
	for _, entry := range slices.Sorted(slices.Values(environ)) {
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, key.VariablePrefix) && !known[name] {
			out = append(out, "environment variable "+name+" is no key and has no effect; "+
				"bgp-ovn config reference lists those that are")
		}
	}
	return out
}
