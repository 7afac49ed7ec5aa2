package metrics_test

import (
	"fmt"
	"hash/crc32"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/metrics"
)

// sketch of addresses 203.0.113.N.
func sketch(last ...int) *metrics.Sketch {
	s := new(metrics.Sketch)
	for _, n := range last {
		s.Add(netip.MustParsePrefix(fmt.Sprintf("203.0.113.%d/32", n)))
	}
	return s
}

// value adds up all series of a metric.
func value(t *testing.T, text, name string) (sum float64) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^`+name+`\{bucket="\d"\} (.*)$`).FindAllStringSubmatch(text, -1) {
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += v
	}
	return sum
}

// TestFleetSums: what two nodes announce, less what all should, is the checksum of the
// address that both announce.
func TestFleetSums(t *testing.T) {
	a, b := metrics.New("a"), metrics.New("b")
	all := sketch(1, 2, 3, 4, 5, 6, 7)
	a.Fleet(metrics.Fleet{Expected: all, Announced: sketch(1, 2, 3, 7)})
	b.Fleet(metrics.Fleet{Expected: all, Announced: sketch(4, 5, 6, 7)})
	left, right := scrape(t, a), scrape(t, b)
	const n, sum = "bgp_ovn_fleet_announced", "bgp_ovn_fleet_announced_checksum"
	if got := value(t, left, n) + value(t, right, n) - value(t, left, "bgp_ovn_fleet_expected"); got != 1 {
		t.Errorf("%v too many", got)
	}
	want := float64(crc32.ChecksumIEEE([]byte("203.0.113.7/32")))
	if got := value(t, left, sum) + value(t, right, sum) - value(t, left, "bgp_ovn_fleet_expected_checksum"); got != want {
		t.Errorf("difference %v, want %v", got, want)
	}
}

// TestFleetUnknown: of what is not known there is no series, and there are as many as
// buckets, however many addresses there are.
func TestFleetUnknown(t *testing.T) {
	m := metrics.New("a")
	m.Fleet(metrics.Fleet{Self: []metrics.Member{{Chassis: "hv1"}}, Expected: sketch(1), Announced: sketch()})
	if got := strings.Count(scrape(t, m), "bgp_ovn_fleet_announced{"); got != metrics.Buckets {
		t.Errorf("%d series", got)
	}
	m.Fleet(metrics.Fleet{Self: []metrics.Member{{Chassis: "hv1"}}})
	if text := scrape(t, m); strings.Contains(text, "bgp_ovn_fleet_") || !strings.Contains(text, `chassis="hv1"`) {
		t.Error(text)
	}
}
