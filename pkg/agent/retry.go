package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// Retry has what waits tried again at once.
func (n *Node) Retry(_ context.Context, text string) (control.Retried, error) {
	out := control.Retried{Version: control.Version, Objects: []control.RetriedObject{}}
	for _, k := range n.ctl.Retry(text) {
		out.Objects = append(out.Objects, control.RetriedObject{Kind: k.Kind.String(), Key: k.String()})
	}
	if text == "" {
		for _, h := range n.quarantine.read() { // what is read outlives this process
			if was, err := n.quarantine.record.Release(h.Peer, time.Now()); err == nil && was {
				out.Objects = append(out.Objects, control.RetriedObject{Kind: object.KindPeer.String(), Key: h.Peer})
				n.speaker.Wake()
			}
		}
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

// setAside tells of the objects that are in quarantine, as one problem.
func (s *statusReport) setAside(list []reconcile.Quarantined) {
	for _, q := range list {
		s.Quarantine = append(s.Quarantine, control.QuarantinedObject{
			Kind: q.Key.Kind.String(), Key: q.Key.String(), Reason: q.Why, Failing: q.Failing, Since: q.Since,
			Tries: q.Tries, Next: q.Next,
		})
		f := s.problem("quarantined", fmt.Sprintf("%s is set aside: attempt %d failed: %s; tried again at %s", q.Key.Text(),
			q.Tries, q.Why, clock(q.Next.Local())), "mend what the message names, then bgp-ovn retry "+q.Key.Text())
		f.Since, f.Like = q.Failing, "quarantined"
	}
}
