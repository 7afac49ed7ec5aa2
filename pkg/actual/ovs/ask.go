package ovs

import "context"

// Ask asks a bridge for its description, over the socket and in the versions of
// OpenFlow that changes of flows go by. Nil means that it answers.
func (b *Backend) Ask(ctx context.Context, bridge string) error {
	if err := checkBridge(bridge); err != nil {
		return err
	}
	_, err := b.tool.run(ctx, nil, "-O", bundleVersion, "show", b.tool.target(bridge))
	return err
}
