package control

import "github.com/bgp-ovn/bgp-ovn/pkg/reconcile"

// VNIOf is what a round has of a VNI as an answer.
func VNIOf(v reconcile.VNI) VNI { return VNI(v) }
