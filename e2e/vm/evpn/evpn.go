// Package evpn tells the stories of tenants on an EVPN fabric: bgp-ovn on two
// gateway nodes of a lab of real OVN and Open vSwitch, FRR in the top of rack as
// the remote VTEP and as the one that passes the routes of one node on to the
// other, and real VRFs, bridges and VXLAN devices. They need a kernel with VRF and
// 8021q: the tests of package vm build them with the tag guest and run them in a
// virtual machine. Where the kernel has the modules,
//
//	go test -tags guest ./e2e/vm/evpn
//
// runs them directly.
package evpn
