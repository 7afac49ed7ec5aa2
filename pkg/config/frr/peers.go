package frr

import (
	"net/netip"
	"slices"
	"strconv"
)

// makePeers makes our neighbours, in the order of the file.
func (w *writer) makePeers() {
	for _, name := range w.order {
		n := w.neighbours[name]
		if n.isGroup {
			continue
		}
		e := w.effective(n)
		if e.off {
			w.leave(n.first, "the neighbour is shut down")
			continue
		}
		if peer, ok := w.peer(e); ok {
			w.peers, w.from = append(w.peers, peer), append(w.from, n.first)
		}
	}
}

// peer is one neighbour.
func (w *writer) peer(e neighbour) (tree, bool) {
	var t tree
	switch _, err := netip.ParseAddr(e.name); {
	case err == nil:
		t = append(t, field{"address", e.name})
	case e.isInterface:
		t = append(t, field{"interface", e.name})
	default:
		w.refuse(e.first, "neither an address nor an interface")
		return nil, false
	}
	switch number, err := strconv.ParseUint(e.remoteAS, 10, 32); {
	case err == nil:
		t = append(t, field{"as", number})
	case e.remoteAS == "internal":
		own, _ := strconv.ParseUint(w.as, 10, 32)
		t = append(t, field{"as", own})
	case e.remoteAS == "external" || e.remoteAS == "auto":
		t = append(t, field{"as", e.remoteAS})
	default:
		w.refuse(e.first, "the neighbour has no remote-as")
		return nil, false
	}
	if list := families(e); len(list) > 0 {
		t = append(t, field{"families", list})
	}
	add := func(key string, value, nothing any) {
		if value != nothing {
			t = append(t, field{key, value})
		}
	}
	add("ttl_security", e.gtsm, false)
	add("multihop", e.multihop, 0)
	add("hold_time", e.holdTime, 0)
	add("passive", e.passive, false)
	add("allow_own_as", e.allowOwn, 0)
	add("connect_retry", e.retry, 0)
	if a, err := netip.ParseAddr(e.source); err == nil {
		t = append(t, field{"local_address", a.String()})
	} else if e.source != "" {
		w.leave(e.first, "update-source %s is no address: set local_address", e.source)
	}
	if e.bfd {
		t = append(t, field{"bfd", true})
		if p := w.profiles[e.profile]; p != nil {
			add("bfd_interval", max(p.transmit, p.receive), 0)
			add("bfd_multiplier", p.multiplier, 0)
		}
	}
	return t, true
}

// families are those that a neighbour is activated in; none if they are the default.
func families(e neighbour) (out []string) {
	for _, f := range []struct{ theirs, ours string }{
		{"ipv4", "ipv4-unicast"}, {"ipv6", "ipv6-unicast"}, {"l2vpn-evpn", "l2vpn-evpn"},
	} {
		if e.families[f.theirs] {
			out = append(out, f.ours)
		}
	}
	if slices.Equal(out, []string{"ipv4-unicast", "ipv6-unicast"}) {
		return nil
	}
	return out
}

// filters translates the prefix lists of all neighbours: what is taken in becomes routes,
// and what is announced passes our export filter. Both are for all neighbours together.
func (w *writer) filters() (accept, allow []string, subnets bool) {
	in, out := map[string]bool{}, map[string]bool{}
	for _, name := range w.order {
		e := w.effective(w.neighbours[name])
		for _, f := range []string{"ipv4", "ipv6"} {
			in[e.in[f]], out[e.out[f]] = true, true
		}
	}
	subnets = true
	for _, name := range sorted(in) {
		for _, e := range w.lists[name] {
			if text, ok := w.rangeOf(e); ok {
				accept = append(accept, text)
			}
		}
	}
	for _, name := range sorted(out) {
		list := w.lists[name]
		if len(list) > 0 && !slices.ContainsFunc(list, func(e entry) bool { return !e.hosts() }) {
			subnets = false // host prefixes alone
			continue
		}
		for _, e := range list {
			if text, ok := w.rangeOf(e); ok {
				allow = append(allow, text)
			}
		}
	}
	return unique(accept), unique(allow), subnets
}

// hosts reports whether an entry lets all host prefixes pass and nothing else.
func (e entry) hosts() bool {
	return e.permit && e.prefix.Bits() == 0 && e.ge == e.prefix.Addr().BitLen()
}

// rangeOf is an entry in our form, PREFIX or PREFIX le LENGTH.
func (w *writer) rangeOf(e entry) (string, bool) {
	switch {
	case !e.permit:
		if !slices.Contains([]int{0}, e.prefix.Bits()) || e.le == 0 {
			w.leave(e.statement, "a filter of ours lists what passes: leave it out of the ranges that contain it")
		}
		return "", false
	case e.ge != 0:
		w.leave(e.statement, "a range with a least length has no counterpart")
		return "", false
	case e.le > e.prefix.Bits() && e.le <= e.prefix.Addr().BitLen():
		return e.prefix.String() + " le " + strconv.Itoa(e.le), true
	default:
		return e.prefix.String(), true
	}
}

func sorted(set map[string]bool) (out []string) {
	for name := range set {
		if name != "" {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func unique(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}
