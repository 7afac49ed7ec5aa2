package reconcile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/internal/golden"
	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// scene is a node at the point where its next round has something to do. Making it
// twice makes the same one.
type scene struct {
	name string
	node func(*testing.T) *node
}

// TestProofCrashPoints lets the process die at every place of the next round of every
// scene: each step of each story, a first round that builds a scenario of the two
// drivers from nothing, and rounds after the speaker has restarted, after the options
// have changed, and after a state file of an older version was upgraded. The next
// process must arrive where an uninterrupted one does, and then have nothing left to do.
//
// The short form takes a part of the scenes. Adopting has its own, in package adopt.
func TestProofCrashPoints(t *testing.T) {
	groups := map[string][]scene{
		"stories": storyScenes(t), "scenarios": scenarioScenes(t), "speaker": speakerScenes(t),
		"options": optionScenes(t), "upgrade": upgradeScenes(t),
	}
	var all, dead atomic.Int64
	counts := map[string]int64{}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		before := dead.Load()
		t.Run(group, func(t *testing.T) {
			for i := 0; i < len(groups[group]); i += proof.Count(8, 1) {
				s := groups[group][i]
				all.Add(1)
				t.Run(s.name, func(t *testing.T) {
					t.Parallel()
					dead.Add(int64(crashStep(t, func() *node { return s.node(t) })))
				})
			}
		})
		counts[group] = dead.Load() - before
	}
	proof.Report(t, "%d pairs of scene and crash point, of %d scenes: %v", dead.Load(), all.Load(), counts)
	if least := proof.Count(1000, 12000); int(dead.Load()) < least {
		t.Errorf("%d crash points, want at least %d", dead.Load(), least)
	}
}

// crashStep lets what scene returns die at every place of its next round, and returns
// how many there are.
func crashStep(t *testing.T, scene func() *node) int {
	t.Helper()
	whole := scene()
	first, err := whole.c.Plan(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if first.Plan.Empty() {
		return 0
	}
	whole.settle()
	want := whole.world.String()
	points := crashes(len(first.Plan.Ops))
	for _, c := range points {
		n := scene()
		sound := forwards(n) // in a few scenes another program has taken a route away
		n.dieIn(c)
		if sound && !forwards(n) {
			t.Errorf("crash %s: a path is announced and no route leads there:\n%s", c, n.world)
		}
		n.settle()
		if got := n.world.String(); got != want {
			t.Errorf("crash %s: got\n%s\nwant\n%s\nplan\n%s", c, got, want, first.Plan)
		}
		if u := n.db.Unfinished(); len(u.Steps) > 0 {
			t.Errorf("crash %s: an open plan is left: %v", c, u.Steps)
		}
		n.db.Close()
	}
	return len(points)
}

// storyScenes are the steps of all stories, for each of their nodes.
func storyScenes(t *testing.T) (out []scene) {
	for _, f := range stories.Files(t) {
		if cfg := f.Section("config"); strings.Contains(cfg, "fuse") || strings.Contains(cfg, "holds") {
			continue // a new process holds back anew, which is not what this is about
		}
		var steps []string
		for _, text := range f.Texts("step") {
			if !strings.Contains(text, "fail ") {
				steps = append(steps, text)
			}
		}
		for i, name := range f.Fields("node") {
			for last := range len(steps) + 1 {
				out = append(out, scene{fmt.Sprintf("%s/%s/%d", f.Name, name, last), func(t *testing.T) *node {
					return replay(t, f, i, steps[:last])
				}})
			}
		}
	}
	return out
}

// replay returns node i of a story at the point where the last step has
// happened and no round has followed it.
func replay(t *testing.T, f *golden.File, i int, steps []string) *node {
	t.Helper()
	s, nodes, _ := begin(t, f)
	n := nodes[i]
	happen(t, s, nodes[i:i+1], f.Section("before"))
	for _, text := range steps {
		n.settle()
		happen(t, s, nodes[i:i+1], text)
	}
	return n
}

// scenes are the snapshots of the scenarios of one driver.
func scenes(t testing.TB, driver string) map[string]*golden.File {
	t.Helper()
	suite := golden.Suite{
		Dir: "../drivers/" + driver + "/testdata", Given: []string{"snapshot", "config", "node"},
		Want: []string{"want", "skipped"},
	}
	out := map[string]*golden.File{}
	for _, f := range suite.Files(t) {
		out[f.Name] = f
	}
	return out
}

// scenarioScenes build the scenarios of the drivers from nothing.
func scenarioScenes(t *testing.T) (out []scene) {
	for name, f := range sorted(scenes(t, "bgp")) {
		for _, chassis := range []string{"cmp-1", "gw-1"} {
			out = append(out, scene{name + "/" + chassis, func(t *testing.T) *node {
				return sceneNode(t, f.Section("snapshot"), chassis)
			}})
		}
	}
	for name, f := range sorted(scenes(t, "evpn")) {
		for _, chassis := range f.Fields("node") {
			out = append(out, scene{"evpn/" + name + "/" + chassis, func(t *testing.T) *node {
				return evpnNode(t, f.Section("snapshot"), chassis)
			}})
		}
	}
	return out
}

// sorted goes through a map in the order of its keys.
func sorted[V any](m map[string]V) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// evpnNode is a node with both drivers.
func evpnNode(t testing.TB, text, chassis string) *node {
	t.Helper()
	s, err := story.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return newNode(t, chassis, s, defaults(), func(c *Config) {
		c.Drivers = []desired.Driver{bgp.New(defaults()), evpn.New(evpnConfig(t, "99.99.1.1"))}
	})
}

// after are scenes that come of settled ones by something that happens to the node.
func after(from []scene, happens func(*testing.T, *node)) (out []scene) {
	for _, s := range from {
		out = append(out, scene{s.name, func(t *testing.T) *node {
			n := s.node(t)
			n.settle()
			happens(t, n)
			return n
		}})
	}
	return out
}

// speakerScenes have lost all paths.
func speakerScenes(t *testing.T) []scene {
	return after(scenarioScenes(t), func(t *testing.T, n *node) {
		if _, err := n.line("speaker restarts"); err != nil {
			t.Fatal(err)
		}
	})
}

// optionScenes have an operator who does not want tenants' addresses any more: all that
// is for them is withdrawn and dismantled.
func optionScenes(t *testing.T) []scene {
	return after(scenarioScenes(t), func(_ *testing.T, n *node) {
		tune := n.tune
		n.tune = func(c *Config) {
			if tune != nil {
				tune(c)
			}
			c.Drivers = []desired.Driver{bgp.New(defaults())}
		}
		n.start()
	})
}

// upgradeScenes begin with a state file of version 1, of a node that has lost its routes
// and rules meanwhile.
func upgradeScenes(t *testing.T) []scene {
	return after(scenarioScenes(t), func(t *testing.T, n *node) {
		lines, err := n.db.Lines()
		if err != nil {
			t.Fatal(err)
		}
		n.db.Close()
		firstVersion(t, n.path, lines)
		have, err := n.world.Read(t.Context(), actual.Focus{})
		if err != nil {
			t.Fatal(err)
		}
		for _, kind := range []object.Kind{object.KindRoute, object.KindRule} {
			for _, it := range have.SortedOf(kind) {
				if it.Marked {
					n.world.Unset(it.Value.Key())
				}
			}
		}
		n.start()
	})
}

// firstVersion makes a state file what a program of version 1 would have left: entries in JSON,
// without relations.
func firstVersion(t *testing.T, path string, lines []byte) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for line := range bytes.Lines(lines) {
			entry := map[string]any{}
			if err := json.Unmarshal(line, &entry); err != nil {
				return err
			}
			for _, field := range []string{"needs", "shared_needs", "keeps", "cause"} {
				delete(entry, field)
			}
			entry["v"] = 1
			text, err := json.Marshal(entry)
			if err != nil {
				return err
			}
			v, err := object.Parse(entry["line"].(string))
			if err != nil {
				return err
			}
			if err := tx.Bucket([]byte("ledger")).Put([]byte(v.Key().Text()), text); err != nil {
				return err
			}
		}
		return tx.Bucket([]byte("meta")).Put([]byte("version"), []byte("1"))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}
