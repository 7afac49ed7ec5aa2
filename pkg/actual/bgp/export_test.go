package bgp

import (
	"context"
	"time"

	api "github.com/osrg/gobgp/v4/api"
	"github.com/osrg/gobgp/v4/pkg/apiutil"
	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// EncodeEVPN and DecodeEVPN are a path on its way to GoBGP and back, WriteEVPN and
// ReadEVPN the octets between.
func EncodeEVPN(p object.EVPNPath) (*apiutil.Path, error) { return encodeEVPN(p) }

func DecodeEVPN(p *apiutil.Path) (path object.EVPNPath, clean, ok bool) { return decodeEVPN(p) }

func WriteEVPN(p object.EVPNPath) (speaker.Octets, error) { return writeEVPN(p) }

func ReadEVPN(o speaker.Octets) (path object.EVPNPath, clean, ok bool) { return readEVPN(o) }

// Move and ListPaths are bare GoBGP under the backend, for benchmarks.
func (b *Backend) Move(paths []*apiutil.Path) error {
	for _, err := range b.speaker.MovePaths(context.Background(), paths) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Backend) ListPaths() error {
	req := apiutil.ListPathRequest{TableType: api.TableType_TABLE_TYPE_GLOBAL, Family: bgp.RF_IPv4_UC}
	return b.speaker.ListPaths(context.Background(), req, func([]*apiutil.Path) {})
}

// KeepRoom sets how long room for our own paths is kept that is not needed.
func (b *Backend) KeepRoom(d time.Duration) { b.roomKept = d }
