package agent

import (
	"context"
	"errors"
	"fmt"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// Retry has what waits tried again at once.
func (n *Node) Retry(_ context.Context, text string) (control.Retried, error) {
	out := control.Retried{Version: control.Version, Objects: []control.RetriedObject{}}
	for _, k := range n.ctl.Retry(text) {
		out.Objects = append(out.Objects, control.RetriedObject{Kind: k.Kind.String(), Key: k.String()})
	}
	switch {
	case len(out.Objects) > 0:
		n.opts.Log.Info("objects are tried again by command", "count", len(out.Objects))
		return out, nil
	case text != "":
		return out, fmt.Errorf("%.200q does not wait for another attempt; bgp-ovn plan lists what does (backoff, contested)",
			text)
	}
	return out, errors.New("nothing waits for another attempt")
}
