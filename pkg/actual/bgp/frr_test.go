package bgp_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual/bgp"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// The two ends of the wire between the tests and FRR.
const (
	ours4, frr4 = "10.99.0.1", "10.99.0.2"
	ours6, frr6 = "fd00:99::1", "fd00:99::2"
)

// frr is Debian's bgpd and zebra in a network namespace of their own, at the
// other end of a veth pair.
type frr struct {
	t   *testing.T
	dir string
	pid string // of the process that holds the namespace
}

// newFRR starts FRR with these lines inside "router bgp".
func newFRR(t *testing.T, bgp string) *frr {
	t.Helper()
	dir, err := os.MkdirTemp("", "frr") // short: it holds unix sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &frr{t: t, dir: dir}
	run(t, "chown", "frr:frr", dir)
	holder := child(t, exec.Command("unshare", "-n", "sh", "-c", "echo; exec sleep infinity"),
		filepath.Join(dir, "holder"))
	f.pid = fmt.Sprint(holder.Process.Pid)
	eventually(t, 10*time.Second, func() string { return emptyIf(fileHas(dir+"/holder", "\n"), "no namespace yet") })
	f.wire()
	// By default zebra changes an IPv6 route by deleting and adding it.
	f.daemon("zebra", "hostname z\n", "--v6-rr-semantics")
	eventually(t, 10*time.Second, func() string { return emptyIf(exists(dir+"/zserv"), "no zebra") })
	f.daemon("bgpd", fmt.Sprintf("hostname b\nrouter bgp %d\n bgp router-id %s\n no bgp ebgp-requires-policy\n%s\n",
		neighbourAS, frr4, bgp))
	eventually(t, 10*time.Second, func() string { return emptyIf(exists(dir+"/bgpd.vty"), "no bgpd") })
	return f
}

// wire connects the namespaces. Addresses are in use at once: no duplicate
// address detection.
func (f *frr) wire() {
	run(f.t, "ip", "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", f.pid)
	f.t.Cleanup(func() { run(f.t, "ip", "link", "del", "v0") })
	run(f.t, "ip", "addr", "add", ours4+"/24", "dev", "v0")
	run(f.t, "ip", "addr", "add", ours6+"/64", "dev", "v0", "nodad")
	run(f.t, "sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/v0/accept_dad")
	run(f.t, "ip", "link", "set", "v0", "up")
	f.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/v1/accept_dad")
	f.run("ip", "addr", "add", frr4+"/24", "dev", "v1")
	f.run("ip", "addr", "add", frr6+"/64", "dev", "v1", "nodad")
	f.run("ip", "link", "set", "v1", "up")
	f.run("ip", "link", "set", "lo", "up")
}

func (f *frr) daemon(name, config string, more ...string) {
	f.t.Helper()
	conf := filepath.Join(f.dir, name+".conf")
	if err := os.WriteFile(conf, []byte(config), 0o644); err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command("nsenter", "-t", f.pid, "-n", "/usr/lib/frr/"+name, "-P", "0",
		"-f", conf, "-i", filepath.Join(f.dir, name+".pid"), "-z", filepath.Join(f.dir, "zserv"),
		"--vty_socket", f.dir, "--log", "file:"+filepath.Join(f.dir, name+".log"))
	cmd.Args = append(cmd.Args, more...)
	child(f.t, cmd, filepath.Join(f.dir, name+".out"))
}

// run runs a command in FRR's namespace.
func (f *frr) run(args ...string) string {
	f.t.Helper()
	return run(f.t, append([]string{"nsenter", "-t", f.pid, "-n"}, args...)...)
}

// show asks bgpd and decodes its answer.
func (f *frr) show(what string, into any) {
	f.t.Helper()
	out := run(f.t, "vtysh", "--vty_socket", f.dir, "-d", "bgpd", "-c", "show "+what+" json")
	if err := json.Unmarshal([]byte(out), into); err != nil {
		f.t.Fatalf("show %s: %v in %s", what, err, out)
	}
}

// routes lists what FRR has learned and can use: prefix to next hop.
func (f *frr) routes(family object.Family) map[string]string {
	f.t.Helper()
	var table struct {
		Routes map[string][]struct {
			Valid    bool
			Nexthops []struct {
				IP    string `json:"ip"`
				Scope string `json:"scope"`
			}
		}
	}
	f.show("bgp "+strings.ReplaceAll(family.String(), "-", " "), &table)
	out := make(map[string]string)
	for prefix, paths := range table.Routes {
		for _, p := range paths {
			if p.Valid && len(p.Nexthops) > 0 {
				out[prefix] = p.Nexthops[0].IP
			}
		}
	}
	return out
}

// expect waits until FRR has exactly these routes.
func (f *frr) expect(family object.Family, want map[string]string) {
	f.t.Helper()
	eventually(f.t, 30*time.Second, func() string {
		if have := f.routes(family); fmt.Sprint(have) != fmt.Sprint(want) {
			return fmt.Sprintf("FRR has %v, want %v", have, want)
		}
		return ""
	})
}

// child starts a process that dies with the test, and only by its own id.
func child(t testing.TB, cmd *exec.Cmd, output string) *exec.Cmd {
	t.Helper()
	out, err := os.Create(output)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v (these tests need FRR in /usr/lib/frr)", cmd, err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			if b, err := os.ReadFile(output); err == nil && len(b) > 1 {
				t.Logf("%s printed: %.2000s", cmd, b)
			}
		}
	})
	return cmd
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

func fileHas(name, part string) bool {
	b, _ := os.ReadFile(name)
	return strings.Contains(string(b), part)
}

func emptyIf(ok bool, missing string) string {
	if ok {
		return ""
	}
	return missing
}

// toFRR is a peer of FRR's in this test bed.
func toFRR(address string, families ...object.Family) object.Peer {
	p := peer(address, families...)
	p.Port = 179
	return p
}

// frrPeer is one end of a session on FRR's side.
func frrPeer(address string, more ...string) string {
	lines := " neighbor " + address + " remote-as 65001\n neighbor " + address + " timers connect 1\n"
	for _, m := range more {
		lines += " neighbor " + address + " " + m + "\n"
	}
	return lines
}

// activate6 makes a session carry IPv6.
func activate6(address string) string {
	return " address-family ipv6 unicast\n  neighbor " + address + " activate\n exit-address-family\n"
}

func TestFRRReceives(t *testing.T) {
	f := newFRR(t, frrPeer(ours4)+frrPeer(ours6)+" address-family ipv4 unicast\n  no neighbor "+ours6+
		" activate\n exit-address-family\n"+activate6(ours6))
	b := start(t, noListener)
	apply(t, b, create(path("203.0.113.7/32"), path("2001:db8:1::7/128")))
	apply(t, b, create(toFRR(frr4, object.IPv4Unicast), toFRR(frr6, object.IPv6Unicast)))
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours4})
	f.expect(object.IPv6Unicast, map[string]string{"2001:db8:1::7/128": ours6})
	apply(t, b, remove(path("203.0.113.7/32")))
	apply(t, b, remove(path("2001:db8:1::7/128")))
	f.expect(object.IPv4Unicast, map[string]string{})
	f.expect(object.IPv6Unicast, map[string]string{})
}

func TestFRRWithPassword(t *testing.T) {
	f := newFRR(t, frrPeer(ours4, "password secret"))
	b := start(t, noListener)
	p := toFRR(frr4, object.IPv4Unicast)
	wrong := p
	p.Password, wrong.Password = "secret", "guess"
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(wrong))
	eventually(t, 20*time.Second, func() string {
		s := stateOf(t, b, frr4)
		return emptyIf(s.State != bgp.Established && strings.Contains(s.LastError, "connect: "), fmt.Sprintf("%+v", s))
	})
	apply(t, b, []object.Change{{Before: wrong, After: p}})
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours4})
}

func TestFRRWithTTLSecurity(t *testing.T) {
	f := newFRR(t, frrPeer(ours4, "ttl-security hops 1"))
	b := start(t, noListener)
	p := toFRR(frr4, object.IPv4Unicast)
	apply(t, b, create(path("203.0.113.7/32")))
	apply(t, b, create(p))
	eventually(t, 20*time.Second, func() string {
		s := stateOf(t, b, frr4)
		waits := s.LastError != "" || s.State == bgp.OpenConfirm // the neighbour drops our OPEN
		return emptyIf(s.State != bgp.Established && waits, fmt.Sprintf("%+v", s))
	})
	after := p
	after.TTLSecurity = true
	apply(t, b, []object.Change{{Before: p, After: after}})
	f.expect(object.IPv4Unicast, map[string]string{"203.0.113.7/32": ours4})
}
