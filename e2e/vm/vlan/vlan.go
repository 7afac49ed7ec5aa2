// Package vlan tells the stories of VLAN provider networks on a lab of real
// OVN, Open vSwitch and FRR. They need a kernel with 8021q, so they run where
// there is one: the tests of package vm build them with the tag guest and run
// them in a virtual machine. Where the kernel has the modules,
//
//	go test -tags guest ./e2e/vm/vlan
//
// runs them directly.
package vlan
