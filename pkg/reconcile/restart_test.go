package reconcile

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// TestProofRestart: a new process on a node with thousands of addresses writes nothing,
// neither to the world nor to its file, and withdraws nothing. Where the speaker ended
// with the old process, it is told of the paths again, and nothing else is written.
func TestProofRestart(t *testing.T) {
	n := proof.Count(500, 5000)
	var scene strings.Builder
	scene.WriteString("include base\n")
	for i := range n {
		fmt.Fprintf(&scene, "port vm-%d on dp-pub mac \"fa:16:3e:15:%02x:%02x 172.24.%d.%d\" chassis cmp-1 up\n",
			i, i>>8, i&255, 32+i>>8, i&255)
	}
	s, err := story.Parse(scene.String())
	if err != nil {
		t.Fatal(err)
	}
	node := newNode(t, "cmp-1", s, defaults(), nil)
	node.settle()
	before, writes := node.world.String(), node.world.Writes()

	node.start()
	disk := node.db.Writes()
	r := node.round()
	if !r.Plan.Empty() || node.world.Writes() != writes || node.db.Writes() != disk || node.world.String() != before {
		t.Errorf("a speaker of its own: %d writes, %d transactions, plan %s", node.world.Writes()-writes,
			node.db.Writes()-disk, r.Plan.Summary())
	}

	if _, err := node.line("speaker restarts"); err != nil {
		t.Fatal(err)
	}
	node.start()
	r = node.round()
	for _, op := range r.Plan.Ops {
		if !op.Key().Kind.IsPath() || op.After == nil {
			t.Fatalf("the speaker restarted, too: %s", op)
		}
	}
	if len(r.Plan.Ops) != n || node.world.String() != before {
		t.Errorf("%d paths of %d are announced again, or the world is another", len(r.Plan.Ops), n)
	}
	proof.Report(t, "%d addresses: 0 writes to kernel, flows, speaker and disk, 0 withdrawals; where the speaker "+
		"restarts as well, %d paths announced again and 0 other writes", n, len(r.Plan.Ops))
}
