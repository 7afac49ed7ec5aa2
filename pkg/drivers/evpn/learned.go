package evpn

import "github.com/bgp-ovn/bgp-ovn/pkg/observe"

func (p *pass) learnedPaths(*observe.Learned) {}
