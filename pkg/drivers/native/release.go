package native

import (
	"strconv"
	"strings"
)

// release is that of ovn-northd, as far as it tells (SB_Global.options,
// northd_internal_version: RELEASE-SCHEMA-...). It is used for warnings only: it says
// nothing about this node's ovn-controller.
type release struct {
	known bool
	// version are year, month and patch, schema those of the Southbound schema.
	version, schema [3]int
}

// releaseOf reads 26.03.1-21.8.0-82.14.
func releaseOf(text string) release {
	words := strings.Split(text, "-")
	if len(words) < 2 {
		return release{}
	}
	version, ok := numbers(words[0])
	schema, valid := numbers(words[1])
	return release{known: ok && valid, version: version, schema: schema}
}

// numbers reads up to three numbers with dots between them.
func numbers(text string) (out [3]int, ok bool) {
	words := strings.Split(text, ".")
	if len(words) < 2 || len(words) > 3 {
		return out, false
	}
	for i, w := range words {
		n, err := strconv.ParseUint(w, 10, 16)
		if err != nil {
			return out, false
		}
		out[i] = int(n)
	}
	return out, true
}

// before reports whether v is an earlier release than o.
func before(v, o [3]int) bool {
	for i := range v {
		if v[i] != o[i] {
			return v[i] < o[i]
		}
	}
	return false
}

// lacks reports whether the release is known not to have what came with a later one;
// fixes are the releases of each branch that have it, in order.
func (r release) lacks(fixes ...[3]int) bool {
	if !r.known {
		return false
	}
	for _, fix := range fixes {
		if r.version[0] == fix[0] && r.version[1] == fix[1] {
			return before(r.version, fix)
		}
	}
	return before(r.version, fixes[len(fixes)-1])
}

// The releases that have a fix, by branch.
var (
	learnsAboveFour = [][3]int{{25, 3, 3}, {25, 9, 2}, {26, 3, 0}} // only kernel protocols > 4
	learnsOffLink   = [][3]int{{25, 3, 3}, {25, 9, 3}, {26, 3, 1}} // next hops outside the port's networks
)

// sharedTables is the Southbound schema from which on several routers may have one
// table, and the main and the default one may be used.
var sharedTables = [3]int{21, 9, 0}

// sharesTables reports whether the release is known to allow that.
func (r release) sharesTables() bool { return r.known && !before(r.schema, sharedTables) }
