package oslo

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
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
		"DEFAULT/reconcile_interval":                        integer("reconcile_interval"),
		"DEFAULT/frr_reconcile_interval":                    frr,
		"DEFAULT/expose_tenant_networks":                    boolean("expose_tenant_networks"),
		"DEFAULT/expose_ipv6_gua_tenant_networks":           boolean("expose_ipv6_gua_tenant_networks"),
		"DEFAULT/advertisement_method_tenant_networks":      text("advertisement_method_tenant_networks"),
		"DEFAULT/require_snat_disabled_for_tenant_networks": boolean("require_snat_disabled_for_tenant_networks"),
		"DEFAULT/address_scopes":                            list("address_scopes"),
		"DEFAULT/driver":                                    importDriver,
		"DEFAULT/exposing_method":                           importMethod,
		"DEFAULT/ovsdb_connection":                          text("ovsdb_connection"),
		"DEFAULT/ovsdb_connection_timeout":                  integer("ovsdb_connection_timeout"),
		"DEFAULT/bgp_AS":                                    importAS,
		"DEFAULT/bgp_router_id":                             text("bgp.router_id"),
		"DEFAULT/bgp_nic":                                   importFRRDevice("bgp-nic"),
		"DEFAULT/bgp_vrf":                                   importFRRDevice("bgp-vrf"),
		"DEFAULT/bgp_vrf_table_id":                          importVRFTable,
		"DEFAULT/clear_vrf_routes_on_startup":               vrf,
		"DEFAULT/delete_vrf_on_disconnect":                  boolean("delete_vrf_on_disconnect"),
		"DEFAULT/evpn_local_ip":                             text("evpn_local_ip"),
		"DEFAULT/evpn_nic":                                  text("evpn_nic"),
		"DEFAULT/evpn_udp_dstport":                          integer("evpn_udp_dstport"),
		"DEFAULT/debug":                                     importDebug,
		"agent/root_helper":                                 helper,
		"agent/root_helper_daemon":                          helper,
		"ovn/ovn_sb_connection":                             commaText("ovn_sb_connection"),
		"ovn/ovn_sb_private_key":                            text("ovn_sb_private_key"),
		"ovn/ovn_sb_certificate":                            text("ovn_sb_certificate"),
		"ovn/ovn_sb_ca_cert":                                text("ovn_sb_ca_cert"),
		"ovn/ovn_nb_connection":                             commaText("ovn_nb_connection"),
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

// dropped drops an option by name.
func dropped(why string) translator { return func(assignment) outcome { return outcome{remark: why} } }

// text keeps a value as it is; whether it is valid here is tried afterwards.
func text(key string) translator {
	return func(a assignment) outcome { return outcome{key: key, value: a.value} }
}

// list is for a key that holds a list.
func list(key string) translator {
	return func(a assignment) outcome { return outcome{key: key, value: a.list()} }
}

// commaText is for a key whose list is one text with commas.
func commaText(key string) translator {
	return func(a assignment) outcome { return outcome{key: key, value: strings.Join(a.list(), ",")} }
}

// integer is for a key that holds a number.
func integer(key string) translator {
	return func(a assignment) outcome {
		n, err := strconv.Atoi(a.value)
		if err != nil {
			return outcome{remark: "it is not a number"}
		}
		return outcome{key: key, value: n}
	}
}

// boolean is for a key that is true or false. The words of oslo.config are others
// than ours.
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

// importDriver finds the driver by the names that ours have in common with the
// predecessor's. Its Northbound driver announces what ours derives from the
// Southbound database.
func importDriver(a assignment) outcome {
	name, remark := a.value, ""
	if name == "nb_ovn_bgp_driver" {
		name = bgp.Name
		remark = "the same addresses are derived from the Southbound database: " +
			"every node needs to reach it (ovn_sb_connection)"
	}
	spec, err := drivers.All().Find(name)
	if err != nil {
		return outcome{remark: "there is no such driver here; without it " + bgp.Name + " runs"}
	}
	if spec.Name == evpn.Name {
		remark = "FRR's part is the speaker's now: a neighbour in bgp.peers needs l2vpn-evpn among its families"
	}
	return outcome{key: "drivers", value: []string{spec.Name}, remark: remark}
}

// importMethod takes the one method that both have. The others are chosen for each
// network here, because the annotations that the predecessor reads are in the
// Northbound database only.
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

// importAS accepts the dotted form of RFC 5396 too, as the predecessor does.
func importAS(a assignment) outcome {
	as, err := config.ParseAS(a.value)
	if err != nil {
		return outcome{remark: "left out: bgp.as: " + err.Error()}
	}
	return outcome{key: "bgp.as", value: as}
}

// importFRRDevice drops a device that the predecessor made for FRR. One with the
// usual name is found by adopt without being told.
func importFRRDevice(flag string) translator {
	return func(a assignment) outcome {
		why := "no such device is used"
		if a.value != flag {
			why += fmt.Sprintf("; to have it removed: bgp-ovn adopt --remove-frr-interfaces --%s %s", flag, a.value)
		}
		return outcome{remark: why}
	}
}

// importVRFTable says whether the VRF's table is in the range from which ours come.
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

// importDebug turns the switch into a level; without it the level is the same.
func importDebug(a assignment) outcome {
	if on, _ := a.boolean(); on {
		return outcome{key: "log.level", value: "debug"}
	}
	return outcome{}
}
