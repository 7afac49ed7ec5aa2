package main

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// peersFlag reads neighbours from the command line, one a flag, as the keys of
// the file separated by commas.
type peersFlag []PeerConfig

// String prints nothing: the default is empty and there are passwords in it.
func (p *peersFlag) String() string { return "" }

// Type is what the help shows.
func (p *peersFlag) Type() string { return "peer" }

// Set adds a neighbour.
func (p *peersFlag) Set(s string) error {
	peer, err := parsePeer(s)
	if err != nil {
		return err
	}
	*p = append(*p, peer)
	return nil
}

// Append, Replace and GetSlice make it a pflag.SliceValue. They carry the
// neighbours as YAML flow text.
func (p *peersFlag) Append(s string) error { return p.Set(s) }

// Replace sets all neighbours.
func (p *peersFlag) Replace(list []string) error {
	*p = nil
	for _, s := range list {
		var peer PeerConfig
		if err := yaml.Unmarshal([]byte(s), &peer); err != nil {
			return err
		}
		*p = append(*p, peer)
	}
	return nil
}

// GetSlice is the inverse of Replace.
func (p *peersFlag) GetSlice() []string {
	out := make([]string, len(*p))
	for i, peer := range *p {
		raw, err := yaml.Marshal(peer)
		if err != nil {
			continue // a struct of strings and numbers always encodes
		}
		out[i] = string(raw)
	}
	return out
}

// parsePeer reads address=...,as=...,passive by turning it into YAML, so that
// the keys and their checks are those of the file.
func parsePeer(s string) (PeerConfig, error) {
	var b strings.Builder
	for _, item := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(item, "=")
		switch {
		case !ok:
			value = "true"
		case key == "families":
			value = "[" + strings.ReplaceAll(value, "+", ", ") + "]"
		case key == "password" || key == "address" || key == "local_address":
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&b, "%s: %s\n", strings.TrimSpace(key), value)
	}
	var peer PeerConfig
	dec := yaml.NewDecoder(strings.NewReader(b.String()))
	dec.KnownFields(true)
	if err := dec.Decode(&peer); err != nil {
		return peer, fmt.Errorf("peer %q: %s", s, yamlError(err))
	}
	return peer, nil
}
