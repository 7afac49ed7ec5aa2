package ovs

import "context"

// Ask asks a bridge whether it answers; see openflow.Tool.Ask.
func (b *Backend) Ask(ctx context.Context, bridge string) error { return gone(b.tool.Ask(ctx, bridge)) }
