package problem

import "slices"

// class says of a code how bad it is and what explains it.
type class struct {
	code string
	harm Harm
	// behind are codes of which one, if it is found, explains this one.
	behind []string
}

// classes are all codes, those first that are mended first. Of two problems that do
// the same harm the one in the earlier line comes first.
var classes = []class{
	// Nothing is announced.
	{"speaker", Down, nil},
	{"no-peers", Down, nil},
	{"uplink-down", Degraded, nil},
	{"peer-quarantined", Degraded, nil},
	{"peer-down", Degraded, []string{"speaker"}},
	// Nothing is known, or nothing can be changed.
	{"vswitchd-hung", Degraded, nil},
	{"ovsdb-down", Degraded, nil},
	{"southbound-down", Degraded, []string{"ovsdb-down"}},
	{"northbound-down", Degraded, []string{"ovsdb-down"}},
	{"kube-not-synced", Degraded, nil},
	{"kube-stale", Degraded, nil},
	{"flows-unreadable", Degraded, []string{"vswitchd-hung"}},
	{
		"not-synced", Degraded,
		[]string{"ovsdb-down", "southbound-down", "northbound-down", "kube-not-synced", "flows-unreadable"},
	},
	{"ovn-controller-hung", Degraded, nil},
	{"chassis-missing", Degraded, []string{"ovsdb-down", "southbound-down", "not-synced"}},
	{"unreadable", Degraded, []string{"speaker", "vswitchd-hung", "ovsdb-down"}},
	// A network or an address is not reachable.
	{"bridge-missing", Degraded, nil},
	{"unmapped-network", Degraded, nil},
	{"vtep-missing", Degraded, nil},
	{"device-down", Degraded, nil},
	{"device-detached", Degraded, []string{"step-failed", "unreadable", "contested"}},
	{"no-way-back", Degraded, nil},
	{"forwarding-off", Degraded, nil},
	{"foreign-rule", Degraded, nil},
	{"rule-missing", Degraded, []string{"step-failed", "unreadable", "contested"}},
	{"packet-filter", Degraded, nil},
	{"reverse-path-filter", Degraded, nil},
	{"foreign-route", Degraded, []string{"contested"}},
	{"route-missing", Degraded, []string{"step-failed", "unreadable", "contested"}},
	{"proxy-arp-off", Degraded, nil},
	{"foreign-flow", Degraded, nil},
	{"flow-drops", Degraded, nil},
	{"port-not-plugged", Degraded, nil},
	{"port-link-down", Degraded, nil},
	{"neighbour-failed", Degraded, nil},
	{"unreachable-guard", Degraded, nil},
	{"unreachable-here", Degraded, nil},
	// Others are in the way.
	{"not-seen-outside", Degraded, nil},
	{"stale-outside", Degraded, nil},
	{"announced-elsewhere", Degraded, nil},
	{"contested", Degraded, nil},
	{"overridden", Degraded, nil},
	{"driver-panic", Degraded, nil},
	{"step-failed", Degraded, []string{"vswitchd-hung", "state-file"}},
	{"quarantined", Degraded, nil},
	{"flapping", Degraded, nil},
	{"frozen", Degraded, []string{"ovsdb-down", "southbound-down", "not-synced", "chassis-missing"}},
	{"not-as-wanted", Degraded, nil},
	{"outstanding", Degraded, []string{"vswitchd-hung", "speaker"}},
	// What works now and will not in some event.
	{"bfd-not-up", Warning, []string{"speaker"}},
	{"peer-not-external", Warning, []string{"speaker"}},
	{"drain-waiting", Warning, nil},
	{"review-waiting", Warning, nil},
	{"drained", Warning, nil},
	{"state-file", Warning, nil},
	{"not-listening", Warning, nil},
	{"southbound-remote", Warning, nil},
	{"southbound-all", Warning, nil},
	{"northbound-remote", Warning, nil},
	{"configuration-not-loaded", Warning, nil},
	{"speaker-foreign", Warning, nil},
	{"foreign-default", Warning, nil},
	{"looking-point-down", Warning, nil},
	{"router-id", Warning, nil},
	{"state-set-aside", Warning, nil},
}

// rank is the line of a code in the table; codes that are not in it come last.
func rank(code string) int {
	if i := slices.IndexFunc(classes, func(c class) bool { return c.code == code }); i >= 0 {
		return i
	}
	return len(classes)
}

// classOf is the line of the table, or what holds for codes that are not in it.
func classOf(code string) class {
	if i := rank(code); i < len(classes) {
		return classes[i]
	}
	return class{code: code, harm: Degraded}
}

// Known reports whether a code is in the table.
func Known(code string) bool { return rank(code) < len(classes) }

// Codes are all codes of the table, in its order.
func Codes() []string {
	out := make([]string, len(classes))
	for i, c := range classes {
		out[i] = c.code
	}
	return out
}
