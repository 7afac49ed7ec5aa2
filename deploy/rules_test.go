package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/prom"
)

const (
	rulesFile = "prometheus/bgp-ovn.rules.yml"
	runbooks  = "../docs/runbooks"
	published = "https://github.com/bgp-ovn/bgp-ovn/blob/main/docs/runbooks/"
)

// promtool runs promtool.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	program := harness.Must(prom.Program("promtool"))(t)
	if out, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Each alert fires on the values that it is for, as the labels say, after its duration and
// not before, and not on those of a node that is well. Its annotations are not compared:
// that they say something is seen on the lab.
func TestRules(t *testing.T) {
	promtool(t, "check", "rules", rulesFile)
	rules := harness.Must(prom.ReadRules(rulesFile))(t)
	cases := alertCases()
	dir := t.TempDir()
	file := testFile{RuleFiles: []string{"rules.yml"}, Interval: "15s"}
	long := testFile{RuleFiles: file.RuleFiles, Interval: "10m"} // a day in steps of 15 s takes a minute
	for _, a := range rules.Alerts() {
		c, ok := cases[a.Alert]
		if !ok {
			t.Errorf("%s has no case", a.Alert)
			continue
		}
		delete(cases, a.Alert)
		if strings.HasSuffix(a.For, "h") {
			long.Tests = append(long.Tests, c.tests(a, long.Interval)...)
		} else {
			file.Tests = append(file.Tests, c.tests(a, file.Interval)...)
		}
	}
	for name := range cases {
		t.Errorf("%s is no alert", name)
	}
	for g := range rules.Groups {
		for r := range rules.Groups[g].Rules {
			rules.Groups[g].Rules[r].Annotations = nil
		}
	}
	for name, content := range map[string]any{"rules.yml": rules, "tests.yml": file, "long.yml": long} {
		text := harness.Must(yaml.Marshal(content))(t)
		harness.Check(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	promtool(t, "test", "rules", filepath.Join(dir, "tests.yml"), filepath.Join(dir, "long.yml"))
}

// testFile is a file of promtool.
type testFile struct {
	RuleFiles []string   `yaml:"rule_files"`
	Interval  string     `yaml:"evaluation_interval"`
	Tests     []ruleTest `yaml:"tests"`
}

type ruleTest struct {
	Interval string        `yaml:"interval"`
	Input    []inputSeries `yaml:"input_series"`
	Alerts   []alertTest   `yaml:"alert_rule_test"`
}

type inputSeries struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type alertTest struct {
	At   string     `yaml:"eval_time"`
	Name string     `yaml:"alertname"`
	Want []expected `yaml:"exp_alerts"`
}

type expected struct {
	Labels map[string]string `yaml:"exp_labels"`
}

// alertCase is what an alert is tried on: series with values that make it fire and with
// values that do not, each as NAME{LABELS} VALUES, one a line.
type alertCase struct {
	fires, quiet string
	// labels are those that it fires with, beside job and severity.
	labels string
	// after is when it is looked at, if that is not a minute after its duration.
	after string
}

// tests are those of one alert, with values at such intervals.
func (c alertCase) tests(a prom.Rule, step string) []ruleTest {
	labels := map[string]string{"job": "bgp-ovn", "severity": a.Labels["severity"]}
	for pair := range strings.FieldsSeq(c.labels) {
		k, v, _ := strings.Cut(pair, "=")
		labels[k] = v
	}
	at := c.after
	if at == "" {
		hold, _ := time.ParseDuration(a.For)
		at = (hold + time.Minute).String() // groups are evaluated in any order
	}
	out := []ruleTest{
		{Interval: step, Input: series(c.fires), Alerts: []alertTest{{at, a.Alert, []expected{{labels}}}}},
		{Interval: step, Input: series(c.quiet), Alerts: []alertTest{{at, a.Alert, nil}}},
	}
	if a.For != "0m" {
		out[0].Alerts = append(out[0].Alerts, alertTest{"0s", a.Alert, nil})
	}
	return out
}

func series(text string) []inputSeries {
	var out []inputSeries
	for line := range strings.Lines(text) {
		name, values, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		if strings.Contains(name, "{") {
			name = strings.Replace(name, "{", `{job="bgp-ovn",`, 1)
		} else {
			name += `{job="bgp-ovn"}`
		}
		out = append(out, inputSeries{strings.ReplaceAll(name, "'", `"`), values})
	}
	return out
}

// There is a page for each alert and an alert for each page; the alert links to it, and the
// list has it.
func TestRunbooks(t *testing.T) {
	rules := harness.Must(prom.ReadRules(rulesFile))(t)
	list := string(harness.Must(os.ReadFile(filepath.Join(runbooks, "README.md")))(t))
	want := map[string]bool{"README": true}
	for _, a := range rules.Alerts() {
		want[a.Alert] = true
		if a.Annotations["runbook_url"] != published+a.Alert+".md" {
			t.Errorf("%s links to %s", a.Alert, a.Annotations["runbook_url"])
		}
		if a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s does not say what it means", a.Alert)
		}
		if !strings.Contains(list, "| ["+a.Alert+"]("+a.Alert+".md) | "+a.Labels["severity"]+" |") {
			t.Errorf("README.md has no line for %s with its severity", a.Alert)
		}
		page, err := os.ReadFile(filepath.Join(runbooks, a.Alert+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, section := range []string{"# " + a.Alert + "\n", "\n## Look\n", "\n## Do\n"} {
			if !strings.Contains(string(page), section) {
				t.Errorf("the page of %s has no %q", a.Alert, section)
			}
		}
	}
	pages := harness.Must(filepath.Glob(filepath.Join(runbooks, "*.md")))(t)
	for _, p := range pages {
		if name := strings.TrimSuffix(filepath.Base(p), ".md"); !want[name] {
			t.Errorf("%s is the page of no alert", p)
		}
	}
}

var (
	link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
	// command is one of ours, in a line of its own or in backquotes.
	command = regexp.MustCompile("(?m)(?:^    |`)(bgp-ovn [a-z][^`\n]*)")
)

// The pages that runbooks link to exist, and so do the commands that they give.
func TestRunbooksLead(t *testing.T) {
	bin := harness.Must(harness.Binary(t.Context()))(t)
	known := map[string]error{}
	for _, p := range harness.Must(filepath.Glob(filepath.Join(runbooks, "*.md")))(t) {
		text := string(harness.Must(os.ReadFile(p))(t))
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(runbooks, m[1])); err != nil {
				t.Errorf("%s: %v", filepath.Base(p), err)
			}
		}
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			words := strings.Fields(m[1])[1:]
			if _, ok := known[m[1]]; !ok {
				known[m[1]] = exec.Command(bin, append(words, "--help")...).Run()
			}
			if known[m[1]] != nil {
				t.Errorf("%s: %s: %v", filepath.Base(p), m[1], known[m[1]])
			}
		}
	}
	if len(known) < 10 {
		t.Errorf("only %d commands are found: the test reads the pages wrongly", len(known))
	}
}
