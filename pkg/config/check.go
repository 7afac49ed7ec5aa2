package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers"
)

// check reports what is wrong with keys together. What is wrong with one value
// alone has been reported where it was read.
func check(s *Settings, r *key.Reading) {
	if len(s.Drivers) == 0 {
		r.Report("drivers", "there is none", "name at least one of "+strings.Join(s.list.Names(), ", "))
	}
	checkPeers(s, r)
	checkStations(s, r)
	checkPoints(s, r)
	checkDamping(s.BGP.Damping, r)
	checkDatabase("ovn_sb", s.Southbound, r)
	checkDatabase("ovn_nb", s.Northbound, r)
	if s.ReadSocketGroup != "" && s.ReadSocket == s.Socket {
		r.Report("read_socket", "it is the control socket (socket)", "choose another path")
	}
	checkWeb(s.Web, r)
	for i, o := range s.options {
		name := s.list[i].Name
		running := slices.Contains(s.Drivers, name)
		o.Check(running, r.Report)
		if running {
			checkNeeds(s, name, o.Needs(), r)
		}
	}
}

// checkDatabase wants the certificates that an ssl: remote needs.
func checkDatabase(keys string, d Database, r *key.Reading) {
	if !slices.ContainsFunc(d.Remotes, func(remote string) bool { return strings.HasPrefix(remote, "ssl:") }) {
		return
	}
	if d.CA == "" {
		r.Report(keys+"_ca_cert", "an ssl: remote needs the certificate of the CA that signed the server's",
			"name its file")
	}
	if (d.Key == "") != (d.Certificate == "") {
		r.Report(keys+"_private_key", "key and certificate belong together, and one of them is missing",
			"name the files of both, or none")
	}
}

// checkPeers compares the neighbours with each other and with the rest.
func checkPeers(s *Settings, r *key.Reading) {
	seen, places := map[string]int{}, r.Places()
	for i, p := range s.BGP.Peers {
		at := fmt.Sprintf("bgp.peers[%d]", i)
		checkWho(p, at, places, r)
		if first, twice := seen[p.Address]; twice && p.Address != "" {
			r.Report(at+".address",
				fmt.Sprintf("duplicate neighbour %s: bgp.peers[%d] has it already", p.Address, first),
				"leave one of them out: there is one session for each address")
		} else {
			seen[p.Address] = i
		}
		checkSecretOnce(p.Address, p.Password, at, places, r)
		if p.TTLSecurity && p.Multihop != 0 {
			r.Report(at+".multihop", "ttl_security and multihop exclude each other (RFC 5082)", "leave one of them out")
		}
		for _, name := range []string{"bfd_interval", "bfd_multiplier", "bfd_multihop"} {
			if _, written := places[at+"."+name]; written && !p.BFD.On {
				r.Report(at+"."+name, "bfd is off", "set bfd: true, or leave it out")
			}
		}
		if p.LLGRTime > 0 && s.BGP.RestartTime == 0 {
			r.Report(at+".llgr_time", "it needs graceful restart, which is off (RFC 9494)",
				"set bgp.graceful_restart.restart_time, or leave it out")
		}
		_, unnumbered := p.Interfaces()
		if remote, err := netip.ParseAddr(p.Address); (err == nil || unnumbered) && p.LocalAddress.IsValid() &&
			(unnumbered || p.LocalAddress.Is4() != remote.Is4() || remote.Zone() != "") {
			r.Report(at+".local_address",
				fmt.Sprintf("no session from %s reaches %s", p.LocalAddress, strings.TrimPrefix(p.Address, "%")),
				"write an address of the same family, or leave it out")
		}
	}
}

// checkWho wants an address or an interface. One that is missing because it could not be read
// has been reported.
func checkWho(p object.Peer, at string, places map[string]key.Place, r *key.Reading) {
	_, address := places[at+".address"]
	_, name := places[at+".interface"]
	switch {
	case address && name:
		r.Report(at+".interface", "address is set, too", "leave one of them out")
	case !address && !name && p.Address == "" && hasKeys(places, at):
		r.Report(at+".address", "missing", "set the neighbour's IP address, or its interface")
	}
	if name && p.Multihop != 0 {
		r.Report(at+".multihop", "a neighbour on an interface is on the link", "leave it out")
	}
}

// hasKeys reports whether an element could be read as one at all.
func hasKeys(places map[string]key.Place, at string) bool {
	for path := range places {
		if strings.HasPrefix(path, at+".") {
			return true
		}
	}
	return false
}

// checkSecretOnce compares the two keys that can hold the password of a session.
func checkSecretOnce(address, password, at string, places map[string]key.Place, r *key.Reading) {
	_, inline := places[at+".password"]
	_, file := places[at+".password_file"]
	if inline && file {
		r.Report(at+".password_file", "password is set, too", "leave one of them out")
	}
	remote, err := netip.ParseAddr(address)
	if (err == nil && remote.Zone() != "" || strings.HasPrefix(address, "%")) && password != "" {
		r.Report(at+".password", "a session with a link-local address can have no password",
			"leave it out, or use an address of the network")
	}
}

// checkNeeds compares what a driver asks of the node with the rest.
func checkNeeds(s *Settings, name string, needs drivers.Needs, r *key.Reading) {
	if needs.Cookie != 0 && needs.Cookie == s.Flows.Cookie {
		r.Report("flows.cookie", fmt.Sprintf("%#x is that of the flows of %s", needs.Cookie, name), "choose another")
	}
	if s.LocalScope && needs.AllPorts != "" {
		r.Report("ovn_sb_scope", needs.AllPorts+" needs every port of the cloud", "use all, or turn that off")
	}
	carried := slices.ContainsFunc(s.BGP.Peers, func(p object.Peer) bool { return hasFamily(p, needs.Family) })
	if needs.Family != "" && !carried && len(s.BGP.Peers) > 0 {
		r.Report("bgp.peers", fmt.Sprintf("%s needs a neighbour with %s among its families", name, needs.Family),
			"add it to the families of one")
	}
}

func hasFamily(p object.Peer, family string) bool { return slices.Contains(p.Families.List(), family) }
