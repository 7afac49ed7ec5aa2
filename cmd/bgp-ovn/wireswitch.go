package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovs"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/ovsport"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/evpn"
)

// switchBackends are those of Open vSwitch: flows, and ports where there may be
// one of ours.
func (a *app) switchBackends(ctx context.Context) ([]actual.Backend, error) {
	if !a.cfg.Flows.Manage {
		return nil, nil
	}
	flows, err := ovs.New(ovs.Config{RunDir: a.cfg.OVSRunDir, Cookies: a.cookies(), Logger: a.log})
	if err != nil {
		return nil, fmt.Errorf("OpenFlow: %w; set flows.manage to false where there is no Open vSwitch", err)
	}
	a.onClose(flows.Close)
	if !a.makesPorts() {
		return []actual.Backend{flows}, nil
	}
	if a.ports == nil { // no source follows the database here
		conf := vswitch.Config{
			Endpoint: a.cfg.OVSDBConnection, Timeout: time.Duration(a.cfg.OVSDBConnectionTimeout) * time.Second, Logger: a.log,
		}
		if a.ports, err = ovsport.Open(ctx, conf); err != nil {
			return nil, fmt.Errorf("ovsdb_connection: %w", err)
		}
	}
	a.onClose(a.ports.Close)
	return []actual.Backend{flows, a.ports}, nil
}

// makesPorts reports whether ports of Open vSwitch may be ours: with the EVPN
// driver, and after it as long as the ledger remembers one.
func (a *app) makesPorts() bool {
	return a.cfg.Flows.Manage && (a.cfg.evpnRuns() || a.db != nil && len(a.db.Keys(object.KindOVSPort)) > 0)
}

// cookies are those of all flows that may be ours.
func (a *app) cookies() []uint64 {
	all := a.cfg.marks().Cookies
	if a.makesPorts() && !slices.Contains(all, evpn.FlowCookie) {
		all = append(all, evpn.FlowCookie)
	}
	return all
}
