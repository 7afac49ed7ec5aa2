package expose

import (
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// allocateTables gives each bridge its routing table (family T): the one that
// rt_tables names after the bridge; else the low end of the range plus the
// bridge's position, like its addresses; else, where another owner uses that, the
// lowest free number. It is a function of the snapshot, so that a restart with
// an empty memory arrives at the same numbers. A name for one of the kernel's own
// tables is reported and counts for nothing.
func allocateTables(bridges []*Bridge, host *observe.Host, opts Options) []observe.Skip {
	var skips []observe.Skip
	taken := map[uint32]bool{}
	for _, table := range []uint32{object.TableUnspec, object.TableDefault, object.TableMain, object.TableLocal} {
		taken[table] = true
	}
	named := map[string]uint32{}
	if host != nil {
		for _, t := range host.Tables {
			if t.Name != "" || t.Foreign {
				taken[t.ID] = true
			}
			if t.Name != "" {
				named[t.Name] = t.ID
			}
		}
	}
	for _, b := range bridges {
		table, ok := named[b.Name]
		if ok && object.TableReserved(table) {
			skips = append(skips, observe.Skip{
				Table: "Bridge", Row: b.Name, Code: observe.SkipDegraded,
				Text: fmt.Sprintf("rt_tables gives bridge %s table %d, which is the kernel's own: another one is used; "+
					"name one from %d to %d, or none", b.Name, table, opts.TableMin, opts.TableMax),
			})
			continue
		}
		b.Table = table
	}
	for _, b := range bridges {
		want := opts.TableMin + uint32(b.Position)
		if b.Table == 0 && want <= opts.TableMax && !taken[want] {
			b.Table = want
			taken[want] = true
		}
	}
	for _, b := range bridges {
		for id := opts.TableMin; b.Table == 0 && id <= opts.TableMax; id++ {
			if !taken[id] {
				b.Table = id
				taken[id] = true
			}
		}
		if b.Table == 0 && b.block == nil {
			b.block = &object.Block{
				Code: object.BlockNotWired,
				Text: "no routing table is free for bridge " + b.Name + "; widen routing.table_range or name one in " +
					"/etc/iproute2/rt_tables",
			}
		}
	}
	return skips
}
