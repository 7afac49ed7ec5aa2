package kube_test

import (
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/expose"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
)

// expectation is what a snapshot of a real cluster leads to with some options.
type expectation struct {
	Config struct {
		Advertise []kube.Kind
		Policies  []struct {
			Aggregate4, Aggregate6 int
		}
	}
	NodeState observe.NodeState `json:"node_state"`
	Announced map[string]struct {
		Communities string
		LocalPref   string `json:"local_pref"`
	}
	Blocked map[string]string
	Not     map[string]any
	Status  map[string][]string
}

// TestFixtures derives what databases, flows and API objects of a real OVN-Kubernetes
// lead to, on node worker-a.
func TestFixtures(t *testing.T) {
	raw, err := os.ReadFile("testdata/fixtures/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]struct{ Modes map[string]expectation }
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, mode := range slices.Sorted(maps.Keys(all[name].Modes)) {
			t.Run(name+" "+mode, func(t *testing.T) { checkFixture(t, fixture(t, name), all[name].Modes[mode]) })
		}
	}
}

func fixture(t testing.TB, name string) observe.Snapshot {
	t.Helper()
	f, err := file.Read(filepath.Join("testdata/fixtures", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := f.Snapshot("worker-a")
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func checkFixture(t *testing.T, snap observe.Snapshot, want expectation) {
	cfg := kube.Config{Expose: expose.DefaultOptions(), Advertise: want.Config.Advertise}
	for _, p := range want.Config.Policies {
		cfg.Policies = append(cfg.Policies, kube.Policy{Aggregate4: p.Aggregate4, Aggregate6: p.Aggregate6})
	}
	snap.Kube.NodeState = want.NodeState
	driver := kube.New(cfg)
	res := desired.Compute(snap, nil, driver)
	announced, blocked := map[string][2]string{}, map[string]string{}
	for _, it := range res.Want.Sorted() {
		path, ok := it.Value.(object.Path)
		switch {
		case !ok:
			t.Errorf("the driver wires something: %s", object.Text(it.Value))
		case it.Block != nil:
			blocked[path.Prefix.String()] = it.Block.Code
		default:
			announced[path.Prefix.String()] = [2]string{path.Communities.String(), path.LocalPref.String()}
		}
	}
	wantAnnounced := map[string][2]string{}
	for prefix, a := range want.Announced {
		wantAnnounced[prefix] = [2]string{a.Communities, a.LocalPref}
	}
	if diff := cmp.Diff(wantAnnounced, announced); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Blocked, blocked); diff != "" {
		t.Errorf("blocked (-want +got):\n%s", diff)
	}
	for target, code := range want.Not {
		if got := firstCode(t, driver, snap, target); got != code {
			t.Errorf("%s: got code %q, want %v", target, got, code)
		}
	}
	var reported []string
	for _, s := range res.Skipped {
		reported = append(reported, s.Code+" "+s.Text)
	}
	for code, addrs := range want.Status {
		for _, a := range addrs {
			if !slices.ContainsFunc(reported, func(r string) bool { return strings.HasPrefix(r, code+" "+a) }) {
				t.Errorf("%s of %s is not reported: %q", code, a, reported)
			}
		}
	}
	if len(want.Status) != len(reported) {
		t.Errorf("reported: %q", reported)
	}
}

// firstCode is the code of the first link that fails of an address, or of a service.
func firstCode(t *testing.T, d *kube.Driver, snap observe.Snapshot, target string) string {
	t.Helper()
	var accounts []reason.Account
	if name, ok := strings.CutPrefix(target, "service "); ok {
		namespace, name, _ := strings.Cut(name, "/")
		for _, a := range d.ExplainService(snap, namespace, name) {
			if _, blocked := a.Blocked(); blocked {
				accounts = append(accounts, a)
			}
		}
		if len(accounts) > 1 { // the cluster IP, too
			accounts = slices.DeleteFunc(accounts, func(a reason.Account) bool { return strings.HasPrefix(a.What, "cluster") })
		}
	} else {
		accounts = d.Explain(snap, netip.MustParseAddr(target))
	}
	if len(accounts) != 1 {
		t.Fatalf("%s: accounts %+v", target, accounts)
	}
	step, _ := accounts[0].Blocked()
	return step.Code
}
