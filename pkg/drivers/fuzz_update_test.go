package drivers_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// still is a source whose value does not change.
type still[T any] struct{ value *T }

func (s still[T]) Changed() <-chan struct{}         { return nil }
func (s still[T]) Read(context.Context) (*T, error) { return s.value, nil }

// scene is what a node knows before an update: the rows of the Southbound database as
// text, and the rest.
type scene struct {
	view observe.Snapshot
	rows map[string][]byte // by table
}

// extras give the scenes what the stories of drivers do without: addresses of the node
// itself, a balancer, a floating IP and a chassis's address.
const extras = `device eth0 mac 02:00:00:00:00:01
address 10.1.2.3/24 dev eth0
port web on dp-priv mac "fa:16:3e:0d:51:23 10.0.0.6" chassis gw-1 up
set gw1 nat 'fa:16:3e:74:e6:3b 172.24.4.150 is_chassis_resident("web")'
balancer l1 vip 172.24.4.160:80 ls dp-pub lr dp-r1
`

func scenes(f *testing.F) []scene {
	f.Helper()
	var out []scene
	for _, name := range []string{"base", "evpn"} {
		s, err := story.Parse("include " + name + "\n" + extras)
		if err != nil {
			f.Fatal(err)
		}
		view, err := s.Snapshot("gw-1")
		if err != nil {
			f.Fatal(err)
		}
		sc := scene{view, map[string][]byte{}}
		for _, table := range view.SB.Tables {
			if sc.rows[table], err = sb.Database.AppendRows(nil, view.SB, table); err != nil {
				f.Fatal(err)
			}
		}
		if n := desired.Compute(view, nil, drivers(everything())...).Want.Len(); n < 10 {
			f.Fatalf("%s: %d objects are wanted, too few to lose any", name, n)
		}
		out = append(out, sc)
	}
	return out
}

// drivers are the same drivers without what explains.
func drivers(all []explaining) []desired.Driver {
	var out []desired.Driver
	for _, d := range all {
		out = append(out, d)
	}
	return out
}

// store holds the rows of the scene.
func (sc scene) store(t testing.TB) *wire.Store[observe.Southbound] {
	t.Helper()
	store, err := sb.Database.NewStore(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range sc.view.SB.Tables {
		if err := store.ReadList(wire.NewDecoder(bytes.NewReader(sc.rows[table])), table); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// updates are what ovsdb-server could send: each row deleted, added again under another
// UUID, and changed in each column to what the next row of its table has there.
func updates(f *testing.F, sc scene) []string {
	f.Helper()
	var out []string
	for _, table := range sc.view.SB.Tables {
		var rows []map[string]json.RawMessage
		if err := json.Unmarshal(sc.rows[table], &rows); err != nil {
			f.Fatal(err)
		}
		var ids []string
		for _, row := range rows {
			var id string
			if err := json.Unmarshal(row["_uuid"], &id); err != nil {
				f.Fatal(err)
			}
			ids = append(ids, id)
			delete(row, "_uuid")
		}
		for i, row := range rows {
			change := func(id, update string) {
				out = append(out, fmt.Sprintf(`{%q: {%q: %s}}`, table, id, update))
			}
			change(ids[i], `{"delete": null}`)
			copied, err := json.Marshal(row)
			if err != nil {
				f.Fatal(err)
			}
			change(story.UUID("another "+ids[i]).String(), `{"insert": `+string(copied)+`}`)
			for column, value := range rows[(i+1)%len(rows)] {
				change(ids[i], fmt.Sprintf(`{"modify": {%q: %s}}`, column, value))
			}
		}
	}
	return out
}

// FuzzSouthbound applies an update of any text to the rows of a scene, as it comes from a
// database, and derives and explains what follows of it.
func FuzzSouthbound(f *testing.F) {
	all := scenes(f)
	for i := range all {
		for _, text := range updates(f, all[i]) {
			f.Add(byte(i), []byte(text))
		}
	}
	f.Add(byte(0), []byte(`{"Encap": {"`+story.UUID("encap").String()+
		`": {"insert": {"ip": "10.0.0.5", "type": "geneve", "chassis_name": "cmp-1"}}}}`))
	f.Fuzz(func(t *testing.T, which byte, text []byte) {
		sc := all[int(which)%len(all)]
		store := sc.store(t)
		changed, err := store.ReadUpdate(wire.NewDecoder(bytes.NewReader(text)))
		if err != nil || !changed {
			return
		}
		join := &observe.Join{
			SB: still[observe.Southbound]{store.Publish()}, OVS: still[observe.OpenVSwitch]{sc.view.OVS},
			Host: still[observe.Host]{sc.view.Host},
		}
		if sc.view.Learned != nil {
			join.Learned = still[observe.Learned]{sc.view.Learned}
		}
		snap, err := join.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		derive(t, snap)
	})
}
