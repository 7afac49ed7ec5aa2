package agent

import (
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// answersOf asks everything that changes nothing, and returns the answers by the name of
// their schema.
func answersOf(t *testing.T, c control.Controller) map[string]any {
	t.Helper()
	ctx := t.Context()
	out := map[string]any{}
	add := func(name string, v any, err error) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		out[name] = v
	}
	status, err := c.Status(ctx)
	add("status", status, err)
	plan, err := c.Plan(ctx)
	add("plan", plan, err)
	desired, err := c.Desired(ctx)
	add("desired", desired, err)
	explained, err := c.Explain(ctx, here.String())
	add("explain", explained, err)
	found, err := c.Find(ctx, "vm-a")
	add("found", found, err)
	trace, err := c.Trace(ctx, control.TraceQuestion{To: here, From: "lo", Src: netip.MustParseAddr("192.0.2.1")})
	add("trace", trace, err)
	evpn, err := c.EVPN(ctx, 0)
	add("evpn", evpn, err)
	audit, err := c.Audit(ctx, false)
	add("audit", audit, err)
	past, err := c.History(ctx, history.Filter{Target: "vm-a"})
	add("history", past, err)
	peers, err := c.BGPPeers(ctx, "")
	add("bgp-peers", peers, err)
	sent, err := c.Advertised(ctx, control.RouteQuery{Limit: 9})
	add("bgp-advertised", sent, err)
	reload, err := c.Reload(ctx, true)
	add("reload", reload, err)
	received, err := c.Received(ctx, control.RouteQuery{Limit: 9}, false)
	add("bgp-received", received, err)
	return out
}

// TestAnswersHaveSchemas holds the answers of a running controller to docs/api: while all
// is well, and while its databases are away.
func TestAnswersHaveSchemas(t *testing.T) {
	w := newWorld(t, quietSpeaker)
	c := w.start()
	await(t, w.routed)
	check := func(when string) {
		t.Helper()
		for name, answer := range answersOf(t, c) {
			raw, err := json.Marshal(answer)
			if err == nil {
				err = apischema.Validate("../../docs/api", name, raw)
			}
			if err != nil {
				t.Errorf("%s %s: %v\n%s", name, when, err, raw)
			}
		}
	}
	check("at first")
	h, err := c.History(t.Context(), history.Filter{Target: "vm-a"})
	if err != nil || len(h.Steps) == 0 || len(h.Known) != 1 || h.Known[0] != here.String() {
		t.Errorf("history of a port: %+v, %v", h, err)
	}
	f, err := c.Find(t.Context(), here.String())
	if err != nil || len(f.Matches) != 1 || f.Matches[0].Name != "vm-a" || len(f.Matches[0].Addresses) == 0 ||
		!f.Matches[0].Addresses[0].Announced {
		t.Errorf("found %+v, %v", f, err)
	}
	w.stopServer()
	awaitStatus(t, c, hasProblem("frozen", "deletions"))
	check("without databases")
	s, err := c.Status(t.Context())
	if err != nil || len(s.Sources) != 2 || s.Sources[1].OK || s.Sources[1].Error == "" || s.State != "down" {
		t.Errorf("status %+v, %v", s, err)
	}
	if len(s.Problems) == 0 || strings.Contains(s.Problems[0].Code, "frozen") {
		t.Errorf("problems %+v", s.Problems)
	}
	answer, err := c.Drain(t.Context(), false)
	raw, _ := json.Marshal(answer)
	if err = errors.Join(err, apischema.Validate("../../docs/api", "drain", raw)); err != nil {
		t.Errorf("drain: %v\n%s", err, raw)
	}
	if d, err := c.Undrain(t.Context()); err != nil || d.Phase != "" {
		t.Errorf("undrain: %+v, %v", d, err)
	}
}
