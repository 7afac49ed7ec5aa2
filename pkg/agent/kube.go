package agent

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/flows"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// openKube follows the Kubernetes API and the flows of the bridges that are mapped.
func (src *sources) openKube(ctx context.Context, c *closing, s config.Settings, notes memory) error {
	tool, err := openflow.New("", s.OpenVSwitch.RunDir, 0)
	if err != nil {
		return fmt.Errorf("OpenFlow: %w", err)
	}
	src.kube = kube.Open(ctx, kube.Config{
		Kubeconfig: s.Kube.Kubeconfig, NodeName: func() string { return src.nodeName(ctx, s) },
		EgressIPs: s.Kube.EgressIPs, DrainOnCordon: !s.Kube.KeepCordoned, DrainTime: s.Kube.DrainTime,
		Cordon: cordonMemory{notes}, Logger: src.log,
	})
	c.onClose(src.kube.Close)
	src.flows = flows.Open(flows.Config{Tool: tool, Logger: src.log, Bridges: func() ([]string, bool) {
		v, err := src.ovs.Read(ctx)
		if err != nil {
			return nil, false
		}
		var names []string
		for _, m := range v.Mappings {
			names = append(names, m.Bridge)
		}
		slices.Sort(names)
		return slices.Compact(names), true
	}})
	c.onClose(src.flows.Close)
	src.join.Kube, src.join.Flows = src.kube, src.flows
	return nil
}

// nodeName is the name of the own Node: that of the configuration, or the host name of our
// Chassis row; empty while neither is known.
func (src *sources) nodeName(ctx context.Context, s config.Settings) string {
	if s.Kube.NodeName != "" {
		return s.Kube.NodeName
	}
	sb, err := src.join.SB.Read(ctx)
	if err != nil {
		return ""
	}
	name := s.Chassis
	if v, err := src.ovs.Read(ctx); err == nil && name == "" {
		name = v.SystemID
	}
	if row, ok := sb.ChassisByName(name); ok {
		return row.Hostname
	}
	return ""
}

// kubeEndpoint is the API server, which the node must not cut itself off from; none before
// its address is known.
func (src *sources) kubeEndpoint() []observe.Endpoint {
	if src.kube == nil {
		return nil
	}
	at, err := url.Parse(src.kube.Status().Server)
	if err != nil || at.Hostname() == "" {
		return nil
	}
	e := observe.Endpoint{Remote: "ssl:" + net.JoinHostPort(at.Hostname(), at.Port())}
	if a, err := netip.ParseAddr(at.Hostname()); err == nil {
		e.Session = a
	}
	return []observe.Endpoint{e}
}

// noteCordon is the name under which the state file has when the node was cordoned.
const noteCordon = "kube-cordon"

// notCordoned is what it has of a node that is not.
const notCordoned = "no"

// cordonMemory remembers in the state file when the node was cordoned. A command that only
// reads it keeps nothing.
type cordonMemory struct{ notes memory }

// Recall returns what was kept; what cannot be read was not.
func (m cordonMemory) Recall() (at time.Time, known bool) {
	text := m.notes.Remembered(noteCordon)
	if text == notCordoned {
		return time.Time{}, true
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	return at, err == nil
}

// Keep records it.
func (m cordonMemory) Keep(at time.Time) {
	text := notCordoned
	if !at.IsZero() {
		text = at.UTC().Format(time.RFC3339Nano)
	}
	if notes, ok := m.notes.(reconcile.Notes); ok {
		notes.Remember(noteCordon, text)
	}
}

// followedKube is how the API is followed; false if it is not.
func (src *sources) followedKube() (kube.Status, bool) {
	if src.kube == nil {
		return kube.Status{}, false
	}
	return src.kube.Status(), true
}

// kubernetes tells how the API and the flows of bridges are followed.
func (s *statusReport) kubernetes(src *sources) {
	if src.kube == nil {
		return
	}
	st := src.kube.Status()
	s.kubeAPI(st)
	for _, st := range src.flows.Status() {
		s.bridgeFlows(st)
	}
}

// kubeUp says whether these are followed, for the metrics.
func (src *sources) kubeUp(up map[string]bool) {
	if src.kube == nil {
		return
	}
	up["kubernetes"], up["bridge_flows"] = src.kube.Status().Synced(), true
	for _, st := range src.flows.Status() {
		up["bridge_flows"] = up["bridge_flows"] && st.Fault == ""
	}
}

func (s *statusReport) kubeAPI(st kube.Status) {
	out := control.Source{Name: "Kubernetes", OK: st.Synced(), Remote: st.Server}
	var counts, faults []string
	listed := true
	for _, k := range st.Kinds {
		counts = append(counts, fmt.Sprintf("%d %s", k.Objects, k.Name))
		out.Transactions += k.Events
		out.Copies += k.Lists
		listed = listed && (k.Synced || k.Unserved)
		switch {
		case k.Fault != "":
			faults = append(faults, k.Name+": "+k.Fault)
			if out.Since.IsZero() || k.FaultSince.Before(out.Since) {
				out.Since = k.FaultSince
			}
		case !k.Synced && !k.Unserved:
			faults = append(faults, k.Name+": not listed yet")
		}
	}
	faults = slices.Compact(faults)
	out.Error = strings.Join(faults, "; ")
	out.Text = fmt.Sprintf("%s, %s, %d events, %d whole lists", st.Server, strings.Join(counts, ", "), out.Transactions,
		out.Copies)
	if !out.OK {
		out.Text = out.Error
		try := kube.Remedy(out.Error)
		var f *problem.Finding
		if listed {
			f = s.problem("kube-stale", "the Kubernetes API does not tell of everything: what is known of it stays, and "+
				"nothing is withdrawn because of that: "+out.Error, try)
		} else {
			f = s.problem("kube-not-synced", "the Kubernetes API has not been read yet, nothing is removed meanwhile: "+
				out.Error, try)
		}
		f.Object, f.Since = problem.Object{Kind: problem.KindDatabase, Name: "Kubernetes"}, out.Since
	}
	s.Sources = append(s.Sources, out)
}

func (s *statusReport) bridgeFlows(st flows.Status) {
	out := control.Source{
		Name: "flows of " + st.Bridge, OK: st.Fault == "", Remote: st.Bridge, Since: st.Since, Error: st.Fault,
		Copies: st.Reads,
		Text:   fmt.Sprintf("%d flows that tell of destinations, read %d times", st.Flows, st.Reads),
	}
	if st.Fault != "" {
		out.Text = st.Fault
		f := s.problem("flows-unreadable", "the flows of bridge "+st.Bridge+" cannot be read, they count as they were last: "+
			st.Fault, "ovs-ofctl dump-flows "+st.Bridge)
		f.Object, f.Since = problem.Object{Kind: problem.KindBridge, Name: st.Bridge}, st.Since
	}
	s.Sources = append(s.Sources, out)
}
