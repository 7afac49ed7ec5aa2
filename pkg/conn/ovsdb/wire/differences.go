package wire

import "strings"

// mapDiff applies a difference of maps to have (ovsdb-server(7), "Update
// Notification"): a pair that have holds is removed, any other is put.
func (d *Decoder) mapDiff(have map[string]string) map[string]string {
	out := make(map[string]string, len(have)+1)
	for k, v := range have {
		out[k] = v
	}
	for _, p := range d.entries() {
		if v, ok := out[p.key]; ok && v == p.value {
			delete(out, p.key)
			continue
		}
		out[p.key] = p.value
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// symmetric applies a difference of sets, both sorted: what is in exactly one
// of them.
func symmetric[E any](have, diff []E, compare func(a, b E) int) []E {
	var out []E
	for len(have) > 0 && len(diff) > 0 {
		switch c := compare(have[0], diff[0]); {
		case c < 0:
			out, have = append(out, have[0]), have[1:]
		case c > 0:
			out, diff = append(out, diff[0]), diff[1:]
		default:
			have, diff = have[1:], diff[1:]
		}
	}
	out = append(out, have...)
	return append(out, diff...)
}

func (d *Decoder) stringsDiff(have []string) []string {
	return symmetric(have, d.Strings(), strings.Compare)
}
