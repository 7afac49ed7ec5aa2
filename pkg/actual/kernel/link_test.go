package kernel

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/rtnl"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"golang.org/x/sys/unix"
)

// TestDeviceMoved: a device that goes to another namespace is gone here.
func TestDeviceMoved(t *testing.T) {
	l := newLab(t)
	other := make(chan *rtnl.Namespace, 1)
	go func() {
		runtime.LockOSThread() // never unlocked
		if unix.Unshare(unix.CLONE_NEWNET) == nil {
			if ns, err := rtnl.OpenNamespace(""); err == nil {
				other <- ns
			}
		}
		close(other)
	}()
	ns, ok := <-other
	if !ok {
		t.Fatal("no second namespace")
	}
	defer ns.Close()
	want := everyKind(t)
	l.read(wanting(t, want...))
	l.build(want)
	l.read(wanting(t, want...))
	l.clearSignals()
	l.ip(fmt.Sprintf("link set d0 netns /proc/%d/fd/%d", os.Getpid(), elsewhere{t, ns}.fd(t)))
	l.woken()
	kept := text(l.read(wanting(t, want...)))
	if fresh := text(l.read(complete(wanting(t, want...)))); kept != fresh || strings.Contains(kept, "d0") {
		t.Errorf("the mirror has:\n%s\nthe kernel has:\n%s", kept, fresh)
	}
}

// TestLink makes VLAN links where the kernel can, and demands a clear error
// where it cannot.
func TestLink(t *testing.T) {
	l := newLab(t)
	v := parse(t, "link d0.100  type vlan parent d0 id 100 up").(object.Link)
	if !canVLAN(t) {
		t.Log("this kernel lacks 802.1Q: only the error is tested")
		err := l.apply(create(v))[0]
		if err == nil || !strings.Contains(err.Error(), "kernel has no 802.1Q support; load module 8021q") {
			t.Errorf("got %v", err)
		}
		if l.read(complete(wanting(t, v))).Has(v.Key()) || !object.IsUntouched(err) {
			t.Error("something was made, or may have been")
		}
		return
	}
	l.clearSignals()
	l.must(create(v))
	l.must(create(v))
	l.agrees([]object.Value{v})
	l.quiet()
	if it, _ := l.read(wanting(t, v)).Get(v.Key()); !it.Marked {
		t.Error("ours is not marked")
	}
	other := v
	other.VLAN = 200
	on := []object.Value{
		parse(t, "address 169.254.1.100/32 dev d0.100"),
		parse(t, "route 10.0.0.5/32 table 201 metric 0  dev d0.100"),
	}
	l.build(on)
	l.agrees(append(on, v))
	l.must(update(v, other))
	l.agrees([]object.Value{other})
	down := other
	down.Up = false
	l.must(update(other, down))
	l.agrees([]object.Value{down})
	l.clearSignals() // notifications of what was on a replaced link come later: one more read
	l.must(remove(down))
	l.must(remove(down))
	l.agrees(nil)
	l.quiet()
	// Another owner's under the name stays.
	l.ip("link add link d1 name d0.100 type vlan id 7")
	if err := l.apply(create(v))[0]; err == nil || !strings.Contains(err.Error(), "another owner's link") {
		t.Errorf("got %v", err)
	}
	if err := l.apply(remove(v))[0]; err == nil {
		t.Error("deleted another owner's link")
	}
	l.ip("link show d0.100")
}

// TestForeignLink: what exists under the name of a link of ours is seen and
// stays.
func TestForeignLink(t *testing.T) {
	l := newLab(t)
	l.ip("link add d0.100 type bridge")
	v := parse(t, "link d0.100  type vlan parent d0 id 100 up")
	if it, ok := l.read(wanting(t, v)).Get(v.Key()); !ok || it.Marked || it.Value.(object.Link).Type != "bridge" {
		t.Errorf("got %v, marked %v", it.Value, it.Marked)
	}
	for _, c := range []object.Change{create(v), remove(v), update(v, v)} {
		if err := l.apply(c)[0]; err == nil || !strings.Contains(err.Error(), "another owner's link") {
			t.Errorf("got %v", err)
		}
	}
	l.ip("link show d0.100")
}

// TestOurLinkByAlias: what carries our alias is ours, with what is on it;
// the address that the kernel gives it is not.
func TestOurLinkByAlias(t *testing.T) {
	l := newLab(t)
	l.ip("link add ours0 type ifb")
	l.ip("link set ours0 alias bgp-ovn up")
	l.ip("addr add 192.0.2.1/32 dev ours0")
	l.ip("neigh add 192.0.2.2 dev ours0 lladdr 02:00:00:00:00:01 nud permanent")
	want := strings.Join([]string{
		"* link ours0  type ifb up",
		"* address 192.0.2.1/32 dev ours0",
		"* neigh 192.0.2.2 dev ours0  lladdr 02:00:00:00:00:01",
	}, "\n")
	for _, f := range []actual.Focus{{}, {Complete: true}} {
		if got := text(l.read(f)); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
	l.ip("link set ours0 alias else")
	l.woken()
	if got := text(l.read(actual.Focus{Complete: true})); got != "" {
		t.Errorf("got:\n%s", got)
	}
}

// A device whose deletion has not been notified yet does not keep its name, nor take it
// from its successor when the notification comes.
func TestNamesOfLinks(t *testing.T) {
	l := newLinks()
	l.put(link{index: 5, name: "br-7"})
	l.put(link{index: 9, name: "br-7"})
	if _, there := l.byIndex[5]; there {
		t.Error("two devices have one name")
	}
	l.remove(5)
	if got, ok := l.named("br-7"); !ok || got.index != 9 {
		t.Errorf("br-7 is %+v, %t", got, ok)
	}
	l.put(link{index: 9, name: "br-8"})
	if _, ok := l.named("br-7"); ok {
		t.Error("a renamed device keeps its old name")
	}
}

// TestSettingsOfPorts: what another program changes of a port of a bridge is noticed, although
// the kernel tells of it by the bridge only.
func TestSettingsOfPorts(t *testing.T) {
	l := newLab(t)
	want := []object.Value{
		parse(t, "link br-9  type bridge mac 02:00:00:00:00:09 up"),
		parse(t, "link vxlan-9  type vxlan id 9 local 192.0.2.1 port 4789 mac 02:00:00:00:00:08 master br-9 nolearning "+
			"neigh_suppress up"),
	}
	l.read(wanting(t, want...))
	l.build(want)
	l.agrees(want)
	for _, setting := range []string{"learning on", "neigh_suppress off"} {
		l.clearSignals()
		args := append([]string{"link", "set", "dev", "vxlan-9"}, strings.Fields(setting)...)
		if out, err := exec.Command("bridge", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		l.woken()
		it, _ := l.read(wanting(t, want...)).Get(want[1].Key())
		if it.Value == want[1] {
			t.Errorf("%s is not seen: %s", setting, object.Text(it.Value))
		}
		l.must(update(it.Value, want[1]))
		l.agrees(want)
	}
}
