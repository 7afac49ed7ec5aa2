// Command init is process 1 of the virtual machine of package vm, and nothing
// that anybody starts by hand.
package main

import "github.com/bgp-ovn/bgp-ovn/e2e/vm/guest"

func main() { guest.Boot() }
