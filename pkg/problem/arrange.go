package problem

import (
	"cmp"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
)

// mostOthers is how many names a problem lists of equal ones.
const mostOthers = 20

// group are equal findings.
type group struct {
	first Finding
	rank  int
	harm  Harm
	count int
	// others are the names of the objects but the first, as far as they are kept.
	others []string
	// cause is the group that explains this one; nil if none does.
	cause *group
}

// likeness is what equal findings have in common.
type likeness struct {
	code, kind, like, behind string
	on                       Object
}

// Arrange makes problems of what was found: equal ones are counted, those that
// another one explains are listed under it, and the most harmful come first. The same
// findings in the same order give the same problems.
func Arrange(found []Finding) []Problem {
	groups, about := grouped(found)
	byCode := map[string]*group{}
	for _, g := range groups {
		if byCode[g.first.Code] == nil {
			byCode[g.first.Code] = g
		}
	}
	for _, g := range groups {
		if c := causeOf(g, about, byCode); c != nil && !c.within(g) {
			g.cause = c
		}
	}
	roots := []Problem{}
	at := map[*group]int{}
	for _, g := range groups {
		if g.cause == nil {
			at[g] = len(roots)
			roots = append(roots, g.problem())
		}
	}
	for _, g := range groups {
		if g.cause == nil {
			continue
		}
		p := &roots[at[g.root()]]
		p.Explains = append(p.Explains, g.problem())
		if g.harm.level() > p.Harm.level() {
			p.Harm = g.harm
		}
	}
	order(roots)
	for i := range roots {
		order(roots[i].Explains)
	}
	return roots
}

// grouped unites equal findings, in the order in which they were found, and says which
// group is about an object.
func grouped(found []Finding) ([]*group, map[Object][]*group) {
	var groups []*group
	alike := map[likeness]*group{}
	about := map[Object][]*group{}
	for _, f := range found {
		l := likeness{code: f.Code, kind: f.Object.Kind, like: cmp.Or(f.Like, f.Try), behind: f.Behind, on: f.On}
		g := alike[l]
		if g == nil {
			g = &group{first: f, rank: rank(f.Code)}
			alike[l] = g
			groups = append(groups, g)
		} else if len(g.others) < mostOthers && f.Object.Name != "" {
			g.others = append(g.others, f.Object.Name)
		}
		g.count += max(f.Count, 1)
		if f.Since.Before(g.first.Since) || g.first.Since.IsZero() {
			g.first.Since = f.Since
		}
		if harm := cmp.Or(f.Harm, classOf(f.Code).harm); harm.level() > g.harm.level() {
			g.harm = harm
		}
		if f.Object != (Object{}) && !slices.Contains(about[f.Object], g) {
			about[f.Object] = append(about[f.Object], g)
		}
	}
	return groups, about
}

// causeOf finds what explains a group: something about what it stands on, what it
// names itself, or what its class names.
func causeOf(g *group, about map[Object][]*group, byCode map[string]*group) *group {
	if g.first.On != (Object{}) {
		for _, c := range about[g.first.On] {
			if c != g && c.rank <= g.rank {
				return c
			}
		}
	}
	if c := byCode[g.first.Behind]; c != nil && c != g {
		return c
	}
	for _, code := range classOf(g.first.Code).behind {
		if c := byCode[code]; c != nil {
			return c
		}
	}
	return nil
}

// within reports whether g is among the causes of a group: it cannot be its effect too.
func (c *group) within(g *group) bool {
	for ; c != nil; c = c.cause {
		if c == g {
			return true
		}
	}
	return false
}

// root is the first of all causes.
func (c *group) root() *group {
	for c.cause != nil {
		c = c.cause
	}
	return c
}

func (c *group) problem() Problem {
	f := c.first
	p := Problem{
		Code: f.Code, Harm: c.harm, Others: append([]string{}, c.others...), Count: c.count, Of: f.Of,
		Text: f.Text, Try: f.Try, Since: f.Since, Explains: []Problem{},
	}
	if f.Object != (Object{}) {
		p.Object = &f.Object
	}
	return p
}

// order sorts by harm, then by the table, then by age. Equal ones stay as they were
// found.
func order(list []Problem) {
	sorting.Stable(list, func(a, b Problem) int {
		return cmp.Or(
			b.Harm.level()-a.Harm.level(),
			rank(a.Code)-rank(b.Code),
			byAge(a, b),
		)
	})
}

// byAge has the older one first; one of which nothing is known comes last.
func byAge(a, b Problem) int {
	switch {
	case a.Since.IsZero() == b.Since.IsZero():
		return a.Since.Compare(b.Since)
	case a.Since.IsZero():
		return 1
	default:
		return -1
	}
}
