package bgp_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// script is what the speaker process applies, in this order.
type script struct {
	Paths int      // of each family
	EVPN  bool     // besides one path of each EVPN form
	Peers []string // in the form of plans
}

const (
	scriptEnv = "BGP_TEST_SCRIPT"
	applied   = "applied"
)

// runSpeaker is the process that a test kills. On SIGTERM it withdraws.
func runSpeaker() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	b, err := speak()
	if err == nil {
		fmt.Fprintln(os.Stdout, applied)
		<-stop
		err = b.Shutdown(context.Background())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// speak does what the controller does when it starts: everything that is
// wanted first, then the peers.
func speak() (*bgp.Backend, error) {
	var s script
	if err := json.Unmarshal([]byte(os.Getenv(scriptEnv)), &s); err != nil {
		return nil, err
	}
	b, err := bgp.New(bgp.Config{Config: speaker.Config{
		AS: localAS, RouterID: netip.MustParseAddr(ours4), ListenPort: -1,
		Logger: logger(),
	}})
	if err != nil {
		return nil, err
	}
	changes := create(bothFamilies(s.Paths)...)
	if s.EVPN {
		changes = append(changes, create(evpnForms()...)...)
	}
	for _, line := range s.Peers {
		p, err := object.Parse(line)
		if err != nil {
			return nil, err
		}
		changes = append(changes, object.Change{After: p})
	}
	for i, err := range b.Apply(context.Background(), changes) {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", changes[i].Key().Text(), err)
		}
	}
	return b, nil
}

// bothFamilies are n IPv4 and n IPv6 paths.
func bothFamilies(n int) []object.Path {
	out := manyPaths(n)
	for i := range n {
		out = append(out, path(fmt.Sprintf("2001:db8:%x::/64", i+16)))
	}
	return out
}

// speakerProcess starts the process and waits until it has applied its script.
func speakerProcess(t *testing.T, s script) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleEnv+"="+roleSpeaker, scriptEnv+"="+string(text))
	output := filepath.Join(t.TempDir(), "speaker")
	child(t, cmd, output)
	eventually(t, 20*time.Second, func() string {
		return emptyIf(fileHas(output, applied),
			"the speaker has not applied")
	})
	return cmd
}
