package ovsport

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

func open(t *testing.T, sw *vswitchtest.Switch) *Backend {
	t.Helper()
	b, err := Open(t.Context(), vswitch.Config{Endpoint: sw.Endpoint()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	b.index = func(name string) (int, error) { return indexIn(sw, name) }
	return b
}

// lab is a switch with bridge br-ex and a backend on it.
func lab(t *testing.T) (*vswitchtest.Switch, *Backend) {
	t.Helper()
	sw := vswitchtest.Start(t)
	sw.AddBridge("br-ex")
	return sw, open(t, sw)
}

func internal(name string, tag uint16) object.OVSPort {
	return object.OVSPort{
		Name: name, Bridge: "br-ex", Type: object.OVSInternal, Tag: tag,
		MAC: object.MAC{2, 0, 0, 0, 0, byte(tag)},
	}
}

func focus(t *testing.T, values ...object.Value) actual.Focus {
	t.Helper()
	want, err := object.SetOf(values...)
	if err != nil {
		t.Fatal(err)
	}
	return actual.Focus{Want: want}
}

func read(t *testing.T, b *Backend, f actual.Focus) object.Set {
	t.Helper()
	have, err := b.Read(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return have
}

func creates(values ...object.Value) []object.Change {
	var out []object.Change
	for _, v := range values {
		out = append(out, object.Change{After: v})
	}
	return out
}

func mustApply(t *testing.T, b *Backend, changes ...object.Change) {
	t.Helper()
	if err := errors.Join(b.Apply(t.Context(), changes)...); err != nil {
		t.Fatal(err)
	}
}

// await returns the first set that satisfies holds, woken by Changed alone.
func await(t *testing.T, b *Backend, f actual.Focus, what string, holds func(object.Set, error) bool) object.Set {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		have, err := b.Read(t.Context(), f)
		if holds(have, err) {
			select {
			case <-b.Changed(): // of what was read just now
			default:
			}
			return have
		}
		select {
		case <-b.Changed():
		case <-deadline:
			t.Fatalf("in vain waited until %s; have %v, %v", what, have.Sorted(), err)
		}
	}
}

func is(want object.Value, ours bool) func(object.Set, error) bool {
	return func(have object.Set, err error) bool {
		it, ok := have.Get(want.Key())
		return err == nil && ok && it.Value == want && it.Marked == ours
	}
}

// quietly fails if Changed has been signalled.
func quietly(t *testing.T, b *Backend) {
	t.Helper()
	select {
	case <-b.Changed():
		t.Error("Changed was signalled for what we did ourselves")
	default:
	}
}

func TestContract(t *testing.T) {
	_, s := subject(t)
	contract.Run(t, s)
}

// TestProofDrift holds the database to what the model does when others change what is
// ours.
func TestProofDrift(t *testing.T) {
	sw, s := subject(t)
	contract.Drift(t, s, func(t *testing.T, _ actual.Backend, act contract.Act, v object.Value) bool {
		p := v.(object.OVSPort)
		switch act {
		case contract.Remove:
			sw.Vsctl("--no-wait", "del-port", p.Name)
		case contract.Change:
			args := []string{"--no-wait", "set", "port", p.Name, fmt.Sprintf("tag=%d", p.Tag)}
			if !p.MAC.IsZero() { // in one transaction, or the repair of the first half meets the second one
				args = append(args, "--", "set", "interface", p.Name, fmt.Sprintf("mac=\"%s\"", p.MAC))
			}
			sw.Vsctl(args...)
		case contract.Take:
			sw.Vsctl("--no-wait", "remove", "port", p.Name, "external_ids", object.OVSPortMark)
		case contract.Again:
			if p.Type == object.OVSInternal {
				vswitchtest.Eventually(t, "Open vSwitch has made the device", func() bool {
					return sw.Vsctl("get", "interface", p.Name, "ifindex") != "[]"
				})
				sw.Host("ip", "link", "del", p.Name)
			} else {
				remakeVeth(sw)
			}
		}
		return true
	})
}

// subject is a switch with a bridge and a device for a port.
func subject(t *testing.T) (*vswitchtest.Switch, contract.Subject) {
	t.Helper()
	sw := vswitchtest.Start(t)
	sw.AddBridge("br-ex")
	makeVeth(sw)
	return sw, contract.Subject{
		New: func(t *testing.T) actual.Backend {
			t.Helper()
			t.Cleanup(func() {
				for _, name := range strings.Fields(sw.Vsctl("list-ports", "br-ex")) {
					sw.Vsctl("--no-wait", "del-port", name)
				}
			})
			return open(t, sw)
		},
		Device: "veth-ovs-1001", Bridge: "br-ex",
		Foreign: func(t *testing.T, _ actual.Backend, v object.Value) {
			p := v.(object.OVSPort)
			sw.Vsctl("--no-wait", "add-port", p.Bridge, p.Name, "--", "set", "interface", p.Name, "type="+p.Type)
		},
	}
}

func makeVeth(sw *vswitchtest.Switch) {
	sw.Host("ip", "link", "add", "veth-ovs-1001", "type", "veth", "peer", "name", "veth-vrf-1001")
	sw.Host("ip", "link", "set", "veth-ovs-1001", "up")
	sw.Host("ip", "link", "set", "veth-vrf-1001", "up")
}

func remakeVeth(sw *vswitchtest.Switch) {
	sw.Host("ip", "link", "del", "veth-ovs-1001")
	makeVeth(sw)
}

// indexIn is deviceIndex in the network namespace of the switch.
func indexIn(sw *vswitchtest.Switch, name string) (int, error) {
	if !strings.Contains(sw.Host("ip", "-o", "link", "show"), " "+name+"@") {
		return 0, nil
	}
	number, _, _ := strings.Cut(sw.Host("ip", "-o", "link", "show", name), ":")
	return strconv.Atoi(number)
}

// The rows are what a person would have made, and the switch takes them.
func TestRows(t *testing.T) {
	sw, b := lab(t)
	sw.Host("ip", "link", "add", "veth-ovs-1001", "type", "veth", "peer", "name", "veth-vrf-1001")
	vlan, leg := internal("vlan-1002", 7), object.OVSPort{Name: "veth-ovs-1001", Bridge: "br-ex"}
	f := focus(t, vlan, leg)
	read(t, b, f)
	mustApply(t, b, creates(vlan, leg)...)
	vswitchtest.Eventually(t, "both have numbers", func() bool {
		return sw.Vsctl("get", "interface", vlan.Name, "ofport") != "[]" &&
			sw.Vsctl("get", "interface", leg.Name, "ofport") != "[]"
	})
	index, err := indexIn(sw, leg.Name)
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string]string{
		"port vlan-1002 tag":                   "7",
		"port vlan-1002 external_ids:bgp-ovn":  `"1"`,
		"interface vlan-1002 type":             "internal",
		"interface vlan-1002 mac":              `"02:00:00:00:00:07"`,
		"interface vlan-1002 mac_in_use":       `"02:00:00:00:00:07"`,
		"port veth-ovs-1001 tag":               "[]",
		"port veth-ovs-1001 external_ids":      `{bgp-ovn="1"}`,
		"interface veth-ovs-1001 type":         `""`,
		"interface veth-ovs-1001 mac":          "[]",
		"interface veth-ovs-1001 external_ids": fmt.Sprintf("{bgp-ovn=\"1\", bgp-ovn-ifindex=\"%d\"}", index),
		"interface veth-ovs-1001 error":        "[]",
	} {
		if got := sw.Vsctl(append([]string{"get"}, strings.Fields(what)...)...); got != want {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
	}
	if got := sw.Host("ip", "link", "show", "vlan-1002"); !strings.Contains(got, "02:00:00:00:00:07") {
		t.Errorf("the device is %s", got)
	}

	uuid, number := sw.Vsctl("get", "port", vlan.Name, "_uuid"), sw.Vsctl("get", "interface", vlan.Name, "ofport")
	other := vlan
	other.Tag, other.MAC = 8, object.MAC{2, 0, 0, 0, 0, 8}
	mustApply(t, b, object.Change{Before: vlan, After: other})
	vswitchtest.Eventually(t, "the device has the other MAC", func() bool {
		return strings.Contains(sw.Host("ip", "link", "show", "vlan-1002"), "02:00:00:00:00:08")
	})
	if got := sw.Vsctl("get", "port", vlan.Name, "_uuid", "tag"); got != uuid+"\n8" ||
		sw.Vsctl("get", "interface", vlan.Name, "ofport") != number {
		t.Errorf("the port was not changed in place: %s, was %s", got, uuid)
	}
	quietly(t, b)

	mustApply(t, b, object.Change{Before: other}, object.Change{Before: leg})
	if got := sw.Vsctl("list-ports", "br-ex") + sw.Vsctl("find", "interface", "name=vlan-1002") +
		sw.Vsctl("find", "port", "name=veth-ovs-1001"); got != "" {
		t.Errorf("left is %s", got)
	}
}

// What cannot be changed in place is made again, in one step for the switch.
func TestReplace(t *testing.T) {
	sw, b := lab(t)
	sw.AddBridge("br-2")
	old := internal("vlan-1002", 7)
	moved := old
	moved.Bridge, moved.Tag = "br-2", 0
	f := focus(t, moved)
	read(t, b, f)
	mustApply(t, b, creates(old)...)
	mustApply(t, b, object.Change{Before: old, After: moved})
	if got := sw.Vsctl("port-to-br", old.Name); got != "br-2" || !is(moved, true)(read(t, b, f), nil) {
		t.Errorf("it is on %s", got)
	}
	mustApply(t, b, object.Change{Before: moved}, object.Change{After: old}, object.Change{Before: old},
		object.Change{After: moved})
	if !is(moved, true)(b.Read(t.Context(), actual.Focus{Want: f.Want, Complete: true})) {
		t.Errorf("after changing one port four times it is not there")
	}
}
