package agent

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
)

// namedRemotes is the Open_vSwitch database as the source that it is, and as what names
// the servers of other databases: each state that is read tells these where they are. So
// a database is followed as soon as that is known, and where it goes.
type namedRemotes struct {
	*ovs.Source
	log *slog.Logger

	mu        sync.Mutex
	last      *observe.OpenVSwitch
	databases []*namedDatabase
	// renamed is called when the node's system-id has changed; may be nil.
	renamed func()
}

// namedDatabase is a database whose servers the Open_vSwitch database names.
type namedDatabase struct {
	title, column string
	named         func(*observe.OpenVSwitch) []string
	retarget      func(remotes []string, missing string) error

	remotes []string // that were taken up last
	said    string   // why those that are named now were not
}

// Read returns the newest state, and tells the databases of it.
func (n *namedRemotes) Read(ctx context.Context) (*observe.OpenVSwitch, error) {
	v, err := n.Source.Read(ctx)
	n.mu.Lock()
	defer n.mu.Unlock()
	if err == nil && v != n.last {
		if n.renamed != nil && (n.last == nil || n.last.SystemID != v.SystemID) {
			defer n.renamed()
		}
		n.last = v
		for _, d := range n.databases {
			d.follow(v, n.log)
		}
	}
	return v, err
}

// add makes a database be told, from the next state on.
func (n *namedRemotes) add(d *namedDatabase) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.databases, n.last = append(n.databases, d), nil
	_ = d.retarget(nil, "waiting for external_ids:"+d.column+" of the Open_vSwitch database") // of none there is no error
}

// complaint is why the servers that are named now are not used; empty if they are.
func (n *namedRemotes) complaint(d *namedDatabase) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return d.said
}

// follow takes up the servers that are named. If there are none any more, or they cannot
// be used, the ones before are: what works is not given up because a setting is missing.
func (d *namedDatabase) follow(v *observe.OpenVSwitch, log *slog.Logger) {
	named := d.named(v)
	said := ""
	switch {
	case len(named) == 0 && len(d.remotes) == 0:
		said = "external_ids:" + d.column + " of the Open_vSwitch database is empty"
		_ = d.retarget(nil, said)
	case len(named) == 0:
		said = fmt.Sprintf("external_ids:%s of the Open_vSwitch database is empty; still using %v", d.column, d.remotes)
	case slices.Equal(named, d.remotes):
	default:
		if err := d.retarget(named, ""); err != nil {
			said = fmt.Sprintf("external_ids:%s of the Open_vSwitch database cannot be used: %v; ", d.column, err)
			if len(d.remotes) == 0 {
				said += "nothing is followed"
				_ = d.retarget(nil, said)
			} else {
				said += fmt.Sprintf("still using %v", d.remotes)
			}
			break
		}
		log.Info("following the "+d.title+" database that Open_vSwitch names", "remotes", named, "before", d.remotes)
		d.remotes = named
	}
	if said != "" && said != d.said {
		log.Warn(said)
	}
	d.said = said
}
