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

// setAside tells of the objects that are in quarantine, as one problem of each code. A path that
// flaps is one only while something asks for it.
func (s *statusReport) setAside(r reconcile.Round) {
	for _, q := range r.Quarantined {
		o := control.QuarantinedObject{
			Code: "quarantined", Kind: q.Key.Kind.String(), Key: q.Key.String(), Reason: q.Why, Failing: q.Failing,
			Since: q.Since, Tries: q.Tries, Next: q.Next,
		}
		if q.Flapping {
			o.Code = object.BlockFlapping
		}
		s.Quarantine = append(s.Quarantine, o)
		if q.Flapping {
			if r.Want.Has(q.Key) {
				f := s.problem("flapping", fmt.Sprintf(
					"%s is set aside since %s: %s; announced again at %s if it stays until then", q.Key.Text(), clock(q.Since.Local()),
					q.Why, clock(q.Next.Local())), "bgp-ovn history "+q.Key.Text()+" shows what comes and goes; then bgp-ovn retry "+
					q.Key.Text()+", or bgp.damping.suppress: 0 for all")
				f.Since, f.Like = q.Since, object.BlockFlapping
			}
			continue
		}
		f := s.problem("quarantined", fmt.Sprintf("%s is set aside: attempt %d failed: %s; tried again at %s", q.Key.Text(),
			q.Tries, q.Why, clock(q.Next.Local())), "mend what the message names, then bgp-ovn retry "+q.Key.Text())
		f.Since, f.Like = q.Failing, "quarantined"
	}
}
