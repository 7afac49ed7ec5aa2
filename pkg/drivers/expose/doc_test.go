package expose_test

import (
	"os"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// The driver in docs/writing-a-driver.md is the one that is compiled here.
func TestDocumentedDriver(t *testing.T) {
	const path = "../../../docs/writing-a-driver.md"
	code, err := os.ReadFile("example_driver_test.go")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(doc), "```go\n")
	_, tail, ok2 := strings.Cut(rest, "```\n")
	if !ok || !ok2 {
		t.Fatal("the document has no block of Go")
	}
	golden.WholeFile(t, path, head+"```go\n"+string(code)+"```\n"+tail)
}

// It does what the document says.
func TestLabelDriver(t *testing.T) {
	snap := snapshot(t, "cmp-1", `include base
port vm on dp-pub mac "fa:16:3e:15:9e:f0 172.24.4.92" chassis cmp-1 up id expose=true
port web on dp-pub mac "fa:16:3e:15:9e:f2 172.24.4.94" chassis cmp-1 up id expose=true id service=true
port quiet on dp-pub mac "fa:16:3e:15:9e:f1 172.24.4.93" chassis cmp-1 up
`)
	opts := expose.DefaultOptions()
	opts.Attributes = map[expose.Class]expose.Attributes{expose.ClassVIP: {MED: object.MetricOf(7)}}
	var driver desired.Driver = LabelDriver{Options: opts}
	res := desired.Compute(snap, nil, driver)
	var got []string
	for _, p := range object.Of[object.Path](res.Want) {
		got = append(got, p.Prefix.String()+" med "+p.MED.String())
	}
	if strings.Join(got, ", ") != "172.24.4.92/32 med , 172.24.4.94/32 med 7" || len(res.Skipped) > 0 {
		t.Errorf("got %v, skipped %v", got, res.Skipped)
	}
}

// snapshot is what a node of a story sees.
func snapshot(t *testing.T, node, text string) observe.Snapshot {
	t.Helper()
	s, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	snap, err := s.Snapshot(node)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}
