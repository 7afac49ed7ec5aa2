package config

import "github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"

// Changes lists the keys that two settings differ in, and what of it only a restart
// can change. Both are empty lists, not nil, if there is nothing. Was are the
// settings that run, Is those that shall.
func Changes(was, is Settings) (changed, restart []string) {
	changed, restart = []string{}, []string{}
	before, after := table(&was), table(&is)
	for i, k := range before {
		if i >= len(after) || k.Equal(after[i]) {
			continue
		}
		changed = append(changed, k.Name)
		if !k.Live {
			restart = append(restart, k.Name)
		}
	}
	// Both need sources and backends that are opened at the start.
	if is.FollowsEVPN() && !was.FollowsEVPN() {
		restart = append(restart, "bgp.peers to the first one with l2vpn-evpn")
	}
	if is.RunsEVPN() != was.RunsEVPN() {
		restart = append(restart, "drivers, by "+evpn.Name+" or without it")
	}
	return changed, restart
}
