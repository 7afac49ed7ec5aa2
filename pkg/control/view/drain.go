package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// Drain prints how far a drain is.
func Drain(w io.Writer, form Form, d control.Drain) error { return Print(w, form, d, DrainText(d)) }

// DrainText is how far a drain is, for people.
func DrainText(d control.Drain) string {
	var b strings.Builder
	switch {
	case d.Phase == "":
		b.WriteString("in service\n")
	case d.SafeToStop:
		fmt.Fprintf(&b, "safe to stop: %s withdrawn\n", plural(d.Withdrawn, "path"))
	case d.Left == 0 && d.OnlyHere == 0:
		fmt.Fprintf(&b, "draining: %s announced as a last resort", plural(d.Lowered, "path"))
		if d.Until != nil {
			b.WriteString(", withdrawn from " + d.Until.Local().Format(time.TimeOnly))
		}
		b.WriteByte('\n')
	default:
		fmt.Fprintf(&b, "not safe to stop: %s left", plural(d.Left, "path"))
		if d.OnlyHere > 0 {
			fmt.Fprintf(&b, ", %d of which nobody else is known to announce", d.OnlyHere)
		}
		b.WriteByte('\n')
		for _, p := range d.Remaining {
			b.WriteString("  " + p.Kind + " " + p.Key + "\n")
		}
		if more := d.Left - len(d.Remaining); more > 0 {
			fmt.Fprintf(&b, "  and %d more\n", more)
		}
		b.WriteString("try: move them to another node, or withdraw them all the same: bgp-ovn drain --force\n")
	}
	if d.NotRemembered != "" {
		fmt.Fprintf(&b, "a restart ends the drain, because the state file cannot be written: %s\n", d.NotRemembered)
	}
	return b.String()
}
