package sb

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

const (
	// clausesMost is how many clauses about ports a server is asked to evaluate for every
	// row; with more the whole database costs it less.
	clausesMost = 500
	// remembered is for how long a port that is no longer bound here is still asked for by
	// name: longer than anything is held because of it.
	remembered = 5 * time.Minute
)

// Local says what a node is that reads only what concerns it.
type Local struct {
	// Chassis is the node's system-id; empty while it is not known, see
	// [ovsdb.Follower.Rescope].
	Chassis func() string
	// Known are ports by which something was announced before the process began.
	Known func() []string
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
	// Now is time.Now if nil.
	Now func() time.Time
}

// OpenLocal is Open for the rows that concern one node. All tables but Port_Binding are
// small and asked for in full. Of that it asks for
//
//   - ports that lead from one network to another, and virtual ports: all of them,
//   - ports that are bound here,
//   - ports that were bound here, by name, so that it is seen who has them or that they
//     are deleted,
//   - all ports of the networks behind a gateway on this node ([observe.Southbound.Served]),
//     and the ports of VIPs of load balancers there.
//
// Where that takes more than 500 clauses it asks for everything and logs it.
func OpenLocal(ctx context.Context, cfg ovsdb.Config, l Local) (*Source, error) {
	if l.Logger == nil {
		l.Logger = slog.Default()
	}
	if l.Now == nil {
		l.Now = time.Now
	}
	v := &localView{Local: l, ours: map[string]time.Time{}}
	for _, name := range l.Known() {
		v.ours[name] = l.Now()
	}
	return ovsdb.FollowPart(ctx, Database, cfg, &ovsdb.View[observe.Southbound]{Of: v.of, Set: v.set})
}

// localView remembers the ports that were bound here.
type localView struct {
	Local
	ours map[string]time.Time // when each was last bound here
	full bool                 // everything is asked for, which has been logged
}

const portTableName = "Port_Binding"

// always are the types of ports that are asked for wherever they are.
var always = []string{
	observe.PortPatch, observe.PortChassisRedirect, observe.PortLocalnet, observe.PortVirtual, observe.PortL3Gateway,
}

// of is the scope that rows lead to.
func (v *localView) of(rows *observe.Southbound) ovsdb.Scope {
	var c ovsdb.Condition
	equal := func(column string, value any) {
		c = append(c, ovsdb.Clause{Column: column, Function: "==", Value: value})
	}
	for _, t := range always {
		equal("type", t)
	}
	chassis := v.Chassis()
	if rows != nil {
		if me, ok := rows.ChassisByName(chassis); ok {
			equal("chassis", ovsdb.Reference(me.UUID.String()))
			v.remember(rows, me.UUID)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.ours)) {
		equal("logical_port", name)
	}
	if rows != nil {
		switches, balancers := rows.Served(chassis)
		for _, u := range switches {
			equal("datapath", ovsdb.Reference(u.String()))
		}
		for _, name := range balancers {
			c = append(c, ovsdb.Clause{
				Column: "external_ids", Function: "includes",
				Value: ovsdb.Pair("neutron:port_name", observe.BalancerPort(name)),
			})
		}
	}
	if full := len(c) > clausesMost; full != v.full {
		v.full = full
		if full {
			v.Logger.Warn("ovn_sb_scope: everything is read: this node would need too many conditions",
				"conditions", len(c), "at most", clausesMost)
		} else {
			v.Logger.Info("ovn_sb_scope: only what concerns this node is read again", "conditions", len(c))
		}
	}
	if v.full {
		return nil
	}
	return ovsdb.Scope{portTableName: c}
}

// remember notes which ports are bound here, and forgets those that were once.
func (v *localView) remember(rows *observe.Southbound, me observe.UUID) {
	now := v.Now()
	for p := range rows.Ports.All() {
		if p.Chassis == me && p.Type == observe.PortVIF {
			v.ours[p.LogicalPort] = now
		}
	}
	for name, at := range v.ours {
		if now.Sub(at) >= remembered {
			delete(v.ours, name)
		}
	}
}

// set tells rows what they were asked for by.
func (v *localView) set(rows *observe.Southbound, scope ovsdb.Scope) {
	if scope == nil {
		return
	}
	asked := &observe.Asked{Ports: map[string]bool{}, Datapaths: map[observe.UUID]bool{}}
	for _, c := range scope[portTableName] {
		switch name, isText := c.Value.(string); {
		case c.Column == "logical_port" && isText:
			asked.Ports[name] = true
		case c.Column == "datapath":
			if u, ok := ovsdb.Referenced(c.Value); ok {
				if id, err := observe.ParseUUID(u); err == nil {
					asked.Datapaths[id] = true
				}
			}
		}
	}
	rows.Asked = asked
}
