package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// tour prints commands to paste into another terminal, as root.
func (c *cloud) tour() {
	ctx := context.Background() // the commands are printed, not run
	hv3, agent := c.Chassis[2], c.agents[2]
	vtysh := func(command string) *exec.Cmd {
		return c.Tor.Command(ctx, "vtysh", "--vty_socket", c.Tor.Dir, "--config_dir", c.Tor.Dir, "-c", command)
	}
	switchOf := "unix:" + filepath.Join(hv3.OVSRunDir, "br-ex.mgmt")
	fmt.Fprintln(c.out, "\nLook around, as root, in another terminal:")
	c.show("is bgp-ovn on hv3 well?", agent.Command(ctx, "status"))
	c.show("why is one address announced from there, and another one not?",
		agent.Command(ctx, "explain", "172.24.4.41"), agent.Command(ctx, "explain", "172.24.4.40"))
	c.show("what FRR and the kernel of the top of rack know",
		vtysh("show bgp ipv4 unicast"), vtysh("show bgp summary"), c.Tor.Command(ctx, "ip", "route"))
	c.show("from the host behind it to a floating IP, and from VM web to the host",
		c.Host.Command(ctx, "ping", "-c", "3", "172.24.4.41"), c.vms[0].Command(ctx, "ping", "-c", "3",
			c.Host.Addrs[0].Addr().String()))
	c.show("what bgp-ovn put into kernel and Open vSwitch of hv3",
		hv3.Command(ctx, "ip", "route", "show", "table", "all", "proto", "98"),
		exec.Command("ovs-ofctl", "dump-flows", switchOf, "cookie=0x3e7/-1"))
	c.show("break something; status tells that it was put back",
		hv3.Command(ctx, "ip", "route", "flush", "table", "all", "proto", "98"),
		exec.Command("ovs-ofctl", "del-flows", switchOf, "cookie=0x3e7/-1"))
	c.show("OVN", exec.Command("ovn-nbctl", "--db="+c.Central.NBSocket(), "show"),
		exec.Command("ovn-sbctl", "--db="+c.Central.SBSocket(), "show"))
	fmt.Fprintf(c.out, "  # logs and databases\n  ls %s\n", c.Dir)
}

func (c *cloud) show(what string, cmds ...*exec.Cmd) {
	fmt.Fprintf(c.out, "  # %s\n", what)
	for _, cmd := range cmds {
		fmt.Fprintf(c.out, "  %s\n", paste(cmd.Args))
	}
}

// paste is a command as a shell takes it.
func paste(args []string) string {
	words := make([]string, len(args))
	for i, w := range args {
		if words[i] = w; w == "" || strings.ContainsAny(w, " \t'\"\\$`*?&;|<>(){}[]!#~") {
			words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
