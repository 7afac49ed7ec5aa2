package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/proof"
)

// smallest is a receive buffer that a few notifications fill; the kernel rounds it up.
const smallest = 4096

// TestProofStorm: another program puts routes by the hundred thousand into the tables
// that we use, while the queue of notifications holds a few of them. What it takes away
// of ours in the middle is seen, and what is remembered is what is there.
func TestProofStorm(t *testing.T) {
	l := newLab(t)
	l.open(Config{Queue: smallest})
	want := everyKind(t)
	focus := wanting(t, want...)
	l.read(focus)
	l.build(want)
	l.agrees(want)
	n := proof.Count(20_000, 200_000)
	var batch strings.Builder
	for i := range n {
		if i == n/2 {
			batch.WriteString("route del 10.0.0.5/32 table 201\n")
		}
		fmt.Fprintf(&batch, "route add 11.%d.%d.%d/32 dev d0 table %d proto 98\n", i>>16, i>>8&255, i&255, 201+i%2)
	}
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(batch.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	l.clearSignals()
	l.run("ip", "-batch", file)
	l.woken()
	gone := want[6]
	if l.read(focus).Has(gone.Key()) {
		t.Errorf("%s was deleted in the storm and is remembered", gone.Key().Text())
	}
	kept, fresh := text(l.read(focus)), text(l.read(complete(focus)))
	if kept != fresh {
		t.Errorf("what is remembered has %d octets and what is there %d", len(kept), len(fresh))
	}
	l.must(create(gone))
	l.ip("route flush table 202 proto 98")
	if kept, fresh = text(l.read(focus)), text(l.read(complete(focus))); kept != fresh {
		t.Errorf("after the flush: what is remembered has %d octets and what is there %d", len(kept), len(fresh))
	}
	proof.Report(t, "%d routes with our mark that another program put into our tables, through a queue for a few "+
		"notifications: one of ours that it deleted meanwhile was seen, and what is remembered is what is there", n)
}
