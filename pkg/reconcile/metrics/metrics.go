// Package metrics turns rounds into Prometheus metrics. It refuses to decide
// what is healthy: alerts do, see docs/metrics.md.
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/plan"
)

// Metrics is a registry of its own, filled by Observe.
type Metrics struct {
	registry *prometheus.Registry
	rounds   *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	steps    *prometheus.CounterVec
	causes   *prometheus.CounterVec
	drift    *prometheus.CounterVec
	contest  prometheus.Gauge
	objects  *prometheus.GaugeVec
	notes    *prometheus.GaugeVec
	skipped  *prometheus.GaugeVec
	frozen   prometheus.Gauge
	last     prometheus.Gauge
	peers    *prometheus.GaugeVec
	sources  *prometheus.GaugeVec
	// quarantined has the peers of the configuration.
	quarantined *prometheus.GaugeVec
	// state tells of the state file, aside of those that were set aside.
	state prometheus.Gauge
	aside *prometheus.GaugeVec
	// unreachable has announced addresses that are not reachable, by why.
	unreachable *prometheus.GaugeVec
	// elsewhere counts prefixes of ours that somebody else announces.
	elsewhere prometheus.Gauge
}

// New returns an empty registry.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.rounds = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bgp_ovn_rounds_total",
		Help: "Rounds, by whether they changed anything.",
	}, []string{"result"})
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "bgp_ovn_round_seconds", Help: "Duration of the parts of a round in seconds.",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12),
	}, []string{"part"})
	m.steps = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bgp_ovn_steps_total",
		Help: "Steps executed, by kind, verb and outcome.",
	}, []string{"kind", "verb", "outcome"})
	m.causes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bgp_ovn_steps_by_cause_total",
		Help: "Steps executed, by why they were taken: change, drift, retry, start, config or repair.",
	}, []string{"cause"})
	m.drift = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bgp_ovn_drift_total",
		Help: "Objects that others deleted, changed, marked, added or overrode, by kind and by how.",
	}, []string{"kind", "how"})
	for _, k := range object.Kinds() { // from the start: the first increase counts too
		for _, how := range plan.Hows() {
			m.drift.WithLabelValues(k.String(), string(how))
		}
	}
	m.contest = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_contested",
		Help: "Objects that another program keeps changing back.",
	})
	m.objects = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_objects",
		Help: "Objects by kind: wanted, and present as far as they are ours or under our keys.",
	}, []string{"kind", "state"})
	m.notes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_not_as_wanted",
		Help: "Objects that differ from the desired state and that no step will mend now, by code.",
	}, []string{"code"})
	m.skipped = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_skipped_rows",
		Help: "Rows that could not be used, by code.",
	}, []string{"code"})
	m.frozen = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_frozen",
		Help: "1 while nothing may be removed: a database is unreachable, empty, or the fuse has blown.",
	})
	m.last = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_last_round_timestamp_seconds",
		Help: "When the last round began, in seconds since 1970.",
	})
	m.peers = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_peer_up",
		Help: "1 while the session with the peer is established.",
	}, []string{"peer"})
	m.quarantined = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_peer_quarantined",
		Help: "1 while the peer is held down because its messages ended the speaker.",
	}, []string{"peer"})
	m.sources = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_source_up",
		Help: "1 while the database is connected and in step.",
	}, []string{"source"})
	m.state = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_state_file_up",
		Help: "1 while the state file says all that is remembered, 0 while it cannot be written.",
	})
	m.aside = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_state_files_set_aside",
		Help: "State files that were set aside and are still there, by why.",
	}, []string{"reason"})
	m.unreachable = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bgp_ovn_unreachable",
		Help: "Announced addresses, of those that the last check looked at, that packets do not get through to, by why.",
	}, []string{"reason"})
	m.elsewhere = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_announced_elsewhere",
		Help: "Prefixes that this node announces and that somebody else has announced, too, for 10 seconds.",
	})
	m.registry.MustRegister(m.unreachable, m.elsewhere)
	m.registry.MustRegister(m.state, m.aside, m.rounds, m.seconds, m.steps, m.causes, m.drift, m.contest, m.objects,
		m.notes, m.skipped, m.frozen, m.last, m.peers, m.quarantined, m.sources,
		// Memory, goroutines and descriptors of the process itself, under their usual names.
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the registry.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Observe takes in a finished round.
func (m *Metrics) Observe(r reconcile.Round) {
	result := "changed"
	if r.Plan.Empty() {
		result = "empty"
	}
	m.rounds.WithLabelValues(result).Inc()
	m.seconds.WithLabelValues("derive").Observe(r.Derived.Seconds())
	m.seconds.WithLabelValues("read").Observe(r.Read.Seconds())
	m.seconds.WithLabelValues("plan").Observe(r.Planned.Seconds())
	m.seconds.WithLabelValues("execute").Observe(r.Executed.Seconds())
	for i, op := range r.Plan.Ops {
		if i >= len(r.Outcomes) {
			break
		}
		outcome := "ok"
		if r.Outcomes[i] != nil {
			outcome = "failed"
		}
		m.steps.WithLabelValues(op.Key().Kind.String(), op.Verb.String(), outcome).Inc()
		m.causes.WithLabelValues(string(op.Cause)).Inc()
	}
	for k, n := range r.Drift.Counts {
		m.drift.WithLabelValues(k.Kind, string(k.How)).Add(float64(n))
	}
	for _, k := range object.Kinds() {
		m.objects.WithLabelValues(k.String(), "wanted").Set(float64(r.Want.LenOf(k)))
		m.objects.WithLabelValues(k.String(), "present").Set(float64(r.Have.LenOf(k)))
	}
	m.notes.Reset()
	for _, n := range r.Plan.Notes {
		m.notes.WithLabelValues(n.Block.Code).Inc()
	}
	m.skipped.Reset()
	for _, s := range r.Skipped {
		m.skipped.WithLabelValues(s.Code).Inc()
	}
	m.frozen.Set(b2f(r.Frozen != ""))
	m.contest.Set(float64(len(r.Contested)))
	m.last.Set(float64(r.Started.UnixMilli()) / 1000)
}

// Peer sets the state of one session.
func (m *Metrics) Peer(address string, up bool) { m.peers.WithLabelValues(address).Set(b2f(up)) }

// Quarantined sets of all peers of the configuration whether they are held down.
func (m *Metrics) Quarantined(peers map[string]bool) {
	m.quarantined.Reset()
	for address, held := range peers {
		m.quarantined.WithLabelValues(address).Set(b2f(held))
	}
}

// Source sets the state of one database.
func (m *Metrics) Source(name string, up bool) { m.sources.WithLabelValues(name).Set(b2f(up)) }

// State sets whether the state file says what is remembered, and how many files were set
// aside, by why.
func (m *Metrics) State(up bool, aside map[string]int) {
	m.state.Set(b2f(up))
	m.aside.Reset()
	for reason, n := range aside {
		m.aside.WithLabelValues(reason).Set(float64(n))
	}
}

// Reach sets how many announced addresses are not reachable, by why.
func (m *Metrics) Reach(reasons map[string]int) {
	m.unreachable.Reset()
	for reason, n := range reasons {
		m.unreachable.WithLabelValues(reason).Set(float64(n))
	}
}

// Elsewhere sets how many prefixes of ours somebody else announces.
func (m *Metrics) Elsewhere(prefixes int) { m.elsewhere.Set(float64(prefixes)) }

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
