package gather

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	ovsdb "github.com/bgp-ovn/bgp-ovn/pkg/observe/ovs"
)

// openVSwitch reads the Open_vSwitch database once and asks each mapped bridge.
// The database gets half of the time that is left, at most 5 s, so that the
// rest can be examined when it does not answer.
func openVSwitch(ctx context.Context, cfg Config, f *doctor.Facts) {
	timeout := 5 * time.Second
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/2)
	}
	reading, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	f.OpenVSwitch, f.OpenVSwitchErr = readDatabase(reading, cfg, timeout)
	if f.OpenVSwitchErr != nil || !cfg.ManageFlows {
		return
	}
	f.BridgeErrs, f.OfctlErr = askBridges(ctx, cfg, f.OpenVSwitch.Mappings, timeout)
}

// askBridges asks each mapped bridge once. The error says that none can be
// asked.
func askBridges(ctx context.Context, cfg Config, mappings []observe.BridgeMapping,
	timeout time.Duration,
) (map[string]error, error) {
	if err := openflow.Installed(); err != nil {
		return nil, err
	}
	tool, err := openflow.New("", cfg.RunDir, timeout)
	if err != nil {
		return nil, err
	}
	answers := map[string]error{}
	for _, m := range mappings {
		if _, asked := answers[m.Bridge]; !asked {
			answers[m.Bridge] = tool.Ask(ctx, m.Bridge)
		}
	}
	return answers, nil
}

// pollInterval is how often the source is asked for errors, which it does not
// signal: it would go on trying.
const pollInterval = 50 * time.Millisecond

// readDatabase waits for the first complete state of the database, or for the
// first error.
func readDatabase(ctx context.Context, cfg Config, timeout time.Duration) (_ *observe.OpenVSwitch, err error) {
	source, err := ovsdb.Open(ctx, ovsdb.Config{
		Endpoint: cfg.Node.OVSDB, SystemID: cfg.Chassis, Timeout: timeout, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	for {
		state, err := source.Read(ctx)
		if err == nil {
			return state, nil
		}
		if last := source.Status().LastError; last != nil {
			return nil, last
		}
		select {
		case <-source.Changed():
		case <-time.After(pollInterval):
		case <-ctx.Done():
			return nil, err
		}
	}
}
