package view

import (
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Quarantine prints what is set aside, each with why and when it is tried again.
func Quarantine(w io.Writer, form Form, s control.Status) error {
	a := control.AsideOf(s)
	var b strings.Builder
	for _, q := range a.Objects {
		fmt.Fprintf(&b, "%s %s\n", q.Kind, q.Key)
		if q.Code == object.BlockFlapping {
			fmt.Fprintf(&b, "  since %s, coming and going since %s; %d withdrawals\n  announced again at %s if it stays\n",
				clock(q.Since.Local()), clock(q.Failing.Local()), q.Tries, clock(q.Next.Local()))
			continue
		}
		fmt.Fprintf(&b, "  since %s, failing since %s; %d attempts, the next one at %s\n", clock(q.Since.Local()),
			clock(q.Failing.Local()), q.Tries, clock(q.Next.Local()))
		block(&b, "  reason: ", q.Reason)
	}
	for _, p := range a.Peers {
		fmt.Fprintf(&b, "peer %s\n  its messages ended the speaker, last at %s; configured again at %s\n", p.Peer,
			clock(p.Last.Local()), clock(p.Until.Local()))
	}
	if b.Len() == 0 {
		b.WriteString("nothing is set aside\n")
	}
	return Print(w, form, a, b.String())
}
