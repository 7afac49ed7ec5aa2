package bgp_test

import (
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/contract"
)

func TestContract(t *testing.T) {
	// Nobody else changes a speaker inside this process: there is no Foreign.
	contract.Run(t, contract.Subject{New: func(t *testing.T) actual.Backend { return start(t, noListener) }})
}
