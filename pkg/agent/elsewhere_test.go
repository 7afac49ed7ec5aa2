package agent

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach/elsewhere"
)

// announcedElsewhere: the neighbour announces the address of the VM here, too, at first with
// itself as the next hop, then with that of the other chassis, and then no more.
func announcedElsewhere(t *testing.T, c *control.Client, peer *speakertest.Peer) {
	t.Helper()
	ours := netip.PrefixFrom(here, 32)
	status := func(missing func(control.Status) string) {
		t.Helper()
		await(t, func() string {
			s, err := c.Status(t.Context())
			if err != nil {
				return err.Error()
			}
			return missing(s)
		})
	}
	status(hasProblem("announced-elsewhere", ours.String()+" is announced by "+tablePeer.String()))
	e, err := c.Explain(t.Context(), here.String())
	if err != nil || e.Elsewhere == nil || !strings.Contains(e.String(), "ANNOUNCED ELSEWHERE: by 127.0.0.2") {
		t.Errorf("explain has nothing of it: %v\n%s", err, e.String())
	}
	hv2 := netip.MustParseAddr("192.0.2.2") // the tunnel address of chassis hv2
	moved := speakertest.UpdateMessage(speakertest.Usual(hv2, speakertest.AS, 65007), ours)
	if err := peer.Write(moved); err != nil {
		t.Fatal(err)
	}
	status(hasProblem("announced-elsewhere", "chassis hv2"))
	if err := peer.Write(speakertest.WithdrawMessage(ours)); err != nil {
		t.Fatal(err)
	}
	status(func(s control.Status) string {
		if s.Elsewhere.Count > 0 || slices.Contains(problemCodes(s), "announced-elsewhere") {
			return fmt.Sprintf("%+v", s.Elsewhere)
		}
		return ""
	})
}

// An overlap that is as short as a move is no problem; one that lasts is, with the time since
// which it lasts, and once it has been away the time begins anew.
func TestOverlapsHold(t *testing.T) {
	log := &lockedBuffer{}
	o := newOverlaps(slog.New(slog.NewTextHandler(log, nil)))
	a := elsewhere.Finding{Prefix: netip.MustParsePrefix("203.0.113.7/32"), NextHop: netip.MustParseAddr("192.0.2.7")}
	a.Announced = a.Prefix
	b := a
	b.Prefix = netip.MustParsePrefix("203.0.113.8/32")
	b.Announced = b.Prefix
	began := time.Unix(1000, 0)
	for _, step := range []struct {
		after time.Duration
		found []elsewhere.Finding
		want  int
	}{
		{0, []elsewhere.Finding{a}, 0},
		{elsewhereHold - 1, []elsewhere.Finding{a}, 0}, // the move takes long
		{elsewhereHold + 1, nil, 0},
		{elsewhereHold + 2, []elsewhere.Finding{a}, 0},
		{2*elsewhereHold + 1, []elsewhere.Finding{a, b}, 0},
		{2*elsewhereHold + 2, []elsewhere.Finding{a, b}, 1},
		{3*elsewhereHold + 2, []elsewhere.Finding{a, b}, 2},
		{3*elsewhereHold + 3, []elsewhere.Finding{b}, 1},
		{3*elsewhereHold + 4, nil, 0},
	} {
		now := began.Add(step.after)
		o.take(step.found, now)
		got := o.report(now)
		if got.Count != step.want || len(got.Prefixes) != step.want {
			t.Errorf("after %s: %+v, want %d", step.after, got, step.want)
		}
		if (o.of(a.Prefix.Addr(), now) != nil) != slices.ContainsFunc(got.Prefixes, func(p control.ElsewherePrefix) bool {
			return p.Prefix == a.Prefix
		}) {
			t.Errorf("after %s explain and status differ", step.after)
		}
	}
	if text := log.String(); strings.Count(text, "level=WARN") != 1 || strings.Count(text, "level=INFO") != 1 {
		t.Errorf("the log does not have its beginning and its end once each:\n%s", text)
	}
}

// However much is announced elsewhere, an answer lists a bounded part.
func TestOverlapsBounded(t *testing.T) {
	o := newOverlaps(slog.New(slog.DiscardHandler))
	var found []elsewhere.Finding
	for i := range 10_000 {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 32)
		found = append(found, elsewhere.Finding{Prefix: p, Announced: p})
	}
	now := time.Unix(1000, 0)
	o.take(found, now)
	got := o.report(now.Add(elsewhereHold))
	if got.Count != len(found) || len(got.Prefixes) != elsewhereListed {
		t.Errorf("%d counted, %d listed", got.Count, len(got.Prefixes))
	}
}
