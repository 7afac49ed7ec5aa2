package agent

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// position is where a path is in a table: tables are sorted by it, and a page begins after
// one.
type position struct {
	family object.Family
	// prefix is that of a unicast path; nlri is used where there is none.
	prefix netip.Prefix
	nlri   string
	peer   string
	id     uint32
}

func (p position) compare(o position) int {
	return cmp.Or(cmp.Compare(p.family, o.family), p.prefix.Addr().Compare(o.prefix.Addr()),
		cmp.Compare(p.prefix.Bits(), o.prefix.Bits()), strings.Compare(p.nlri, o.nlri), strings.Compare(p.peer, o.peer),
		cmp.Compare(p.id, o.id))
}

// The fields of a position are set apart by what none of them has.
const separator = "|"

// String is the form that parsePosition reads.
func (p position) String() string {
	nlri := p.nlri
	if p.prefix.IsValid() {
		nlri = p.prefix.String()
	}
	return strings.Join([]string{p.family.String(), nlri, p.peer, strconv.FormatUint(uint64(p.id), 10)}, separator)
}

// parsePosition reads where a page ended; empty text is before everything.
func parsePosition(text string) (p position, err error) {
	if text == "" {
		return p, nil
	}
	words := strings.Split(text, separator)
	if len(words) != 4 {
		return p, fmt.Errorf("after %.80q: give what the page before has in next", text)
	}
	if p.family, err = object.ParseFamily(words[0]); err != nil {
		return p, fmt.Errorf("after %.80q: %w", text, err)
	}
	id, err := strconv.ParseUint(words[3], 10, 32)
	if err != nil {
		return p, fmt.Errorf("after %.80q: the identifier is not a number", text)
	}
	p.peer, p.id = words[2], uint32(id)
	if p.family == object.L2VPNEVPN {
		p.nlri = words[1]
		return p, nil
	}
	if p.prefix, err = netip.ParsePrefix(words[1]); err != nil {
		return p, fmt.Errorf("after %.80q: %w", text, err)
	}
	return p, nil
}

// pager takes the paths of a table in any order and keeps one page, so that a table of
// 100,000 paths costs no more memory than its page.
type pager[T any] struct {
	limit int
	after position
	total int
	kept  []paged[T]
	// bound is the last position of a full page: what comes after it is not kept.
	bound *position
}

type paged[T any] struct {
	at   position
	item T
}

// add counts a path, and makes it where it may be on the page.
func (p *pager[T]) add(at position, make func() T) {
	p.total++
	if at.compare(p.after) <= 0 || p.bound != nil && at.compare(*p.bound) >= 0 {
		return
	}
	p.kept = append(p.kept, paged[T]{at, make()})
	if len(p.kept) > 2*p.limit+1 {
		p.cut()
	}
}

// cut keeps the page and one path after it, which tells that there is more.
func (p *pager[T]) cut() {
	sorting.Sort(p.kept, func(a, b paged[T]) int { return a.at.compare(b.at) })
	if len(p.kept) > p.limit+1 {
		clear(p.kept[p.limit+1:])
		p.kept = p.kept[:p.limit+1]
		bound := p.kept[p.limit].at
		p.bound = &bound
	}
}

// page is the page in order, and where the next one begins; empty on the last.
func (p *pager[T]) page() (items []T, next string) {
	p.cut()
	items = []T{}
	for i, k := range p.kept {
		if i == p.limit {
			return items, p.kept[i-1].at.String()
		}
		items = append(items, k.item)
	}
	return items, ""
}
