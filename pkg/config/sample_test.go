package config

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// The file of the packages has every key, and says of each what holds without it.
func TestSample(t *testing.T) {
	defaultSettings := Defaults()
	const path = "../../packaging/config.yaml"
	text := Sample()
	if have, err := os.ReadFile(path); err != nil || string(have) != text {
		t.Errorf("%s is not what `bgp-ovn config sample` prints (%v)", path, err)
	}
	commented := regexp.MustCompile(`(?m)^#([a-z][a-z0-9_.]*: .*)$`)
	all := commented.ReplaceAllString(text, "$1")
	for i, file := range []string{text, regexp.MustCompile(`(?m)^bgp\.speaker: .*$`).ReplaceAllString(all, "")} {
		s, problems := Read("config.yaml", []byte(file))
		if len(problems) > 0 {
			t.Fatalf("%v in\n%s", problems, file)
		}
		want := []string{"bgp.speaker"}
		if i > 0 {
			want = []string{}
		}
		if changed, _ := Changes(Defaults(), s); !slices.Equal(changed, want) {
			t.Errorf("the file changes %v, want %v", changed, want)
		}
	}
	if n := len(commented.FindAllString(text, -1)); n != len(table(&defaultSettings)) {
		t.Errorf("%d keys are in the file, of %d", n, len(table(&defaultSettings)))
	}
}
