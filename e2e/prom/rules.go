// Package prom runs a real Prometheus beside a lab: with the rules of deploy/prometheus, whose
// durations are shorter there, and the queries of deploy/grafana.
//
// It judges nothing: tests do.
//
// Read next: [ReadRules], then server.go.
package prom

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v3"
)

// unpacked is where scripts/install-deps puts the programs.
const unpacked = "/var/cache/bgp-ovn-prometheus/usr/bin"

// Program finds prometheus or promtool.
func Program(name string) (string, error) {
	if path := filepath.Join(unpacked, name); executable(path) {
		return path, nil
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w; run scripts/install-deps test", err)
	}
	return path, nil
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// Rules is a file of rules.
type Rules struct {
	Groups []Group `yaml:"groups"`
}

// Group is rules that are evaluated one after another.
type Group struct {
	Name     string `yaml:"name"`
	Interval string `yaml:"interval,omitempty"`
	Rules    []Rule `yaml:"rules"`
}

// Rule is a recording rule or an alert.
type Rule struct {
	Record      string            `yaml:"record,omitempty"`
	Alert       string            `yaml:"alert,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

// ReadRules reads a file of rules.
func ReadRules(path string) (Rules, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Rules{}, err
	}
	var r Rules
	if err := yaml.Unmarshal(text, &r); err != nil {
		return Rules{}, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Alerts are the alerts of all groups.
func (r Rules) Alerts() []Rule {
	var out []Rule
	for _, g := range r.Groups {
		for _, rule := range g.Rules {
			if rule.Alert != "" {
				out = append(out, rule)
			}
		}
	}
	return out
}

// duration is a line of the file that says how long something must hold.
var duration = regexp.MustCompile(`(?m)^( +for: )\d+[smhd]$`)

// Shorten is a file of rules in which each alert fires after it has held for so long.
// Nothing else of the text changes, and in particular no expression.
func Shorten(rules []byte, hold string) []byte {
	return duration.ReplaceAll(rules, []byte("${1}"+hold))
}

// Panel is a query of a dashboard.
type Panel struct {
	Title string
	Expr  string
}

// ReadDashboard lists the queries of a dashboard of Grafana.
func ReadDashboard(path string) ([]Panel, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var out []Panel
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			out = append(out, Panel{p.Title, target.Expr})
		}
	}
	return out, nil
}
