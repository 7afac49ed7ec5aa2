package drivers_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/evidence"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/story"
)

// rowChange is one row of a world deleted or cleared, and that row as it was.
type rowChange struct {
	what string
	port *observe.PortBinding // nil for other tables
	sb   *observe.Southbound
}

// singleChanges are all ways in which one row of a database can be deleted, or one of
// its columns cleared.
func singleChanges(sb *observe.Southbound) []rowChange {
	var out []rowChange
	add := func(what string, port *observe.PortBinding, change func(*observe.Southbound)) {
		next := &observe.Southbound{
			Chassis: slices.Clone(sb.Chassis), Datapaths: slices.Clone(sb.Datapaths), Ports: sb.Ports,
			Balancers: slices.Clone(sb.Balancers), DPGroups: slices.Clone(sb.DPGroups),
			Advertised: sb.Advertised, MACs: sb.MACs, Learned: sb.Learned,
		}
		change(next)
		out = append(out, rowChange{what, port, next})
	}
	for p := range sb.Ports.All() {
		add("delete Port_Binding "+p.LogicalPort, p, func(sb *observe.Southbound) {
			story.ReplacePort(sb, p, nil)
		})
		for column, clear := range map[string]func(*observe.PortBinding){
			"chassis":       func(p *observe.PortBinding) { p.Chassis = observe.UUID{} },
			"mac":           func(p *observe.PortBinding) { p.Addresses, p.RawMAC, p.Unknown = nil, nil, false },
			"nat_addresses": func(p *observe.PortBinding) { p.NAT, p.RawNAT = nil, nil },
			"options":       func(p *observe.PortBinding) { p.Options = nil },
			"external_ids":  func(p *observe.PortBinding) { p.ExternalIDs = nil },
			"datapath":      func(p *observe.PortBinding) { p.Datapath = observe.UUID{} },
			"type":          func(p *observe.PortBinding) { p.Type = "" },
			"tag":           func(p *observe.PortBinding) { p.Tag = 0 },
		} {
			add("clear "+column+" of Port_Binding "+p.LogicalPort, p, func(sb *observe.Southbound) {
				q := *p
				clear(&q)
				story.ReplacePort(sb, p, &q)
			})
		}
	}
	for i := range sb.Datapaths {
		add("delete a Datapath_Binding", nil, func(sb *observe.Southbound) {
			sb.Datapaths = slices.Delete(sb.Datapaths, i, i+1)
		})
	}
	for i := range sb.DPGroups {
		add("delete a Logical_DP_Group", nil, func(sb *observe.Southbound) {
			sb.DPGroups = slices.Delete(sb.DPGroups, i, i+1)
		})
	}
	return out
}

// mayEnd reports whether a change to the row alone may prove that an address has ended
// or is elsewhere: the row is that of the port that has the address, or of the port
// whose binding decides. On all other rows addresses of others stand.
func mayEnd(p *observe.PortBinding, why []object.Source) bool {
	if p == nil {
		return false
	}
	has := slices.Contains([]string{
		observe.PortVIF, observe.PortVirtual, observe.PortChassisRedirect, observe.PortL3Gateway,
	}, p.Type)
	return slices.ContainsFunc(why, func(s object.Source) bool {
		return s.Table == "Port_Binding" && s.Row == p.LogicalPort && (has || s.Decides)
	})
}

// What comes from rows of the Southbound database has a row that can prove something: without
// one it would go with any row that is missing.
func TestEveryPathHasEvidence(t *testing.T) {
	for _, w := range worlds(t) {
		for name, view := range w.views {
			for _, d := range everything() {
				for _, it := range desired.Compute(view, nil, d).Want.Only(object.KindsThat(object.Kind.IsPath)...).Sorted() {
					rows := slices.ContainsFunc(it.Why, func(s object.Source) bool {
						return s.Table == "Port_Binding" || s.Table == "Datapath_Binding" || s.Table == observe.TableAdvertisedRoute
					})
					if v := evidence.Judge(it.Value.Key(), it.Why, view); rows && v.Class == evidence.NotRows {
						t.Errorf("%s on %s: %s: nothing among %+v is evidence", w.name, name, it.Value.Key().Text(), it.Why)
					}
				}
			}
		}
	}
}

// Deleting or clearing any single row never withdraws at once an address that this row
// does not decide.
func TestNoSingleRowWithdrawsTheAddressesOfOthers(t *testing.T) {
	lost, held := 0, 0
	for _, w := range worlds(t) {
		changes := singleChanges(w.sb)
		for _, name := range slices.Sorted(maps.Keys(w.views)) {
			for _, d := range everything() {
				before := desired.Compute(w.views[name], nil, d).Want
				announced := before.Only(object.KindsThat(object.Kind.IsPath)...).Sorted()
				if len(announced) == 0 {
					continue
				}
				for _, c := range changes {
					view := w.views[name]
					view.SB = c.sb
					after := desired.Compute(view, nil, d).Want
					for _, it := range announced {
						if it.Block != nil || after.Has(it.Value.Key()) {
							continue
						}
						lost++
						switch v := evidence.Judge(it.Value.Key(), it.Why, view); v.Class {
						case evidence.Unbound, evidence.Unexplained:
							held++
						default:
							if !mayEnd(c.port, it.Why) {
								t.Errorf("%s on %s: %s: %s would go at once: %s, %s\nwhy %+v",
									w.name, name, c.what, it.Value.Key().Text(), v.Class, v.Text, it.Why)
							}
						}
					}
				}
			}
		}
	}
	t.Logf("%d times one row cost an address, %d of them are held", lost, held)
	if lost < 1000 || held < lost/4 {
		t.Errorf("%d losses, %d held: too few to show anything", lost, held)
	}
}

// A database that is disconnected or empty proves nothing of any address.
func TestNothingIsProvedByAbsence(t *testing.T) {
	seen := 0
	for _, w := range worlds(t) {
		for name, view := range w.views {
			for _, d := range everything() {
				want := desired.Compute(view, nil, d).Want
				for _, it := range want.Only(object.KindsThat(object.Kind.IsPath)...).Sorted() {
					stale, unknown := *view.SB, *view.OVS
					stale.Stale, unknown.Stale = "connection refused", "connection refused"
					gone := view
					gone.SB = &stale
					seen++
					if v := evidence.Judge(it.Value.Key(), it.Why, gone); v.Class == evidence.Elsewhere || v.Class == evidence.Ended {
						t.Errorf("%s on %s: %s: %+v", w.name, name, it.Value.Key().Text(), v)
					}
					gone = view
					gone.OVS = &unknown
					if v := evidence.Judge(it.Value.Key(), it.Why, gone); v.Class == evidence.Elsewhere || v.Class == evidence.Ended {
						t.Errorf("%s on %s without Open_vSwitch: %s: %+v", w.name, name, it.Value.Key().Text(), v)
					}
				}
			}
		}
	}
	if seen == 0 {
		t.Error("nothing was announced")
	}
}
