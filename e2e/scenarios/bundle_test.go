package scenarios

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
)

// A support bundle of a running controller answers like the controller, on another machine
// and without its socket, and only its owner can read it.
func TestSupportBundle(t *testing.T) {
	ctx := testContext(t)
	hv, agent := shared.Chassis[2], shared.agents[2]
	guest(t, "vm-bundle", shared.public, hv, "172.24.4.61")
	guest(t, "vm-elsewhere", shared.public, shared.Chassis[1], "172.24.4.62")
	at(t, "172.24.4.61", hv)
	at(t, "172.24.4.62", shared.Chassis[1])
	pings(t, "172.24.4.61")
	settled(t)
	path := filepath.Join(t.TempDir(), "bundle.tar.gz")
	made := harness.Must(agent.CLI(ctx, "support-bundle", "--out", path))(t)
	if made.Exit == 1 || strings.Contains(made.Out, "controller:") {
		t.Fatalf("support-bundle: exit %d\n%s%s", made.Exit, made.Out, made.Err)
	}
	t.Log(made.Out)
	if info := harness.Must(os.Stat(path))(t); info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	none := filepath.Join(t.TempDir(), "none")
	ask := func(offline bool) (out []product.Result) {
		for _, args := range [][]string{
			{"explain", "172.24.4.61"},
			{"explain", "172.24.4.62"},
			{"explain", "172.24.4.63"},
			{"explain", "172.24.4.61", "-o", "json"},
			{"plan"},
			{"plan", "-o", "json"},
			{"history", "172.24.4.61"},
			{"history", "--cause", "change", "-o", "json"},
			{"desired"},
			{"status"},
			{"trace", "172.24.4.61"},
			{"audit"},
			{"bgp", "advertised"},
			{"bgp", "rejected", "-o", "json"},
		} {
			if offline {
				args = append(args, "--bundle", path, "--socket", none, "--state", none)
			}
			res := harness.Must(agent.CLI(ctx, args...))(t)
			if args[0] == "status" {
				res.Out = withoutCounters(res.Out)
			}
			res.Err = ""
			out = append(out, res)
		}
		return out
	}
	// The kernel's neighbours and the peers go on changing: what the bundle says must be what
	// the controller said right before it was made, or right after.
	var differs string
	err := harness.Await(ctx, "the answers of the bundle", func(ctx context.Context) (bool, error) {
		before := ask(false)
		harness.Must(agent.CLI(ctx, "support-bundle", "--out", path))(t)
		after, away := ask(false), ask(true)
		for i, got := range away {
			if got != before[i] && got != after[i] {
				differs = fmt.Sprintf("exit %d\n%s\nbut before: exit %d\n%s", got.Exit, got.Out, before[i].Exit, before[i].Out)
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, differs)
	}
}

// withoutCounters is the text of status without the lines of what goes on counting.
func withoutCounters(text string) string {
	var out []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "last round") && !strings.HasPrefix(line, "rounds ") &&
			!strings.Contains(line, "transactions") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
