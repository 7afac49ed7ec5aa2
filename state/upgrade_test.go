package state

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.etcd.io/bbolt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// guessed are the relations that the values of a ledger suggest, as texts.
func guessed(t *testing.T, lines ...string) (needs, keeps map[string]string) {
	t.Helper()
	var ledger []Entry
	for _, line := range lines {
		v, err := object.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		ledger = append(ledger, Entry{Value: v})
	}
	needs, keeps = map[string]string{}, map[string]string{}
	list := func(keys []object.Key) string {
		out := texts(keys)
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	for _, e := range reconstruct(ledger) {
		name := e.Value.Key().Text()
		needs[name], keeps[name] = list(e.Relations.After), list(e.Relations.Keeps)
	}
	return needs, keeps
}

func check(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name, text := range want {
		if have, ok := got[name]; !ok || have != text {
			t.Errorf("%s: got %q, want %q", name, have, text)
		}
	}
}

// TestOldPathsNeedTheirRoutes: a path needs the routes that lead to it, of its own
// tenant alone, and the devices of its VNI; where those are not recorded it needs
// one that is not there. A tenant's routes are nothing to a path that is not in a
// VNI, and a route to a part of a prefix is no route to it.
func TestOldPathsNeedTheirRoutes(t *testing.T) {
	needs, _ := guessed(t,
		"link vrf-7 type vrf table 7 up",
		"link br-7 type bridge master vrf-7 up",
		"link vxlan-7 type vxlan id 7 local 192.0.2.1 port 4789 master br-7 nolearning up",
		"link vrf-8 type vrf table 8 up",
		"link br-8 type bridge master vrf-8 up",
		"link vxlan-8 type vxlan id 8 local 192.0.2.1 port 4789 master br-8 nolearning up",
		"route 0.0.0.0/0 table 7 metric 4278198272 unreachable",
		"route 10.0.0.0/8 table 7 metric 20 dev br-7 via 192.0.2.2",
		"route 10.0.0.0/26 table 7 metric 0 dev leg7 via 192.0.2.7",
		"route 10.0.0.0/26 table 8 metric 0 dev leg8 via 192.0.2.8",
		"route 10.0.0.0/26 table 201 metric 0 dev br-ex via 192.0.2.9",
		"route 10.0.0.5/32 table 202 metric 0 dev br-st",
		"route 10.0.0.6/32 table 201 metric 0 dev br-ex",
		"route 10.0.0.0/8 table 254 metric 0 dev eth0",
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:7 next-hop 192.0.2.1 vni 7 rt 1:7 router-mac 02:00:00:00:00:07 origin igp",
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:9 next-hop 192.0.2.1 vni 9 rt 1:9 router-mac 02:00:00:00:00:09 origin igp",
		"evpn type-2 02:00:00:00:00:05 10.0.0.5 rd 192.0.2.1:7 next-hop 192.0.2.1 vni 7 rt 1:7 origin igp",
		"path ipv4-unicast 10.0.0.5/32 next-hop self origin igp",
		"path ipv4-unicast 10.0.0.0/24 next-hop self origin igp",
	)
	check(t, needs, map[string]string{
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:7": "link br-7, link vrf-7, link vxlan-7, route 10.0.0.0/26 " +
			"table 7 metric 0",
		"evpn type-5 10.0.0.5/32 rd 192.0.2.1:9":                "link vxlan-9",
		"evpn type-2 02:00:00:00:00:05 10.0.0.5 rd 192.0.2.1:7": "link br-7, link vrf-7, link vxlan-7",
		"path ipv4-unicast 10.0.0.5/32": "route 10.0.0.0/26 table 201 metric 0, route 10.0.0.5/32 " +
			"table 202 metric 0",
		"path ipv4-unicast 10.0.0.0/24": "",
	})
}

// TestOldObjectsKeepWhatBelongsToThem: routes their rule, neighbours and the flows
// that lead back, devices what is on them, a VRF its unreachable defaults, the bridge
// of a VNI its ports.
func TestOldObjectsKeepWhatBelongsToThem(t *testing.T) {
	_, keeps := guessed(t,
		"device br-ex up",
		"sysctl net/ipv4/conf/br-ex/proxy_arp = 1",
		"sysctl net/ipv4/ip_forward = 1",
		"address 169.254.1.1/32 dev br-ex",
		"proxy 2001:db8:: dev br-ex",
		"neigh 172.24.4.146 dev br-ex lladdr 02:00:00:00:00:46",
		"rule inet priority 32000 lookup 201",
		"rule inet6 priority 32000 lookup 201",
		"route 172.24.4.146/32 table 201 metric 0 dev br-ex",
		"route 10.0.0.0/26 table 201 metric 0 dev br-ex via 172.24.4.146",
		"flow br-ex table 0 priority 900 ip,in_port=1 cookie 0x3e7 actions mod_dl_dst:02:00:00:00:00:01,NORMAL",
		"link vrf-7 type vrf table 7 up",
		"link br-7 type bridge master vrf-7 up",
		"link vxlan-7 type vxlan id 7 local 192.0.2.1 port 4789 master br-7 nolearning up",
		"link leg7 type veth peer plug7 mac 02:00:00:00:07:01 master vrf-7 up",
		"link plug7 type veth peer leg7 up",
		"ovsport plug7 bridge br-ex",
		"ovsport vlan-7 bridge br-ex type internal tag 5 mac 02:00:00:00:07:05",
		"master vlan-7 of vrf-7 up",
		"address 169.254.5.5/32 dev vlan-7",
		"proxy 2001:db8:5:: dev vlan-7",
		"route 0.0.0.0/0 table 7 metric 4278198272 unreachable",
		"route 10.7.0.0/26 table 7 metric 0 dev leg7 via 192.0.2.7",
		"neigh 192.0.2.7 dev leg7 lladdr 02:00:00:00:00:47",
		"flow br-ex table 0 priority 1000 ip,in_port=1,nw_src=10.7.0.0/26 cookie 0x3e6 actions "+
			"mod_dl_dst:02:00:00:00:07:01,output:7",
		"flow br-ex table 0 priority 1000 ip,in_port=1,nw_src=10.8.0.0/26 cookie 0x3e6 actions "+
			"mod_dl_dst:02:00:00:00:07:01,output:7",
		"route 10.9.0.0/24 table 7 metric 20 dev br-7 via 192.0.2.2",
		"neigh 192.0.2.2 dev br-7 lladdr 02:00:00:00:00:22 extern_learn",
		"fdb self 02:00:00:00:00:22 dev vxlan-7 dst 192.0.2.2",
	)
	check(t, keeps, map[string]string{
		"device br-ex": "address 169.254.1.1/32 dev br-ex, sysctl net/ipv4/conf/br-ex/proxy_arp",
		"route 172.24.4.146/32 table 201 metric 0": "neigh 172.24.4.146 dev br-ex, rule inet priority 32000 lookup 201",
		"route 10.0.0.0/26 table 201 metric 0":     "neigh 172.24.4.146 dev br-ex, rule inet priority 32000 lookup 201",
		"link vrf-7":                               "route 0.0.0.0/0 table 7 metric 4278198272",
		"link br-7":                                "link vxlan-7",
		"link leg7":                                "ovsport plug7",
		"ovsport vlan-7": "address 169.254.5.5/32 dev vlan-7, master vlan-7, proxy " +
			"2001:db8:5:: dev vlan-7",
		"route 10.7.0.0/26 table 7 metric 0": "flow br-ex table 0 priority 1000 ip,in_port=1,nw_src=10.7.0.0/26, " +
			"neigh 192.0.2.7 dev leg7",
		"route 10.9.0.0/24 table 7 metric 20":       "fdb self 02:00:00:00:00:22 dev vxlan-7, neigh 192.0.2.2 dev br-7",
		"route 0.0.0.0/0 table 7 metric 4278198272": "",
		"neigh 172.24.4.146 dev br-ex":              "",
	})
}

// oldFile unpacks a file of testdata.
func oldFile(t *testing.T, name string) string {
	t.Helper()
	packed, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	r, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	at := file(t)
	if err := os.WriteFile(at, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return at
}

// stored are the entries of a file, as text.
func stored(t *testing.T, at string) map[string]map[string]any {
	t.Helper()
	db, err := bbolt.Open(at, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	out := map[string]map[string]any{}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucketLedger).ForEach(func(k, v []byte) error {
			if v[0] == entryVersion {
				entry, err := newDecoder().decode(v)
				if err != nil {
					return err
				}
				if v, err = appendLine(nil, entry); err != nil {
					return err
				}
			}
			var e map[string]any
			if err := json.Unmarshal(v, &e); err != nil {
				return err
			}
			out[string(k)] = e
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOldFilesAreUpgraded: what a program of version 1 wrote survives, and what it
// did not write is there; the file is rewritten once, and not at all when it is
// opened for reading only.
func TestOldFilesAreUpgraded(t *testing.T) {
	for name, paths := range map[string]int{"v1-bgp.db": 3, "v1-evpn.db": 2, "v1-evpn-tenant.db": 1, "v2-bgp.db": 4} {
		t.Run(name, func(t *testing.T) {
			at := oldFile(t, name)
			before := stored(t, at)
			raw, err := os.ReadFile(at)
			if err != nil {
				t.Fatal(err)
			}
			ro, err := OpenReadOnly(at, clock)
			if err != nil {
				t.Fatal(err)
			}
			completeLedger(t, ro, before, paths)
			ro.Close()
			if now, err := os.ReadFile(at); err != nil || !bytes.Equal(raw, now) {
				t.Errorf("reading changed the file (%v)", err)
			}

			db := open(t, at)
			if db.Writes() != 1 {
				t.Errorf("the upgrade took %d transactions, want 1", db.Writes())
			}
			known := completeLedger(t, db, before, paths)
			past, err := db.History(history.Filter{})
			if err != nil || len(past.Steps) == 0 || (past.Steps[0].Line == "") != (name == "v2-bgp.db") {
				t.Errorf("history: %+v, %v", past, err)
			}
			db = reopen(t, db, at)
			if db.Writes() != 0 {
				t.Errorf("the second opening wrote %d times", db.Writes())
			}
			if again := completeLedger(t, db, before, paths); again != known {
				t.Errorf("after the second opening got\n%s\nwant\n%s", again, known)
			}
			db.Close()
			sameButRelations(t, before, stored(t, at))
		})
	}
}

// completeLedger checks a ledger against the entries of the old file and returns
// all of it as text.
func completeLedger(t *testing.T, db *DB, before map[string]map[string]any, paths int) string {
	t.Helper()
	var b strings.Builder
	count := 0
	for _, kind := range object.Kinds() {
		for _, k := range db.Keys(kind) {
			count++
			if _, ok := before[k.Text()]; !ok {
				t.Errorf("%s came out of nowhere", k.Text())
			}
		}
	}
	if count != len(before) {
		t.Errorf("got %d keys, want %d", count, len(before))
	}
	known := db.LastKnown()
	for _, it := range known.Sorted() {
		fmt.Fprintln(&b, object.Text(it.Value), it.Why, texts(it.After), texts(it.Shared), texts(it.Keeps))
		k := it.Value.Key()
		if k.Kind.IsPath() {
			paths--
			if len(it.After) == 0 {
				t.Errorf("%s needs nothing", k.Text())
			}
		}
		for _, need := range append(it.After, it.Keeps...) {
			if !db.Owned(need) {
				t.Errorf("%s needs %s, which is not in the ledger", k.Text(), need.Text())
			}
		}
		if line := before[k.Text()]["line"]; line != object.Text(it.Value) {
			t.Errorf("got %q, want %q", object.Text(it.Value), line)
		}
	}
	if paths != 0 {
		t.Errorf("%d paths more are to be last known", paths)
	}
	return b.String()
}

func texts(keys []object.Key) []string {
	var out []string
	for _, k := range keys {
		out = append(out, k.Text())
	}
	return out
}

// sameButRelations compares entries on disk: nothing is lost or changed.
func sameButRelations(t *testing.T, before, after map[string]map[string]any) {
	t.Helper()
	for k, e := range before {
		now := after[k]
		for _, field := range []string{"v", "needs", "shared_needs", "keeps", "sum"} {
			delete(now, field)
			delete(e, field)
		}
		if diff := cmp.Diff(e, now); diff != "" {
			t.Errorf("%s (-was +is):\n%s", k, diff)
		}
	}
}

// TestStartKeepsWhatIsKnown: a controller that starts on a file of version 2 knows of each entry what
// it needs and keeps as it was recorded, and does not guess.
func TestStartKeepsWhatIsKnown(t *testing.T) {
	at := oldFile(t, "v2-bgp.db")
	err := func() error { // one relation that no value suggests
		db, err := bbolt.Open(at, 0o600, nil)
		if err != nil {
			return err
		}
		defer db.Close()
		return db.Update(func(tx *bbolt.Tx) error {
			b := tx.Bucket(bucketLedger)
			path := []byte("path ipv4-unicast 172.24.4.92/32")
			var e map[string]any
			if err := json.Unmarshal(b.Get(path), &e); err != nil {
				return err
			}
			delete(e, "sum")
			e["needs"] = []string{"sysctl net/ipv4/ip_forward"}
			raw, err := json.Marshal(e)
			if err != nil {
				return err
			}
			return b.Put(path, raw)
		})
	}()
	if err != nil {
		t.Fatal(err)
	}
	said := func(db *DB) string {
		lines, err := db.Lines()
		if err != nil {
			t.Fatal(err)
		}
		return string(lines)
	}
	ro, err := OpenReadOnly(at, clock)
	if err != nil {
		t.Fatal(err)
	}
	want := said(ro)
	ro.Close()
	db := started(t, at, Identity{})
	if got := said(db); got != want || !strings.Contains(got, `"needs":["sysctl net/ipv4/ip_forward"]`) {
		t.Errorf("a start knows\n%s\nwant\n%s", got, want)
	}
	db.Close()
	again := open(t, at)
	if got := said(again); got != want {
		t.Errorf("afterwards the file has\n%s\nwant\n%s", got, want)
	}
}
