package evpn

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// anyAS is the beginning of an import target that takes every administrator.
const anyAS = "*:"

// wildcard returns the number of a target of the form *:NUMBER.
func wildcard(text string) (string, bool) {
	number, ok := strings.CutPrefix(strings.TrimSpace(text), anyAS)
	if !ok {
		return "", false
	}
	n, err := strconv.ParseUint(number, 10, 32)
	return strconv.FormatUint(n, 10), err == nil
}

// ValidTarget checks one route target of the configuration. Import targets may
// be wildcards, *:NUMBER.
func ValidTarget(text string, imported bool) error {
	if _, ok := wildcard(text); ok && imported {
		return nil
	}
	_, err := object.RouteTargetsOf(text)
	return err
}

// CanonicalTarget returns the one form of a target that is valid.
func CanonicalTarget(text string) string {
	if number, ok := wildcard(text); ok {
		return anyAS + number
	}
	w, _ := object.RouteTargetsOf(text) // validated
	return w.String()
}

// autoTarget is the route target that is exported without any other: the AS, cut
// to 16 bits so that the whole VNI has room, and the VNI (RFC 8365 section 5.1.2.1
// leaves the form open; this is FRR's).
func autoTarget(as, vni uint32) string { return fmt.Sprintf("%d:%d", as&0xffff, vni) }

// autoImport takes any AS, because each fabric node may have its own.
func autoImport(vni uint32) string { return anyAS + strconv.FormatUint(uint64(vni), 10) }

// importers finds the VNIs that take a route in, without asking each.
type importers[T any] struct{ exact, number map[string][]T }

// add notes the import targets of one VNI. Wildcards are found by their number alone.
func (m *importers[T]) add(targets []string, to T) {
	if m.exact == nil {
		m.exact, m.number = map[string][]T{}, map[string][]T{}
	}
	for _, t := range targets {
		if n, ok := wildcard(t); ok {
			m.number[n] = append(m.number[n], to)
			continue
		}
		m.exact[t] = append(m.exact[t], to)
	}
}

// of calls yield for each VNI that imports one of the targets, maybe repeatedly.
func (m *importers[T]) of(targets object.Words, yield func(T)) {
	for _, t := range targets.List() {
		for _, to := range m.exact[t] {
			yield(to)
		}
		_, number, _ := strings.Cut(t, ":")
		for _, to := range m.number[number] {
			yield(to)
		}
	}
}

// configOf returns what is configured for a VNI.
func (p *pass) configOf(vni uint32) VNIConfig {
	for _, c := range p.cfg.VNIs {
		if c.VNI == vni {
			return c
		}
	}
	return VNIConfig{VNI: vni}
}

// allocateRDs gives each VNI without a route distinguisher one of type 1: the
// VTEP's address and a number of 16 bits. That is the VNI if it fits; others get
// a number derived from the VNI, or the next free one, in the order of the VNIs.
func (p *pass) allocateRDs(all []*overlay) {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *overlay) int { return cmp.Compare(a.vni, b.vni) })
	taken := map[string]*overlay{}
	for _, o := range all {
		if o.rd == "" && o.vni <= 0xffff {
			o.rd = p.rd(o.vni)
		}
		if o.rd == "" {
			continue
		}
		if first, ok := taken[o.rd]; ok {
			p.reportOf(o.vni, "configuration", fmt.Sprintf("vni %d", o.vni), observe.SkipConflict,
				"duplicate route distinguisher %s: VNI %d has it already; VNI %d uses the default one", o.rd, first.vni, o.vni)
			o.rd = ""
			continue
		}
		taken[o.rd] = o
	}
	for _, o := range all {
		if o.rd != "" {
			continue
		}
		sum := sha256.Sum256(binary.BigEndian.AppendUint32(nil, o.vni))
		n := uint32(binary.BigEndian.Uint16(sum[:]))
		for range 1 << 16 {
			if _, ok := taken[p.rd(n)]; !ok && n != 0 {
				break
			}
			n = (n + 1) & 0xffff
		}
		o.rd = p.rd(n)
		taken[o.rd] = o
	}
}

// rd is a route distinguisher of type 1 (RFC 4364 section 4.2): n must fit into 16 bits.
func (p *pass) rd(n uint32) string { return fmt.Sprintf("%s:%d", p.vtep, n) }

// macOf is a locally administered MAC address that depends on nothing but the
// VTEP, the VNI and what the device is for, so that it is known before the device
// exists and others need not learn a new one when it is made again.
func macOf(vtep netip.Addr, vni uint32, role string) object.MAC {
	text := fmt.Sprintf("%s %d %s", vtep, vni, role)
	sum := sha256.Sum256([]byte(text))
	return object.MAC{2, sum[0], sum[1], sum[2], sum[3], sum[4]}
}
