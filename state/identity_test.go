package state

import (
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// The chassis decides whose a file is as soon as both are known, else the machine.
func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name          string
		now, recorded Identity
		want          belonging
	}{
		{"an old file", Identity{"hv1", "m", "p"}, Identity{}, ours},
		{"the same", Identity{"hv1", "m", "p"}, Identity{"hv1", "m", "p"}, ours},
		{"another chassis", Identity{"hv2", "m", "p"}, Identity{"hv1", "m", "p"}, others},
		{"another board", Identity{"hv1", "m", "q"}, Identity{"hv1", "m", "p"}, ours},
		{"installed again", Identity{"hv1", "n", "p"}, Identity{"hv1", "m", "p"}, ours},
		{"not known yet", Identity{"", "m", "p"}, Identity{"hv1", "m", "p"}, ours},
		{"not known yet, nor the machine", Identity{}, Identity{"hv1", "m", "p"}, ours},
		{"not known yet, cloned", Identity{"", "m", "q"}, Identity{"hv1", "m", "p"}, undecided},
		{"not known yet, another installation", Identity{"", "n", ""}, Identity{"hv1", "m", "p"}, undecided},
		{"never known, another machine", Identity{"hv1", "n", "p"}, Identity{"", "m", "p"}, others},
		{"never known, the same machine", Identity{"hv1", "m", "p"}, Identity{"", "m", "p"}, ours},
	} {
		if got := tt.now.judge(tt.recorded); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
}

// The file of another node is not used, whenever it becomes known that it is one.
func TestFileOfAnotherNode(t *testing.T) {
	for name, tt := range map[string]struct {
		now Identity
		// before is what is used of it before the chassis is known.
		before bool
	}{
		"known from the configuration":  {Identity{Chassis: "hv2", Machine: "n"}, false},
		"another machine":               {Identity{Machine: "n"}, false},
		"cloned with its machine-id(5)": {Identity{Machine: "m"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			at := filled(t, Identity{Chassis: "hv1", Machine: "m"})
			db := started(t, at, tt.now)
			if got := db.LastKnown().Len() > 0; got != tt.before {
				t.Errorf("used before it is known which chassis this is: %t, want %t", got, tt.before)
			}
			db.Confirm("hv2")
			if kept := db.Asides(); len(kept) != 1 || kept[0].Reason != AsideOtherNode {
				t.Errorf("set aside: %+v", kept)
			}
			if db.LastKnown().Len() > 0 || db.Owned(neigh.Key()) {
				t.Error("it is used")
			}
			do(t, db, build(sysctlOn, sysctlOff))
			healthy(t, db, at, sysctlOn.Key())
			again := started(t, at, Identity{Chassis: "hv2"})
			if len(again.Asides()) != 1 || !again.Owned(sysctlOn.Key()) {
				t.Error("the new file is not this node's")
			}
		})
	}
}

// A file of this node on another machine is used as soon as the chassis is known.
func TestFileAfterAnotherBoard(t *testing.T) {
	at := filled(t, Identity{Chassis: "hv1", Machine: "m"})
	db := started(t, at, Identity{Machine: "n"})
	trouble, ill := db.Trouble()
	if !ill || !strings.Contains(trouble.Err.Error(), "another machine") || db.Owned(neigh.Key()) {
		t.Errorf("%+v; used: %t", trouble, db.Owned(neigh.Key()))
	}
	db.Confirm("hv1")
	if !db.Owned(neigh.Key()) || len(db.Asides()) > 0 {
		t.Errorf("set aside %v", db.Asides())
	}
	healthy(t, db, at, neigh.Key())
}

// A file without an identity is accepted and stamped, and one that is renamed while it is
// used stays this node's.
func TestOldFilesAreStamped(t *testing.T) {
	at := file(t)
	old := open(t, at)
	do(t, old, build(neigh, nil))
	old.Close()
	db := started(t, at, Identity{Machine: "m"})
	db.Confirm("hv1")
	db.Confirm("hv3")
	if !db.Owned(neigh.Key()) || len(db.Asides()) > 0 {
		t.Error("it was not accepted")
	}
	db.Close()
	other := started(t, at, Identity{Chassis: "hv1"})
	if len(other.Asides()) != 1 {
		t.Error("it was not stamped")
	}
}

// What is remembered by name survives, and the same costs no transaction.
func TestRemember(t *testing.T) {
	at := file(t)
	db := started(t, at, Identity{})
	db.Remember("fuse", "x")
	writes := db.Writes()
	db.Remember("fuse", "x")
	if db.Writes() != writes {
		t.Error("the same was written twice")
	}
	db.Close()
	db = started(t, at, Identity{})
	if got := db.Remembered("fuse"); got != "x" {
		t.Errorf("got %q", got)
	}
	db.Remember("fuse", "")
	db.Close()
	if got := started(t, at, Identity{}).Remembered("fuse"); got != "" {
		t.Errorf("got %q after it was forgotten", got)
	}
}

// What is noted is written with the next round or when that is asked for, and costs no
// transaction of its own.
func TestNote(t *testing.T) {
	at := file(t)
	db := started(t, at, Identity{})
	writes := db.Writes()
	db.Note("problems", "x")
	if db.Note("problems", "x"); db.Writes() != writes || db.Remembered("problems") != "x" {
		t.Errorf("%d transactions, %q", db.Writes()-writes, db.Remembered("problems"))
	}
	if err := db.End(plan.Plan{}, nil, 0); err != nil || db.Writes() != writes+1 {
		t.Errorf("%v, %d transactions", err, db.Writes()-writes)
	}
	if db.Flush(); db.Writes() != writes+1 {
		t.Error("it was written twice")
	}
	db.Note("other", "y")
	db.Flush()
	db.Note("lost", "z")
	db.Close()
	db = started(t, at, Identity{})
	for name, want := range map[string]string{"problems": "x", "other": "y", "lost": ""} {
		if got := db.Remembered(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	db.Note("other", "")
	db.Flush()
	db.Close()
	if got := started(t, at, Identity{}).Remembered("other"); got != "" {
		t.Errorf("got %q after it was forgotten", got)
	}
}
