// Package manyvnis times how long 500 tenants take from the database to the peer:
// bgp-ovn, told by one transaction of the Southbound database, and FRR, told by
// vtysh, on one node of a lab and with one peer, one after the other. Like package
// evpn it needs a kernel with VRF; the benchmark of package vm runs it in a virtual
// machine. Where the kernel has the modules,
//
//	go test -tags guest -bench . -benchtime 1x ./e2e/vm/manyvnis
//
// runs it directly.
package manyvnis
