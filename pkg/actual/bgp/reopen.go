package bgp

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	api "github.com/osrg/gobgp/v4/api"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker"
)

// Reopen lets our peers connect again whose session ended at least after ago because the
// neighbour had exceeded its prefix limit: GoBGP leaves them shut for ever. One that still
// announces too much is shut again. It returns when the next one is due; the zero time if
// none is shut.
func (b *Backend) Reopen(ctx context.Context, after time.Duration) (next time.Time, err error) {
	list, err := b.speaker.Peers(ctx, "")
	if err != nil {
		return time.Time{}, err
	}
	for _, p := range list {
		address := p.GetConf().GetNeighborAddress()
		if !speaker.IsOurPeer(p) || !overLimit(p) || speaker.StateOf(p) == Established {
			continue
		}
		due := b.speaker.Sessions.Of(address).Since.Add(after)
		if due.After(time.Now()) {
			if next.IsZero() || due.Before(next) {
				next = due
			}
			continue
		}
		if err := b.enable(ctx, address); err != nil {
			return next, err
		}
		b.log.Info("peer may connect again after it had exceeded its prefix limit", slog.String("peer", address))
	}
	return next, nil
}

// enable lets a peer of ours connect, unless its configuration is being changed.
func (b *Backend) enable(ctx context.Context, address string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now, err := b.ourPeer(ctx, address)
	if err != nil || now == nil || !overLimit(now) {
		return err
	}
	if err := b.speaker.EnablePeer(ctx, &api.EnablePeerRequest{Address: address}); err != nil {
		return fmt.Errorf("let peer %s connect again: %w", address, err)
	}
	return nil
}
