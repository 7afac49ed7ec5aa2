package metrics

import (
	"hash/crc32"
	"net/netip"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Buckets is into how many groups addresses are divided, by their checksums.
const Buckets = 4

// Sketch stands for a set of addresses in a few numbers that add up over nodes: how many
// there are and the sum of their checksums, by bucket. The sketches of all nodes together
// differ from that of all addresses if one is announced twice or by nobody; if it is one,
// the difference of the sums is its checksum. A series for each address would tell more, and
// be as many series as a cloud has addresses, new ones with each VM that moves.
//
// The checksum is CRC-32 (IEEE) of the prefix as text: a sum of two million is exact in what
// Prometheus computes with.
type Sketch struct{ count, sum [Buckets]float64 }

// Add adds an address that is not in it yet.
func (s *Sketch) Add(p netip.Prefix) {
	sum := crc32.ChecksumIEEE([]byte(p.String()))
	s.count[sum%Buckets]++
	s.sum[sum%Buckets] += float64(sum)
}

// Member is a node of the fleet.
type Member struct{ Chassis, Hostname string }

// Fleet is what a node tells so that all nodes together can be judged. Of what is not known
// there is nothing.
type Fleet struct {
	// Self is this node, Next are those that come after it.
	Self []Member
	Next []Member
	// Expected stands for what all nodes should announce, Announced for what of it this one
	// does; nil if it is not known.
	Expected, Announced *Sketch
}

// fleetTables are the metrics of a fleet.
type fleetTables struct{ self, next, expected, expectedSum, announced, announcedSum *table }

func (f *fleetTables) register(in prometheus.Registerer) {
	add := func(to **table, name, help string, labels ...string) {
		*to = newTable(prometheus.GaugeValue, name, help, labels...)
		in.MustRegister(*to)
	}
	add(&f.self, "bgp_ovn_chassis_info", "1, with the names of this node in the Southbound database.",
		"chassis", "hostname")
	add(&f.next, "bgp_ovn_next_chassis_info",
		"1, with the names of the two chassis that come after this one in the Southbound database.", "chassis", "hostname")
	add(&f.expected, "bgp_ovn_fleet_expected",
		"Addresses that the Southbound database places on any chassis, by bucket.", "bucket")
	add(&f.expectedSum, "bgp_ovn_fleet_expected_checksum", "Sum of the checksums of these addresses.", "bucket")
	add(&f.announced, "bgp_ovn_fleet_announced", "Addresses of these that this node announces, by bucket.", "bucket")
	add(&f.announcedSum, "bgp_ovn_fleet_announced_checksum", "Sum of the checksums of these addresses.", "bucket")
}

// Fleet sets what this node tells of itself and of all nodes.
func (m *Metrics) Fleet(f Fleet) {
	m.node.fleet.self.set(members(f.Self))
	m.node.fleet.next.set(members(f.Next))
	count, sum := f.Expected.rows()
	m.node.fleet.expected.set(count)
	m.node.fleet.expectedSum.set(sum)
	count, sum = f.Announced.rows()
	m.node.fleet.announced.set(count)
	m.node.fleet.announcedSum.set(sum)
}

func members(of []Member) []row {
	rows := make([]row, len(of))
	for i, m := range of {
		rows[i] = row{1, []string{m.Chassis, m.Hostname}}
	}
	return rows
}

// rows has one for each bucket, of nothing none.
func (s *Sketch) rows() (count, sum []row) {
	if s == nil {
		return nil, nil
	}
	for i := range Buckets {
		label := []string{strconv.Itoa(i)}
		count = append(count, row{s.count[i], label})
		sum = append(sum, row{s.sum[i], label})
	}
	return count, sum
}
