package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// AttributesConfig is an element of bgp.attributes: the path attributes of a
// class.
type AttributesConfig struct {
	Communities      []string `yaml:"communities,flow,omitempty"`
	LargeCommunities []string `yaml:"large_communities,flow,omitempty"`
	MED              *uint32  `yaml:"med,omitempty"`
	LocalPref        *uint32  `yaml:"local_pref,omitempty"`
}

// ExportConfig is the key bgp.export: what may be announced.
type ExportConfig struct {
	Allow []string `yaml:"allow"`
	Deny  []string `yaml:"deny"`
}

func (b *BGPConfig) policyFlags(fs *pflag.FlagSet) {
	fs.Var((*attributesFlag)(&b.Attributes), "bgp-attributes", "path attributes of a class as class=...[,communities=a+b][,large_communities=a+b][,med=n][,local_pref=n]; may be repeated, or several be separated by semicolons")
	fs.StringSliceVar(&b.Export.Allow, "bgp-export-allow", b.Export.Allow, "what may be announced, as PREFIX or \"PREFIX le LENGTH\" (default: host prefixes, and subnets with method subnet); originate and advertise_loopback need no entry")
	fs.StringSliceVar(&b.Export.Deny, "bgp-export-deny", b.Export.Deny, "what is never announced, in the same form; wins over everything that allows it")
}

func (b *BGPConfig) validatePolicy(p *problems) {
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		p.check(slices.Contains(expose.Classes(), expose.Class(name)), "bgp.attributes: unknown class %q: use one of %s", name, classNames())
		_, err := object.CommunitiesOf(b.Attributes[name].Communities...)
		p.check(err == nil, "bgp.attributes.%s.communities: %v", name, err)
		_, err = object.LargeCommunitiesOf(b.Attributes[name].LargeCommunities...)
		p.check(err == nil, "bgp.attributes.%s.large_communities: %v", name, err)
	}
	_, err := prefixRanges(b.Export.Allow)
	p.check(err == nil, "bgp.export.allow: %v", err)
	_, err = prefixRanges(b.Export.Deny)
	p.check(err == nil, "bgp.export.deny: %v", err)
}

func classNames() string {
	var names []string
	for _, c := range expose.Classes() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

func prefixRanges(list []string) ([]observe.PrefixRange, error) {
	var out []observe.PrefixRange
	for _, text := range list {
		r, err := observe.ParsePrefixRange(text)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// policy fills in what is announced, and how. It is validated.
func (b *BGPConfig) policy(opts *expose.Options) {
	opts.Origin = origins[b.Origin]
	opts.Export.Allow, _ = prefixRanges(b.Export.Allow)
	opts.Export.Deny, _ = prefixRanges(b.Export.Deny)
	if len(b.Attributes) == 0 {
		return
	}
	opts.Attributes = map[expose.Class]expose.Attributes{}
	for name, conf := range b.Attributes {
		a := expose.Attributes{MED: metric(conf.MED), LocalPref: metric(conf.LocalPref)}
		a.Communities, _ = object.CommunitiesOf(conf.Communities...)
		a.LargeCommunities, _ = object.LargeCommunitiesOf(conf.LargeCommunities...)
		opts.Attributes[expose.Class(name)] = a
	}
}

// forbidden is what of the export filter holds for paths that are kept although
// nothing is known of their rows.
func (c *Config) forbidden() func(object.Key) *object.Block {
	var opts expose.Options
	c.BGP.policy(&opts)
	if len(opts.Export.Deny) == 0 {
		return nil
	}
	return func(k object.Key) *object.Block { return opts.Export.Denied(k.Prefix) }
}

func metric(v *uint32) object.Metric {
	if v == nil {
		return object.Metric{}
	}
	return object.MetricOf(*v)
}

// attributesFlag reads the attributes of classes from the command line or a
// variable. A class that is named takes the place of the same one in the file;
// the others stay.
type attributesFlag map[string]AttributesConfig

// Type is what the help shows.
func (a *attributesFlag) Type() string { return "class" }

// Set adds classes; an empty text removes all.
func (a *attributesFlag) Set(s string) error {
	if strings.TrimSpace(s) == "" {
		*a = nil
		return nil
	}
	for _, item := range strings.Split(s, ";") {
		class, conf, err := parseAttributes(strings.TrimSpace(item))
		if err != nil {
			return err
		}
		if *a == nil {
			*a = attributesFlag{}
		}
		(*a)[class] = conf
	}
	return nil
}

// String is the inverse of Set.
func (a *attributesFlag) String() string {
	var out []string
	for _, class := range slices.Sorted(maps.Keys(*a)) {
		conf := (*a)[class]
		text := "class=" + class
		if len(conf.Communities) > 0 {
			text += ",communities=" + strings.Join(conf.Communities, "+")
		}
		if len(conf.LargeCommunities) > 0 {
			text += ",large_communities=" + strings.Join(conf.LargeCommunities, "+")
		}
		if conf.MED != nil {
			text += fmt.Sprintf(",med=%d", *conf.MED)
		}
		if conf.LocalPref != nil {
			text += fmt.Sprintf(",local_pref=%d", *conf.LocalPref)
		}
		out = append(out, text)
	}
	return strings.Join(out, ";")
}

// parseAttributes reads class=...,med=... by turning it into YAML, so that the
// keys and their checks are those of the file.
func parseAttributes(s string) (string, AttributesConfig, error) {
	var b strings.Builder
	for _, item := range strings.Split(s, ",") {
		key, value, _ := strings.Cut(item, "=")
		switch key = strings.TrimSpace(key); key {
		case "class":
			value = fmt.Sprintf("%q", value)
		case "communities", "large_communities":
			value = fmt.Sprintf("[%q]", value)
			value = strings.ReplaceAll(value, "+", `", "`)
		}
		fmt.Fprintf(&b, "%s: %s\n", key, value)
	}
	var conf struct {
		Class            string `yaml:"class"`
		AttributesConfig `yaml:",inline"`
	}
	dec := yaml.NewDecoder(strings.NewReader(b.String()))
	dec.KnownFields(true)
	if err := dec.Decode(&conf); err != nil {
		return "", conf.AttributesConfig, fmt.Errorf("attributes %q: %s", s, yamlError(err))
	}
	if conf.Class == "" {
		return "", conf.AttributesConfig, fmt.Errorf("attributes %q: begin with class=NAME, one of %s", s, classNames())
	}
	return conf.Class, conf.AttributesConfig, nil
}
