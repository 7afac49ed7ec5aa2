package interop_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// `bgp-ovn cleanup` takes what is ours out of the speaker too.
func TestCleanup(t *testing.T) {
	t.Parallel()
	w, n := newWire(t), newNode(t)
	r := newFRR(w, session{ours: w.ours4, theirs: w.theirs4, families: []object.Family{v4}})
	n.want(path("203.0.113.7/32"), toRouter(w.theirs4, v4))
	expect(t, r, v4, map[string]string{"203.0.113.7/32": w.ours4})
	out := harness.Run(t, os.Getenv(harness.BinaryVariable), "cleanup", "--bgp-speaker", n.socket, "--flows-manage=false",
		"--state", w.dir+"/state.db", "--socket", w.dir+"/control")
	set, err := n.Read(context.Background(), actual.Focus{Complete: true})
	if err != nil || set.Len() != 0 {
		t.Errorf("%d values are left, %v; cleanup said %s", set.Len(), err, out)
	}
	expect(t, r, v4, map[string]string{})
}

// What cannot be a socket is said before anything is done.
func TestSpeakerArguments(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"use unix:/absolute/path": {"--listen", "tcp:127.0.0.1:50051"},
		"bgp.speaker":             {"--bgp-speaker", "speaker.sock"},
	} {
		out, err := exec.Command(os.Getenv(harness.BinaryVariable), append([]string{"speaker"}, args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%v: %v, %s, want %q", args, err, out, want)
		}
	}
}
