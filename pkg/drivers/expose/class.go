package expose

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Class says what an announced prefix is to its users. Path attributes are
// configured by class, so that a router can tell floating IPs from gateways.
type Class string

// The classes; see Meaning.
const (
	ClassGateway   Class = "gateway"
	ClassFIP       Class = "fip"
	ClassVIP       Class = "vip"
	ClassProvider  Class = "provider"
	ClassTenant    Class = "tenant"
	ClassSubnet    Class = "subnet"
	ClassOVN       Class = "ovn"
	ClassLoopback  Class = "loopback"
	ClassOriginate Class = "originate"
)

// Classes returns the classes in order of precedence. A prefix that several
// classes want is announced once, with the attributes of the one that comes
// first here. The gateway leads because OVN lists its address among the floating
// IPs as well, and what the configuration asks for comes last because a cloud's
// address says more than the range that it lies in.
func Classes() []Class {
	return []Class{
		ClassGateway, ClassFIP, ClassVIP, ClassProvider, ClassTenant, ClassSubnet, ClassOVN,
		ClassLoopback, ClassOriginate,
	}
}

// Meaning says in one phrase what is announced as the class, and in brackets by
// which rules of docs/openstack-rules.md.
func (c Class) Meaning() string {
	switch c {
	case ClassGateway:
		return "addresses of gateways and gateway routers (R4, R13)"
	case ClassFIP:
		return "floating IPs and port forwardings (R5, R11, R12)"
	case ClassVIP:
		return "VIPs of OVN load balancers (R9, R10)"
	case ClassProvider:
		return "ports on provider networks (R1, R2, R3)"
	case ClassTenant:
		return "ports on tenant networks (R8)"
	case ClassSubnet:
		return "tenant subnets as a whole (A2)"
	case ClassOVN:
		return "what routers of OVN advertise by themselves (N-12)"
	case ClassLoopback:
		return "addresses of lo, with advertise_loopback (L2)"
	case ClassOriginate:
		return "prefixes of originate (L3)"
	default:
		return "unknown class"
	}
}

// rank is the place in the order of Classes, the highest for the first. Classes
// that are not listed there come after all others.
func (c Class) rank() uint8 {
	switch c {
	case ClassGateway:
		return 10
	case ClassFIP:
		return 9
	case ClassVIP:
		return 8
	case ClassProvider:
		return 7
	case ClassTenant:
		return 6
	case ClassSubnet:
		return 5
	case ClassOVN:
		return 4
	case ClassLoopback:
		return 3
	case ClassOriginate:
		return 2
	default:
		return 1
	}
}

// classOf is the inverse of rank.
func classOf(rank uint8) Class {
	all := Classes()
	if i := slices.IndexFunc(all, func(c Class) bool { return c.rank() == rank }); i >= 0 {
		return all[i]
	}
	return "another class"
}

// ClassOf is the class that gives a path of ours its attributes.
func ClassOf(it object.Item) Class { return classOf(it.Rank) }

// Attributes are the path attributes of a class. The zero value adds none.
type Attributes struct {
	Communities, LargeCommunities object.Words
	MED, LocalPref                object.Metric
}

// path is the path of a class for a prefix.
func (o *Options) path(class Class, prefix netip.Prefix) object.Path {
	p := object.NewPath(prefix, o.Origin)
	if a, ok := o.Attributes[class]; ok {
		p.Communities, p.LargeCommunities, p.MED, p.LocalPref = a.Communities, a.LargeCommunities, a.MED, a.LocalPref
	}
	return p
}

// reportRank says which class gives a path its attributes if another one wants
// others, against the row that has no say.
func (e *Exposer) reportRank(it object.Item) {
	have, ok := e.out.Get(it.Value.Key())
	if !ok || have.Value == it.Value || have.Rank == it.Rank || have.Rank == 0 {
		return
	}
	wins, loses := have, it
	if it.Rank > have.Rank {
		wins, loses = it, have
	}
	s := observe.Skip{Code: observe.SkipOutranked, Text: fmt.Sprintf("%s is announced with the attributes of class "+
		"%s (%s), not of %s",
		it.Value.Key().Text(), classOf(wins.Rank), wins.Value.Attrs(), classOf(loses.Rank))}
	if len(loses.Why) > 0 {
		s.Table, s.Row = loses.Why[0].Table, loses.Why[0].Row
	}
	e.Skip(s)
}
