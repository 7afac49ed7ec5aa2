package metrics

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Session is one BGP session as its metrics have it.
type Session struct {
	Peer  string
	State string
	Up    bool
	// Since is when the session came up or, if it is not, went down; zero if it never was up.
	Since time.Time
	Flaps uint32
	// BFD is set where the way to the peer is watched, BFDUp while it is there, BFDFailures
	// how often it was lost.
	BFD, BFDUp  bool
	BFDFailures uint64
	// BFDEvents counts what has become of it by cause: up and the causes of being down.
	BFDEvents map[string]uint64
	// Prefixes are the counts by family.
	Prefixes []Prefixes
}

// Prefixes counts those of one family on one session.
type Prefixes struct {
	Family                             string
	Sent, Received, Accepted, Rejected uint64
}

// Config is what runs.
type Config struct {
	// Hash identifies the settings without their secrets.
	Hash   string
	Loaded time.Time
	// Stale says that the file says something else than what runs, or cannot be used.
	Stale bool
}

// nodeTables are the metrics of what is beside rounds.
type nodeTables struct {
	bfdUp, bfdFailures, bfdEvents, build, sessionState, sessionSince, flaps, prefixes, speaker *table
	classes, held, protected, frozenSince, review, quarantined                                 *table
	stations, points, verified                                                                 *table
	config, configLoaded, configStale, stateErrors                                             *table
	fleet                                                                                      fleetTables
}

// register makes the tables. Program is the name and the version.
func (n *nodeTables) register(in prometheus.Registerer, program string) {
	add := func(to **table, kind prometheus.ValueType, name, help string, labels ...string) {
		*to = newTable(kind, name, help, labels...)
		in.MustRegister(*to)
	}
	const gauge, counter = prometheus.GaugeValue, prometheus.CounterValue
	add(&n.build, gauge, "bgp_ovn_build_info", "1, with the version of this program and of Go.", "version", "goversion")
	add(&n.speaker, gauge, "bgp_ovn_speaker_up", "1 while the BGP speaker answers.")
	add(&n.sessionState, gauge, "bgp_ovn_peer_state",
		"1, with the state of the session by its name in RFC 4271 section 8.2.2.", "peer", "state")
	add(&n.sessionSince, gauge, "bgp_ovn_peer_state_since_timestamp_seconds",
		"When the session came up or, if it is not, went down, in seconds since 1970.", "peer")
	add(&n.flaps, counter, "bgp_ovn_peer_flaps_total", "How often the session was lost.", "peer")
	add(&n.bfdUp, gauge, "bgp_ovn_peer_bfd_up",
		"1 while the BFD session with the peer is up; of peers with BFD alone.", "peer")
	add(&n.bfdFailures, counter, "bgp_ovn_peer_bfd_failures_total",
		"How often BFD has lost the peer.", "peer")
	add(&n.bfdEvents, counter, "bgp_ovn_peer_bfd_events_total",
		"How often the BFD session with the peer has come up, or gone down, by who found or did it.", "peer", "cause")
	add(&n.prefixes, gauge, "bgp_ovn_peer_prefixes",
		"Prefixes of the session by family: sent, received, and of these accepted and rejected.",
		"peer", "family", "count")
	add(&n.stations, gauge, "bgp_ovn_bmp_up", "1 while the monitoring station is connected.", "station")
	add(&n.points, gauge, "bgp_ovn_looking_point_up", "1 while the session with the looking point is established.",
		"point")
	add(&n.verified, gauge, "bgp_ovn_verified_prefixes",
		"Prefixes that this node announces, by what has become of them at the looking points.", "state")
	add(&n.classes, gauge, "bgp_ovn_prefixes", "Prefixes that are desired to be announced, by class.", "class")
	add(&n.held, gauge, "bgp_ovn_held", "Objects that nothing asks for and that stay, by why.", "code")
	add(&n.protected, gauge, "bgp_ovn_protected_prefixes", "Prefixes that the node lives on, which are never routed away.")
	add(&n.frozenSince, gauge, "bgp_ovn_frozen_since_timestamp_seconds",
		"Since when nothing may be removed, in seconds since 1970; 0 while it may.")
	add(&n.quarantined, gauge, "bgp_ovn_quarantined",
		"Objects that are set aside because attempts at them failed for long, by kind.", "kind")
	add(&n.review, gauge, "bgp_ovn_review_waiting_steps",
		"Steps that wait for bgp-ovn apply; absent where changes are applied by themselves.")
	add(&n.config, gauge, "bgp_ovn_config_info",
		"1, with a hash of the running configuration without its passwords.", "hash")
	add(&n.configLoaded, gauge, "bgp_ovn_config_loaded_timestamp_seconds",
		"When the running configuration was loaded, in seconds since 1970.")
	add(&n.configStale, gauge, "bgp_ovn_config_stale",
		"1 while the configuration file differs from what runs, or cannot be used.")
	add(&n.stateErrors, counter, "bgp_ovn_state_file_errors_total", "Transactions of the state file that failed.")
	n.fleet.register(in)
	_, version, ok := strings.Cut(program, " ")
	if !ok {
		version = program
	}
	n.build.set([]row{{1, []string{version, runtime.Version()}}})
	n.frozenSince.one(0)
}

// Sessions sets the state of all sessions. Those of a speaker that does not answer are not
// known, and not there.
func (m *Metrics) Sessions(all []Session, known bool) {
	m.node.speaker.one(b2f(known))
	var up, states, since, flaps, bfdUp, bfdFailures, bfdEvents, prefixes []row
	for _, s := range all {
		up = append(up, row{b2f(s.Up), []string{s.Peer}})
		states = append(states, row{1, []string{s.Peer, s.State}})
		flaps = append(flaps, row{float64(s.Flaps), []string{s.Peer}})
		if s.BFD {
			bfdUp = append(bfdUp, row{b2f(s.BFDUp), []string{s.Peer}})
			bfdFailures = append(bfdFailures, row{float64(s.BFDFailures), []string{s.Peer}})
			for _, cause := range slices.Sorted(maps.Keys(s.BFDEvents)) {
				bfdEvents = append(bfdEvents, row{float64(s.BFDEvents[cause]), []string{s.Peer, cause}})
			}
		}
		if !s.Since.IsZero() {
			since = append(since, row{seconds(s.Since), []string{s.Peer}})
		}
		for _, p := range s.Prefixes {
			for _, c := range []struct {
				name string
				n    uint64
			}{{"sent", p.Sent}, {"received", p.Received}, {"accepted", p.Accepted}, {"rejected", p.Rejected}} {
				prefixes = append(prefixes, row{float64(c.n), []string{s.Peer, p.Family, c.name}})
			}
		}
	}
	m.peers.set(up)
	m.node.sessionState.set(states)
	m.node.sessionSince.set(since)
	m.node.flaps.set(flaps)
	m.node.bfdUp.set(bfdUp)
	m.node.bfdFailures.set(bfdFailures)
	m.node.bfdEvents.set(bfdEvents)
	m.node.prefixes.set(prefixes)
}

// Stations sets which of the monitoring stations are connected.
func (m *Metrics) Stations(up map[string]bool) { m.node.stations.set(flags(up)) }

// Verified sets which looking points are connected, and how many prefixes of ours have become
// what there.
func (m *Metrics) Verified(up map[string]bool, states map[string]int) {
	m.node.points.set(flags(up))
	m.node.verified.counts(states)
}

// Prefixes sets how many prefixes are desired to be announced, by class.
func (m *Metrics) Prefixes(byClass map[string]int) { m.node.classes.counts(byClass) }

// Frozen sets since when nothing may be removed; the zero time says that it may.
func (m *Metrics) Frozen(since time.Time) {
	if since.IsZero() {
		m.node.frozenSince.one(0)
		return
	}
	m.node.frozenSince.one(seconds(since))
}

// Config sets which configuration runs.
func (m *Metrics) Config(c Config) {
	m.node.config.set([]row{{1, []string{c.Hash}}})
	m.node.configLoaded.one(seconds(c.Loaded))
	m.node.configStale.one(b2f(c.Stale))
}

// seconds is a time as Prometheus has it.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
