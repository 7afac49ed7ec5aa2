package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// kubernetesRules are the numbers of the rules of k8s_ovn_bgp_driver.
func kubernetesRules() (out []string) {
	for _, r := range [][2]int{
		{1, 5}, {9, 23}, {30, 30}, {40, 40}, {60, 63}, {70, 76}, {80, 86}, {90, 93},
	} {
		for n := r[0]; n <= r[1]; n++ {
			out = append(out, fmt.Sprintf("K-%d", n))
		}
	}
	return out
}

// TestKubernetesRules checks that kubernetes-rules.md states each rule of k8s_ovn_bgp_driver and
// names what implements it and which tests hold it, and that all of these exist.
func TestKubernetesRules(t *testing.T) {
	text, err := os.ReadFile("kubernetes-rules.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, table, ok := strings.Cut(string(text), "\n## Where each rule is")
	if !ok {
		t.Fatal("there is no table of tests")
	}
	held := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		number := strings.TrimSpace(cells[0])
		if !strings.HasPrefix(number, "K-") || len(cells) != 3 {
			continue
		}
		if held[number] {
			t.Errorf("rule %s is there twice", number)
		}
		held[number] = true
		for _, where := range strings.Split(strings.TrimSpace(cells[1]), ", ") {
			if err := declared(strings.Trim(where, "`")); err != nil {
				t.Errorf("rule %s: %v", number, err)
			}
		}
		for _, problem := range check(defect{number: number, tests: strings.TrimSpace(cells[2])}) {
			t.Errorf("rule %s: %s", number, problem)
		}
	}
	all := kubernetesRules()
	for _, number := range all {
		if !strings.Contains(rules, "\n| "+number+" |") {
			t.Errorf("rule %s is not stated", number)
		}
		if !held[number] {
			t.Errorf("no test is named for rule %s", number)
		}
	}
	for number := range held {
		if !slices.Contains(all, number) {
			t.Errorf("there is no rule %s", number)
		}
	}
}

// declared looks for "DIRECTORY NAME" among the declarations of a package that are no tests.
func declared(what string) error {
	dir, name, _ := strings.Cut(what, " ")
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return err
	}
	decl, err := regexp.Compile(`(?m)^(func (\([^)]*\) )?|type |var |const )` + regexp.QuoteMeta(name) + `\b`)
	if err != nil {
		return err
	}
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		if text, err := os.ReadFile(f); err == nil && name != "" && decl.Match(text) {
			return nil
		}
	}
	return fmt.Errorf("%q is declared nowhere", what)
}

// TestDeclaredFinds makes sure that the check above can fail.
func TestDeclaredFinds(t *testing.T) {
	for what, fine := range map[string]bool{
		"pkg/drivers/kube findGateway": true, "pkg/observe/kube servicesSpec": true, "pkg/drivers/kube bridge": true,
		"pkg/drivers/kube findGate": false, "pkg/nowhere findGateway": false, "pkg/drivers/kube": false,
		"pkg/drivers/kube TestScenarios": false,
	} {
		if err := declared(what); (err == nil) != fine {
			t.Errorf("%s: %v", what, err)
		}
	}
}
