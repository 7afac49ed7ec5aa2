package metrics

import (
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// table is a metric whose rows are always set all together: the series of what is gone are
// gone with the next scrape, and no scrape sees half of them.
type table struct {
	desc *prometheus.Desc
	kind prometheus.ValueType

	mu   sync.Mutex
	rows []row
}

// row is one series.
type row struct {
	value  float64
	labels []string
}

func newTable(kind prometheus.ValueType, name, help string, labels ...string) *table {
	return &table{desc: prometheus.NewDesc(name, help, labels, nil), kind: kind}
}

// set replaces all rows. Of two with the same labels the later one counts: a scrape with both
// would fail as a whole.
func (t *table) set(rows []row) {
	sorting.Stable(rows, func(a, b row) int { return slices.Compare(a.labels, b.labels) })
	slices.Reverse(rows)
	rows = slices.CompactFunc(rows, func(a, b row) bool { return slices.Equal(a.labels, b.labels) })
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = rows
}

// one sets the only row of a table without labels; nothing takes it away.
func (t *table) one(value float64) { t.set([]row{{value: value}}) }

// counts sets a row for each key.
func (t *table) counts(of map[string]int) {
	rows := make([]row, 0, len(of))
	for label, n := range of {
		rows = append(rows, row{float64(n), []string{label}})
	}
	t.set(rows)
}

// Describe is for the registry.
func (t *table) Describe(to chan<- *prometheus.Desc) { to <- t.desc }

// Collect is for the registry.
func (t *table) Collect(to chan<- prometheus.Metric) {
	t.mu.Lock()
	rows := t.rows
	t.mu.Unlock()
	for _, r := range rows {
		labels := make([]string, len(r.labels))
		for i, l := range r.labels { // a label that is not UTF-8 would fail the scrape
			labels[i] = strings.ToValidUTF8(l, "?")
		}
		to <- prometheus.MustNewConstMetric(t.desc, t.kind, r.value, labels...)
	}
}
