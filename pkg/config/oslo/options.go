package oslo

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
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
	// refused is set on what has a meaning that cannot be translated.
	refused bool
}

// refused is the outcome of an option without which the rest would mean something
// else.
func refused(why string) outcome { return outcome{remark: why, refused: true} }

// translator turns the value of one option into its outcome.
type translator func(a assignment) outcome

// predecessorOptions are all options of ovn-bgp-agent and of networking-bgp-ovn,
// by group and name, and what becomes of each. Those of libraries that every such
// service has are in libraryOptions.
var predecessorOptions = sync.OnceValue(func() map[string]translator {
	all := ownOptions()
	for name, f := range all {
		if option, ok := strings.CutPrefix(name, "ovn/"); ok {
			all[groupDefault+"/"+option] = f // where it was once: deprecated_group
		}
	}
	return all
})

func ownOptions() map[string]translator {
	frr := dropped("it is about FRR's configuration, and the speaker is part of bgp-ovn")
	helper := dropped("bgp-ovn runs with CAP_NET_ADMIN and starts no helper as root")
	vrf := onlyWhen("true", "there is no VRF to clear: every round compares all routes with what is wanted")
	inNode := dropped("it has a meaning with exposing_method = ovn only, which is not supported")
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
		"agent/use_helper_for_ns_read":                      helper,
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

// libraryOptions are those that oslo.log, oslo.service, oslo.concurrency, oslo.privsep
// and oslo.config give to every OpenStack service, by group and name, and why each has
// no meaning here. They say nothing about what is announced.
var libraryOptions = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	for why, names := range map[string]string{
		"bgp-ovn logs to standard error, for the journal; see log.level and log.format": `log_config_append
			log_date_format log_file logfile log_dir logdir log_format watch_log_file use_syslog use_syslog_rfc_format
			use_journal use_eventlog syslog_log_facility use_json use_stderr log_color default_log_levels verbose
			log_rotate_interval log_rotate_interval_type log_rotation_type max_logfile_count max_logfile_size_mb
			logging_context_format_string logging_default_format_string logging_debug_format_suffix
			logging_exception_prefix logging_user_identity_format instance_format instance_uuid_format publish_errors
			rate_limit_interval rate_limit_burst rate_limit_except_level fatal_deprecations log_options`,
		"bgp-ovn is one process without locks in files": "lock_path disable_process_locking " +
			"oslo_concurrency/lock_path oslo_concurrency/disable_process_locking",
		"bgp-ovn is asked over its control socket": "backdoor_port backdoor_socket",
		"bgp-ovn ends at once, and the neighbours keep its routes meanwhile (bgp.graceful_restart)": "" +
			"graceful_shutdown_timeout",
		"every round compares everything, there are no periodic tasks": "run_external_periodic_tasks",
		"bgp-ovn reads one file, see --config":                         "config_file config_dir config_source",
	} {
		for name := range strings.FieldsSeq(names) {
			if !strings.Contains(name, "/") {
				name = groupDefault + "/" + name
			}
			all[name] = why
		}
	}
	return all
})

// translate looks the option up. An unknown one is dropped by name.
func translate(a assignment, all []assignment) outcome {
	if why, ok := libraryOptions()[a.key()]; ok {
		return outcome{remark: why}
	}
	if strings.HasPrefix(groupOf(a.group), "privsep") {
		return outcome{remark: "bgp-ovn runs with CAP_NET_ADMIN and starts no helper as root"}
	}
	f, ok := predecessorOptions()[a.key()]
	if !ok {
		return unknown(a)
	}
	if newer, ok := find(all, "ovn", a.name); ok && a.group == groupDefault && groupOf(newer.group) == "ovn" {
		return outcome{remark: fmt.Sprintf("it has no effect, line %d has it in [%s]", newer.line, newer.group)}
	}
	if !utf8.ValidString(a.value) {
		return refused("its value is not UTF-8")
	}
	r := resolver{all: all, left: mostReferences}
	value := r.resolve(a)
	if r.missing != "" {
		return refused("it refers to $" + r.missing + ", which this file does not have: write out what that stands for " +
			"and import again")
	}
	a.value = value
	o := f(a)
	if o.remark == "" && o.key != "" {
		o.remark = southboundIgnores(o, all)
	}
	return o
}

// unknown drops an option that is none of the predecessor's.
func unknown(a assignment) outcome {
	if strings.EqualFold(a.group, groupDefault) && a.group != groupDefault {
		return outcome{remark: "ovn-bgp-agent ignores it: the group is spelled [DEFAULT]"}
	}
	return outcome{remark: "unknown option, which ovn-bgp-agent ignores"}
}

// southboundIgnores says what an option means here that the predecessor's Southbound
// driver does not look at.
func southboundIgnores(o outcome, all []assignment) string {
	driver, ok := find(all, groupDefault, "driver")
	if ok && driver.value == driverNorthbound {
		return ""
	}
	switch {
	case o.key == "advertisement_method_tenant_networks" && o.value == "subnet":
		return "the Southbound driver of ovn-bgp-agent ignores it and announces each address; bgp-ovn announces subnets " +
			"then: write host if nothing is to change"
	case o.key == "require_snat_disabled_for_tenant_networks" && o.value == true:
		return "the Southbound driver of ovn-bgp-agent ignores it; bgp-ovn withdraws subnets that a router translates, and " +
			"needs the Northbound database for that: write false if nothing is to change"
	default:
		return ""
	}
}

// driverNorthbound is the predecessor's driver that reads the Northbound database.
const driverNorthbound = "nb_ovn_bgp_driver"

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
		// Python reads 1_000 as a thousand.
		n, err := strconv.Atoi(strings.ReplaceAll(a.value, "_", ""))
		if err != nil {
			return refused("it is not a number")
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
			return refused("it is neither true nor false")
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
	if name == driverNorthbound {
		name = bgp.Name
		remark = "the same addresses are derived from the Southbound database: " +
			"every node needs to reach it (ovn_sb_connection)"
	}
	spec, err := drivers.All().Find(name)
	if err != nil {
		return refused("there is no such driver here")
	}
	if spec.Name == evpn.Name {
		remark = "FRR's part is the speaker's now: a neighbour in bgp.peers needs l2vpn-evpn among its families"
	}
	return outcome{key: "drivers", value: []string{spec.Name}, remark: remark}
}

// importMethod takes the one method that both have. With the others addresses are not
// announced to the fabric as they are here. Two of them are chosen for each network
// here, because the annotations that the predecessor reads are in the Northbound
// database only.
func importMethod(a assignment) outcome {
	switch a.value {
	case "underlay":
		return outcome{} // it is what is done
	case "vrf", "l2vni":
		return refused(fmt.Sprintf("name each network in evpn.networks, with method: %s "+
			"and its VNI, and add osp_ovn_evpn_driver to drivers: "+
			"the annotations of networks are in the Northbound database only", a.value))
	default:
		return refused("only underlay is supported: addresses are announced from the node's own routing tables")
	}
}

// importAS accepts the dotted form of RFC 5396 too, as the predecessor does.
func importAS(a assignment) outcome {
	as, err := config.ParseAS(a.value)
	if err != nil {
		return refused("bgp.as: " + err.Error())
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
