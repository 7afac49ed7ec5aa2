package main

import (
	"context"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// prompter knows what a shell may offer, or answers nothing until it is asked no more.
type prompter struct {
	control.Controller
	hangs bool
}

func (p prompter) BGPPeers(ctx context.Context, _ string) (control.BGPPeers, error) {
	if p.hangs {
		<-ctx.Done()
	}
	return control.BGPPeers{
		Version: 1, Peers: []control.BGPPeer{{Peer: control.Peer{Address: "192.0.2.4"}}},
		Held: []control.Quarantine{{Peer: "2001:db8::4"}},
	}, ctx.Err()
}

func (p prompter) Advertised(ctx context.Context, _ control.RouteQuery) (control.BGPAdvertised, error) {
	if p.hangs {
		<-ctx.Done()
	}
	row := object.Source{Table: "Port_Binding", Row: "31c4951b"}
	called := map[string]string{"31c4951b": "web-1"}
	return control.BGPAdvertised{Version: 1, Names: called, Paths: []control.AdvertisedPath{
		{Family: object.IPv4Unicast, NLRI: "203.0.113.7/32", Path: []byte("{}"), Objects: []object.Source{row}},
		{Family: object.IPv4Unicast, NLRI: "2001:db8::7/128", Path: []byte("{}"), Objects: []object.Source{row}},
		{Family: object.IPv4Unicast, NLRI: "10.0.0.0/24", Path: []byte("{}"), Objects: []object.Source{{Row: "a name"}}},
	}}, ctx.Err()
}

// TestCompletion: a shell is offered the words that may follow, those of the running
// controller among them; one that hangs or does not run costs nothing but these.
func TestCompletion(t *testing.T) {
	runs, hangs := serveHistory(t, prompter{}), serveHistory(t, prompter{hangs: true})
	for _, tt := range []struct{ socket, args, want string }{
		{runs, "bgp peer|", "192.0.2.4 2001:db8::4"},
		{runs, "bgp received|2", "2001:db8::4"},
		{runs, "bgp peer 192.0.2.4|", ""},
		{runs, "explain|", "203.0.113.7 2001:db8::7 web-1"},
		{runs, "trace|w", "web-1"},
		{runs, "history|2", "203.0.113.7 2001:db8::7"},
		{hangs, "bgp peer|", ""},
		{hangs, "explain|", ""},
		{t.TempDir() + "/none", "explain|", ""},
		{runs, "status -o|", "text json yaml"},
		{runs, "history --cause|", "change drift retry start config repair drain unreachable"},
		{runs, "plan --set|expose_i", "expose_ipv6_gua_tenant_networks="},
		{runs, "plan --set|bgp.withdraw_unreachable=", "bgp.withdraw_unreachable=false bgp.withdraw_unreachable=true"},
		{runs, "plan --set|bgp.as=", ""},
		{runs, "verify|w", "web-1"},
		{runs, "plan --driver|", "osp_ovn_bgp_driver osp_ovn_evpn_driver ovn_native_driver k8s_ovn_bgp_driver"},
	} {
		before, begun, _ := strings.Cut(tt.args, "|")
		args := append([]string{"__complete"}, strings.Fields(before)...)
		flag := args[len(args)-1]
		if strings.HasPrefix(flag, "-") { // whose value is completed
			args = args[:len(args)-1]
		}
		if args = append(args, "--socket="+tt.socket); strings.HasPrefix(flag, "-") {
			args = append(args, flag)
		}
		var stdout, errs strings.Builder
		exit := Main(t.Context(), environment{
			args: append(args, begun), stdout: &stdout, stderr: &errs,
			getenv: func(string) (string, bool) { return "", false },
		})
		words, ok := strings.CutSuffix(strings.Replace(stdout.String(), ":6\n", ":4\n", 1), ":4\n") // no files
		if got := strings.Join(strings.Fields(words), " "); exit != 0 || !ok || got != tt.want {
			t.Errorf("%s: got %q, exit %d, %s, want %q", tt.args, got, exit, errs.String(), tt.want)
		}
	}
}
