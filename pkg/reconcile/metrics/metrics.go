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
	mismatch prometheus.Counter
	objects  *prometheus.GaugeVec
	notes    *table
	skipped  *table
	frozen   prometheus.Gauge
	last     prometheus.Gauge
	peers    *table
	sources  *table
	// quarantined has the peers of the configuration.
	quarantined *table
	// state tells of the state file, aside of those that were set aside.
	state prometheus.Gauge
	aside *table
	// unreachable has announced addresses that are not reachable, by why.
	unreachable *table
	// guarded is 1 while too much is unreachable to withdraw it.
	guarded prometheus.Gauge
	// elsewhere counts prefixes of ours that somebody else announces.
	elsewhere prometheus.Gauge
	// drain has how far the node is taken out of service, and drained its paths.
	drain, drained *table
	// lag is how long changes take from their notification until they are applied.
	lag prometheus.Histogram
	// node has what is beside rounds.
	node nodeTables
}

// New returns a registry for a program, which is its name and its version.
func New(program string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry()}
	m.node.register(m.registry, program)
	m.rounds = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bgp_ovn_rounds_total",
		Help: "Rounds, by whether they changed anything.",
	}, []string{"result"})
	m.seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "bgp_ovn_round_seconds", Help: "Duration of the parts of a round in seconds.",
		Buckets: latencies(), NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeMost,
	}, []string{"part"})
	m.lag = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "bgp_ovn_source_lag_seconds",
		Help: "Time from the notification of a change, such as a transaction of the Southbound database, " +
			"until it is applied.",
		Buckets: latencies(), NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeMost,
	})
	m.steps = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bgp_ovn_steps_total",
		Help: "Steps executed, by kind, verb and outcome.",
	}, []string{"kind", "verb", "outcome"})
	m.causes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bgp_ovn_steps_by_cause_total",
		Help: "Steps executed, by why they were taken: change, drift, retry, start, config, repair, drain or unreachable.",
	}, []string{"cause"})
	m.mismatch = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "bgp_ovn_plan_mismatch_total",
		Help: "Audits in which the plan by what had changed was not that of everything: a defect, which the audit mends.",
	})
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
	m.notes = newTable(prometheus.GaugeValue, "bgp_ovn_not_as_wanted",
		"Objects that differ from the desired state and that no step will mend now, by code.", "code")
	m.skipped = newTable(prometheus.GaugeValue, "bgp_ovn_skipped_rows",
		"Rows that could not be used, by code.", "code")
	m.frozen = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_frozen",
		Help: "1 while nothing may be removed: a database is unreachable, empty, or the fuse has blown.",
	})
	m.last = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_last_round_timestamp_seconds",
		Help: "When the last round began, in seconds since 1970.",
	})
	m.newStates()
	m.registry.MustRegister(m.mismatch, m.unreachable, m.guarded, m.elsewhere, m.lag, m.drain, m.drained)
	m.registry.MustRegister(m.state, m.aside, m.rounds, m.seconds, m.steps, m.causes, m.drift, m.contest, m.objects,
		m.notes, m.skipped, m.frozen, m.last, m.peers, m.quarantined, m.sources,
		// Memory, goroutines and descriptors of the process itself, under their usual names.
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// newStates makes what tells how peers, databases, the state file and paths are.
func (m *Metrics) newStates() {
	m.peers = newTable(prometheus.GaugeValue, "bgp_ovn_peer_up",
		"1 while the session with the peer is established.", "peer")
	m.quarantined = newTable(prometheus.GaugeValue, "bgp_ovn_peer_quarantined",
		"1 while the peer is held down because its messages ended the speaker.", "peer")
	m.sources = newTable(prometheus.GaugeValue, "bgp_ovn_source_up",
		"1 while the database is connected and in step.", "source")
	m.state = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_state_file_up",
		Help: "1 while the state file says all that is remembered, 0 while it cannot be written.",
	})
	m.aside = newTable(prometheus.GaugeValue, "bgp_ovn_state_files_set_aside",
		"State files that were set aside and are still there, by why.", "reason")
	m.unreachable = newTable(prometheus.GaugeValue, "bgp_ovn_unreachable",
		"Announced addresses, of those that the last check looked at, that packets do not get through to, by why.", "reason")
	m.guarded = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_unreachable_guard",
		Help: "1 while bgp.withdraw_unreachable withdraws nothing more because too much is unreachable at once.",
	})
	m.elsewhere = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bgp_ovn_announced_elsewhere",
		Help: "Prefixes that this node announces and that somebody else has announced, too, for 10 seconds.",
	})
	m.drain = newTable(prometheus.GaugeValue, "bgp_ovn_drain",
		"1 for the phase in which the drain of this node is: lowered, waiting or safe-to-stop; absent in service.", "phase")
	m.drained = newTable(prometheus.GaugeValue, "bgp_ovn_drain_paths",
		"Paths of a node that is drained: lowered, withdrawn, only-here or left; absent in service.", "state")
}

// Latencies are native histograms for scrapers that ask for these, with buckets that are at
// most a tenth apart, and have fixed buckets for all others.
const (
	nativeFactor = 1.1
	nativeMost   = 160
)

// latencies are the fixed buckets, from 0.1 ms to 2.4 s.
func latencies() []float64 { return prometheus.ExponentialBuckets(0.0001, 2.5, 12) }

// Handler serves the registry.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Observe takes in a finished round.
func (m *Metrics) Observe(r reconcile.Round) {
	if r.Mismatch {
		m.mismatch.Inc()
	}
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
	notes, held := map[string]int{}, map[string]int{}
	for _, n := range r.Plan.Notes {
		notes[n.Block.Code]++
		if r.Have.Has(n.Key) && !r.Want.Has(n.Key) {
			held[n.Block.Code]++
		}
	}
	m.notes.counts(notes)
	m.node.held.counts(held)
	skipped := map[string]int{}
	for _, s := range r.Skipped {
		skipped[s.Code]++
	}
	m.skipped.counts(skipped)
	if p := r.Snapshot.Protected; p != nil {
		m.node.protected.one(float64(len(p.Prefixes)))
	}
	if !r.Noticed.IsZero() && !r.Plan.Empty() {
		m.lag.Observe((r.Started.Sub(r.Noticed) + r.Took()).Seconds())
	}
	m.observeDrain(r.Drain)
	aside := map[string]int{}
	for _, q := range r.Quarantined {
		aside[q.Key.Kind.String()]++
	}
	m.node.quarantined.counts(aside)
	m.node.review.set(nil)
	if r.Review != nil {
		m.node.review.one(float64(len(r.Review.Waiting)))
	}
	m.frozen.Set(b2f(r.Frozen != ""))
	m.contest.Set(float64(len(r.Contested)))
	m.last.Set(float64(r.Started.UnixMilli()) / 1000)
}

// observeDrain sets how far the node is taken out of service.
func (m *Metrics) observeDrain(s *reconcile.DrainState) {
	if s == nil {
		m.drain.set(nil)
		m.drained.set(nil)
		return
	}
	m.drain.counts(map[string]int{string(s.Phase): 1})
	m.drained.counts(map[string]int{
		"lowered": len(s.Lowered), "withdrawn": len(s.Withdrawn), "only-here": len(s.Last), "left": len(s.Remaining),
	})
}

// Quarantined sets of all peers of the configuration whether they are held down.
func (m *Metrics) Quarantined(peers map[string]bool) { m.quarantined.set(flags(peers)) }

// Sources sets the state of the databases.
func (m *Metrics) Sources(up map[string]bool) { m.sources.set(flags(up)) }

// flags are rows of 0 and 1.
func flags(of map[string]bool) []row {
	rows := make([]row, 0, len(of))
	for label, yes := range of {
		rows = append(rows, row{b2f(yes), []string{label}})
	}
	return rows
}

// State sets whether the state file says what is remembered, how many of its transactions
// failed, and how many files were set aside, by why.
func (m *Metrics) State(up bool, failed uint64, aside map[string]int) {
	m.state.Set(b2f(up))
	m.node.stateErrors.one(float64(failed))
	m.aside.counts(aside)
}

// Reach sets how many announced addresses are not reachable, by why.
func (m *Metrics) Reach(reasons map[string]int) { m.unreachable.counts(reasons) }

// Withdrawing sets whether too much is unreachable at once for it to be withdrawn.
func (m *Metrics) Withdrawing(guarded bool) { m.guarded.Set(b2f(guarded)) }

// Elsewhere sets how many prefixes of ours somebody else announces.
func (m *Metrics) Elsewhere(prefixes int) { m.elsewhere.Set(float64(prefixes)) }

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
