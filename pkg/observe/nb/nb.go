// Package nb watches the OVN Northbound database for the few rows that say what
// the Southbound one does not: which routers translate source addresses. It is
// the session of package sb with other tables, and like it never writes.
//
// Read next: package sb for the session, wire.Northbound for the tables.
package nb

import (
	"context"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/sb/wire"
)

// Source keeps the rows of the Northbound database current. It implements
// observe.Source[*observe.Northbound].
type Source = sb.Follower[observe.Northbound]

// Open starts to watch the database; see sb.Follow. Any member or relay of the
// cluster will do.
func Open(ctx context.Context, cfg sb.Config) (*Source, error) {
	return sb.Follow(ctx, wire.Northbound, cfg)
}
