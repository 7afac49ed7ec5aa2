package oslo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
)

// outcome is what becomes of one option.
type outcome struct {
	key   string // of our configuration; empty if it is dropped
	value any
	// remark says what is different with us; with it the option needs a look.
	remark string
}

// translator turns the value of one option into its outcome.
type translator func(a assignment) outcome

// predecessorOptions are all options of ovn-bgp-agent and of networking-bgp-ovn,
// by group and name, and what becomes of each.
func predecessorOptions() map[string]translator {
	frr := dropped("it is about FRR's configuration, and the speaker is part of bgp-ovn")
	helper := dropped("bgp-ovn runs with CAP_NET_ADMIN and starts no helper as root")
	vrf := onlyWhen("true", "there is no VRF to clear: every round compares all routes with what is wanted")
	inNode := dropped("an OVN cluster inside of the node (exposing_method ovn) is not supported")
	return map[string]translator{
		"DEFAULT/reconcile_interval":                        integer("reconcile_interval", ""),
		"DEFAULT/frr_reconcile_interval":                    frr,
		"DEFAULT/expose_tenant_networks":                    boolean("expose_tenant_networks"),
		"DEFAULT/expose_ipv6_gua_tenant_networks":           boolean("expose_ipv6_gua_tenant_networks"),
		"DEFAULT/advertisement_method_tenant_networks":      text("advertisement_method_tenant_networks"),
		"DEFAULT/require_snat_disabled_for_tenant_networks": boolean("require_snat_disabled_for_tenant_networks"),
		"DEFAULT/address_scopes":                            list("address_scopes"),
		"DEFAULT/driver":                                    importDriver,
		"DEFAULT/exposing_method":                           importMethod,
		"DEFAULT/ovsdb_connection":                          text("ovsdb_connection"),
		"DEFAULT/ovsdb_connection_timeout":                  integer("ovsdb_connection_timeout", ""),
		"DEFAULT/bgp_AS":                                    importAS,
		"DEFAULT/bgp_router_id":                             text("bgp.router_id"),
		"DEFAULT/bgp_nic":                                   importFRRDevice("bgp-nic"),
		"DEFAULT/bgp_vrf":                                   importFRRDevice("bgp-vrf"),
		"DEFAULT/bgp_vrf_table_id":                          importVRFTable,
		"DEFAULT/clear_vrf_routes_on_startup":               vrf,
		"DEFAULT/delete_vrf_on_disconnect":                  boolean("delete_vrf_on_disconnect"),
		"DEFAULT/evpn_local_ip":                             text("evpn_local_ip"),
		"DEFAULT/evpn_nic":                                  text("evpn_nic"),
		"DEFAULT/evpn_udp_dstport":                          integer("evpn_udp_dstport", ""),
		"DEFAULT/debug":                                     importDebug,
		"agent/root_helper":                                 helper,
		"agent/root_helper_daemon":                          helper,
		"ovn/ovn_sb_connection":                             list1("ovn_sb_connection"),
		"ovn/ovn_sb_private_key":                            text("ovn_sb_private_key"),
		"ovn/ovn_sb_certificate":                            text("ovn_sb_certificate"),
		"ovn/ovn_sb_ca_cert":                                text("ovn_sb_ca_cert"),
		"ovn/ovn_nb_connection":                             list1("ovn_nb_connection"),
		"ovn/ovn_nb_private_key":                            text("ovn_nb_private_key"),
		"ovn/ovn_nb_certificate":                            text("ovn_nb_certificate"),
		"ovn/ovn_nb_ca_cert":                                text("ovn_nb_ca_cert"),
		"local_ovn_cluster/ovn_nb_connection":               inNode,
		"local_ovn_cluster/external_nics":                   inNode,
		"local_ovn_cluster/peer_ips":                        inNode,
		"local_ovn_cluster/provider_networks_pool_prefixes": inNode,
		"local_ovn_cluster/bgp_chassis_id":                  inNode,
	}
}

// loggingOptions are those of oslo.log, which every OpenStack service has.
var loggingOptions = []string{
	"log_config_append", "log_date_format", "log_file", "log_dir", "watch_log_file", "use_syslog", "use_journal",
	"syslog_log_facility", "use_json", "use_stderr", "log_color", "default_log_levels", "verbose",
	"logging_context_format_string", "logging_default_format_string", "logging_exception_prefix",
}

// translate looks the option up. An unknown one is dropped by name.
func translate(a assignment) outcome {
	if !utf8.ValidString(a.value) {
		return outcome{remark: "its value is not UTF-8"}
	}
	if strings.Contains(a.value, "$") {
		return outcome{remark: "it refers to another option ($): write out what it stands for and import again"}
	}
	if f, ok := predecessorOptions()[a.group+"/"+a.name]; ok {
		return f(a)
	}
	if a.group == "DEFAULT" && slices.Contains(loggingOptions, a.name) {
		return outcome{remark: "bgp-ovn logs to standard error, for the journal; see log.level and log.format"}
	}
	if strings.HasPrefix(a.group, "privsep") {
		return outcome{remark: "bgp-ovn runs with CAP_NET_ADMIN and starts no helper as root"}
	}
	return outcome{remark: "unknown option"}
}

func dropped(why string) translator { return func(assignment) outcome { return outcome{remark: why} } }

func text(key string) translator {
	return func(a assignment) outcome { return outcome{key: key, value: a.value} }
}

func list(key string) translator {
	return func(a assignment) outcome { return outcome{key: key, value: a.list()} }
}

// list1 is for a key whose list is one text with commas.
func list1(key string) translator {
	return func(a assignment) outcome { return outcome{key: key, value: strings.Join(a.list(), ",")} }
}

func integer(key, remark string) translator {
	return func(a assignment) outcome {
		n, err := strconv.Atoi(a.value)
		if err != nil {
			return outcome{remark: "it is not a number"}
		}
		return outcome{key: key, value: n, remark: remark}
	}
}

func boolean(key string) translator {
	return func(a assignment) outcome {
		v, ok := a.boolean()
		if !ok {
			return outcome{remark: "it is neither true nor false"}
		}
		return outcome{key: key, value: v}
	}
}

// onlyWhen drops an option, silently where it has no effect.
func onlyWhen(value, why string) translator {
	return func(a assignment) outcome {
		if v, ok := a.boolean(); ok && strconv.FormatBool(v) != value {
			return outcome{}
		}
		return outcome{remark: why}
	}
}

func importDriver(a assignment) outcome {
	const ours = "osp_ovn_bgp_driver"
	switch a.value {
	case "ovn_bgp_driver", ours:
		return outcome{key: "drivers", value: []string{ours}}
	case "ovn_evpn_driver", "osp_ovn_evpn_driver":
		return outcome{
			key: "drivers", value: []string{"osp_ovn_evpn_driver"},
			remark: "FRR's part is the speaker's now: a neighbour in bgp.peers needs l2vpn-evpn among its families",
		}
	case "nb_ovn_bgp_driver":
		return outcome{
			key: "drivers", value: []string{ours},
			remark: "the same addresses are derived from the Southbound database: " +
				"every node needs to reach it (ovn_sb_connection)",
		}
	default:
		return outcome{remark: "there is no such driver here; without it osp_ovn_bgp_driver runs"}
	}
}

func importMethod(a assignment) outcome {
	if a.value == "underlay" {
		return outcome{} // it is what is done
	}
	if a.value == "vrf" || a.value == "l2vni" {
		return outcome{remark: fmt.Sprintf("name each network in evpn.networks, with method: %s "+
			"and its VNI, and add osp_ovn_evpn_driver to drivers: "+
			"the annotations of networks are in the Northbound database only", a.value)}
	}
	return outcome{remark: "only underlay is supported: addresses are announced from the node's own routing tables"}
}

// importAS accepts the dotted form of RFC 5396 too.
func importAS(a assignment) outcome {
	if high, low, dotted := strings.Cut(a.value, "."); dotted {
		h, errHigh := strconv.ParseUint(high, 10, 16)
		l, errLow := strconv.ParseUint(low, 10, 16)
		if errHigh == nil && errLow == nil {
			return outcome{key: "bgp.as", value: h<<16 | l}
		}
	}
	n, err := strconv.ParseUint(a.value, 10, 32)
	if err != nil {
		return outcome{remark: "it is not an autonomous system number"}
	}
	return outcome{key: "bgp.as", value: n}
}

func importFRRDevice(flag string) translator {
	return func(a assignment) outcome {
		why := "no such device is used"
		if a.value != flag {
			why += fmt.Sprintf("; to have it removed: bgp-ovn adopt --remove-frr-interfaces --%s %s", flag, a.value)
		}
		return outcome{remark: why}
	}
}

// importVRFTable keeps the VRF's table out of the range from which ours come.
// Tables that hold routes of others are left out of it anyway.
func importVRFTable(a assignment) outcome {
	tables := config.Defaults().Routing
	n, err := strconv.ParseUint(a.value, 10, 32)
	if err == nil && (uint32(n) < tables.TableLow || uint32(n) > tables.TableHigh) {
		return outcome{remark: "there is no VRF; routing.table_range does not have that table in it"}
	}
	return outcome{remark: "there is no VRF, but that table is in routing.table_range: " +
		"change the range if it is still used"}
}

func importDebug(a assignment) outcome {
	if on, _ := a.boolean(); on {
		return outcome{key: "log.level", value: "debug"}
	}
	return outcome{}
}
