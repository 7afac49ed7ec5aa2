// Package walk lets the controller wander through random clouds of EVPN tenants on
// a real kernel, and die on the way: drivers, planner, journal and kernel backend
// are the product's own, Open vSwitch and BGP are models. It needs a kernel with
// VRF: the tests of package vm run it in a virtual machine.
package walk
