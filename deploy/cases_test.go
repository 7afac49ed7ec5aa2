package deploy_test

import (
	"fmt"
	"maps"
	"strings"
)

// alertCases are what each alert is tried on. A step is 15 s, 40 of them are ten minutes;
// for what takes a day it is ten minutes.
func alertCases() map[string]alertCase {
	all := map[string]alertCase{}
	maps.Copy(all, nodeCases())
	maps.Copy(all, changeCases())
	maps.Copy(all, fleetCases())
	return all
}

const node = "instance=hv1"

// nodeCases are those of sessions, databases and addresses.
func nodeCases() map[string]alertCase {
	return map[string]alertCase{
		"BgpOvnDown":        {fires: "up{instance='hv1'} 0x40", quiet: "up{instance='hv1'} 1x40", labels: node},
		"BgpOvnSpeakerDown": gauge("bgp_ovn_speaker_up", 0, 1),
		"BgpOvnNoSession": {
			fires:  "bgp_ovn_peer_up{instance='hv1',peer='a'} 0x40\nbgp_ovn_peer_up{instance='hv1',peer='b'} 0x40",
			quiet:  "bgp_ovn_peer_up{instance='hv1',peer='a'} 0x40\nbgp_ovn_peer_up{instance='hv1',peer='b'} 1x40",
			labels: node,
		},
		"BgpOvnPeerDown": {
			fires: "bgp_ovn_peer_up{instance='hv1',peer='a'} 0x40", quiet: "bgp_ovn_peer_up{instance='hv1',peer='a'} 1x40",
			labels: node + " peer=a",
		},
		"BgpOvnPeerFlapping": {
			fires:  "bgp_ovn_peer_flaps_total{instance='hv1',peer='a'} 0x4 1 2 3 4 5x40",
			quiet:  "bgp_ovn_peer_flaps_total{instance='hv1',peer='a'} 0x4 1x40",
			labels: node + " peer=a", after: "10m",
		},
		"BgpOvnPeerQuarantined": {
			fires: "bgp_ovn_peer_quarantined{instance='hv1',peer='a'} 1", quiet: "bgp_ovn_peer_quarantined{instance='hv1'} 0",
			labels: node + " peer=a",
		},
		"BgpOvnDatabaseDown": {
			fires:  "bgp_ovn_source_up{instance='hv1',source='southbound'} 0x40",
			quiet:  "bgp_ovn_source_up{instance='hv1',source='southbound'} 1x3 0 1x40",
			labels: node + " source=southbound",
		},
		"BgpOvnFrozen": gauge("bgp_ovn_frozen", 1, 0),
		"BgpOvnNoRounds": {
			fires: "bgp_ovn_last_round_timestamp_seconds{instance='hv1'} 0x120",
			quiet: "bgp_ovn_last_round_timestamp_seconds{instance='hv1'} 0+15x120", labels: node, after: "25m",
		},
		"BgpOvnNotAsWanted": {
			fires:  "bgp_ovn_not_as_wanted{instance='hv1',code='another-owner'} 2x40",
			quiet:  "bgp_ovn_not_as_wanted{instance='hv1',code='filtered-by-policy'} 2x40",
			labels: node + " code=another-owner",
		},
		"BgpOvnStepsFail": {
			fires: "bgp_ovn_steps_total{instance='hv1',kind='route',verb='create',outcome='failed'} 0+1x20",
			quiet: "bgp_ovn_steps_total{instance='hv1',kind='route',verb='create',outcome='ok'} 0+9x20\n" +
				"bgp_ovn_steps_total{instance='hv1',kind='route',verb='create',outcome='failed'} 3x20",
			labels: node + " kind=route", after: "4m",
		},
		"BgpOvnUnreachable": {
			fires: "bgp_ovn_unreachable{instance='hv1',reason='foreign-rule'} 1x40", quiet: "up{instance='hv1'} 1x40",
			labels: node + " reason=foreign-rule",
		},
		"BgpOvnAnnouncedElsewhere": gauge("bgp_ovn_announced_elsewhere", 1, 0),
		"BgpOvnContested":          gauge("bgp_ovn_contested", 1, 0),
	}
}

// changeCases are those of what others do, and of files.
func changeCases() map[string]alertCase {
	return map[string]alertCase{
		"BgpOvnDrift": {
			fires:  "bgp_ovn_drift_total{instance='hv1',kind='route',how='deleted'} 0x4 1 2 3 4x40",
			quiet:  "bgp_ovn_drift_total{instance='hv1',kind='route',how='deleted'} 0x4 1x40",
			labels: node + " kind=route how=deleted", after: "5m",
		},
		"BgpOvnHeld": {
			fires: "bgp_ovn_held{instance='hv1',code='held'} 1x80", quiet: "bgp_ovn_held{instance='hv1',code='held'} 1x10 0x80",
			labels: node + " code=held",
		},
		"BgpOvnRowsUnreadable": {
			fires:  "bgp_ovn_skipped_rows{instance='hv1',code='unreadable'} 1x40",
			quiet:  "bgp_ovn_skipped_rows{instance='hv1',code='outranked'} 1x40",
			labels: node + " code=unreadable",
		},
		"BgpOvnStateFile": gauge("bgp_ovn_state_file_up", 0, 1),
		"BgpOvnStateSetAside": {
			fires:  "bgp_ovn_state_files_set_aside{instance='hv1',reason='damaged'} 1",
			quiet:  "bgp_ovn_state_files_set_aside{instance='hv1',reason='damaged'} 0",
			labels: node + " reason=damaged",
		},
		"BgpOvnConfigNotLoaded": gauge("bgp_ovn_config_stale", 1, 0),
		"BgpOvnSlow": {
			fires: "bgp_ovn_source_lag_seconds_bucket{instance='hv1',le='1'} 0x80\n" +
				"bgp_ovn_source_lag_seconds_bucket{instance='hv1',le='2.4'} 0+1x80\n" +
				"bgp_ovn_source_lag_seconds_bucket{instance='hv1',le='+Inf'} 0+1x80",
			quiet: "bgp_ovn_source_lag_seconds_bucket{instance='hv1',le='1'} 0+1x80\n" +
				"bgp_ovn_source_lag_seconds_bucket{instance='hv1',le='2.4'} 0+1x80\n" +
				"bgp_ovn_source_lag_seconds_bucket{instance='hv1',le='+Inf'} 0+1x80",
			labels: node, after: "10m",
		},
		"BgpOvnMonitoringStationDown": {
			fires:  "bgp_ovn_bmp_up{instance='hv1',station='s'} 0x80",
			quiet:  "bgp_ovn_bmp_up{instance='hv1',station='s'} 1x80",
			labels: node + " station=s",
		},
	}
}

// fleetCases are those of all nodes together.
func fleetCases() map[string]alertCase {
	return map[string]alertCase{
		"BgpOvnVersionSkew": {
			fires:  "bgp_ovn_build_info{instance='a',version='1'} 1x160\nbgp_ovn_build_info{instance='b',version='2'} 1x160",
			quiet:  "bgp_ovn_build_info{instance='a',version='2'} 1x160\nbgp_ovn_build_info{instance='b',version='2'} 1x160",
			labels: "", after: "24h10m",
		},
		"BgpOvnWithdrawalWave": {
			fires: "bgp_ovn_prefixes{instance='a',class='fip'} 50x8 20x40\nbgp_ovn_prefixes{instance='b',class='fip'} 10x48",
			quiet: "bgp_ovn_prefixes{instance='a',class='fip'} 9x8 0x40\nbgp_ovn_prefixes{instance='b',class='fip'} 1x48",
			after: "5m",
		},
		"BgpOvnTwoAnnouncers":   fleet("0", 4, 4),
		"BgpOvnNobodyAnnounces": fleet("1", 3, 3),
		"BgpOvnAgentSilent": {
			fires: "bgp_ovn_chassis_info{instance='hv1',chassis='a',hostname='hv1'} 1x40\n" +
				"bgp_ovn_next_chassis_info{instance='hv1',chassis='b',hostname='hv2'} 1x40",
			quiet: "bgp_ovn_chassis_info{instance='hv1',chassis='a',hostname='hv1'} 1x40\n" +
				"bgp_ovn_next_chassis_info{instance='hv1',chassis='b',hostname='hv2'} 1x40\n" +
				"bgp_ovn_chassis_info{instance='hv2',chassis='b',hostname='hv2'} 1x40",
			labels: "chassis=b hostname=hv2",
		},
	}
}

// gauge is an alert on a metric of a node without other labels.
func gauge(name string, bad, good int) alertCase {
	line := func(v int) string { return fmt.Sprintf("%s{instance='hv1'} %dx80", name, v) }
	return alertCase{fires: line(bad), quiet: line(good), labels: "instance=hv1"}
}

// fleet is an alert on two nodes that announce so many of seven addresses in a bucket. A
// third one has an old view, which does not count.
func fleet(bucket string, a, b int) alertCase {
	nodes := func(a, b int) string {
		return strings.ReplaceAll(fmt.Sprintf(`
			bgp_ovn_fleet_announced{instance='a',bucket='B'} %[1]dx40
			bgp_ovn_fleet_announced{instance='b',bucket='B'} %[2]dx40
			bgp_ovn_fleet_announced_checksum{instance='a',bucket='B'} %[1]d00x40
			bgp_ovn_fleet_announced_checksum{instance='b',bucket='B'} %[2]d00x40
			bgp_ovn_fleet_expected{instance='a',bucket='B'} 7x40
			bgp_ovn_fleet_expected{instance='b',bucket='B'} 7x40
			bgp_ovn_fleet_expected{instance='c',bucket='B'} 9x40
			bgp_ovn_fleet_expected_checksum{instance='a',bucket='B'} 700x40
			bgp_ovn_fleet_expected_checksum{instance='b',bucket='B'} 700x40
			bgp_ovn_fleet_expected_checksum{instance='c',bucket='B'} 900x40`, a, b), "'B'", "'"+bucket+"'")
	}
	return alertCase{fires: nodes(a, b), quiet: nodes(3, 4), labels: "bucket=" + bucket}
}
