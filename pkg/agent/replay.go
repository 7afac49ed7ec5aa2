package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/actual/model"
	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/file"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// Against is what a replayed snapshot is compared with.
type Against string

// The choices.
const (
	AgainstModel  Against = "model"  // a node that has the bridges and nothing of ours
	AgainstActual Against = "actual" // the kernel and Open vSwitch of this node
)

// ParseAgainst reads the value of --against.
func ParseAgainst(s string) (Against, error) {
	if a := Against(s); a == AgainstModel || a == AgainstActual {
		return a, nil
	}
	return "", fmt.Errorf("--against %q: use model or actual", s)
}

// ReadSnapshot reads a snapshot file and returns the part of one chassis. Without
// a name, the file must have one chassis only.
func ReadSnapshot(path, chassis string) (observe.Snapshot, error) {
	f, err := file.Read(path)
	if err != nil {
		return observe.Snapshot{}, err
	}
	if names := f.Names(); chassis == "" && len(names) != 1 {
		return observe.Snapshot{}, fmt.Errorf("snapshot %s: set --chassis to one of %v", path, names)
	}
	return f.Snapshot(chassis)
}

// Replay is a node in the state of a snapshot. It writes nothing. It is a
// [control.Service].
type Replay struct {
	answers
	closing
}

// OpenReplay makes a node from a snapshot.
func OpenReplay(ctx context.Context, s config.Settings, snap observe.Snapshot, against Against,
	log *slog.Logger,
) (*Replay, error) {
	if snap.Protected == nil { // a dump, or a file of an older release
		snap.Protected = observe.Protect(snap, own(s))
	}
	r := &Replay{}
	r.hypothetical = true
	backends := []actual.Backend{freshNode(snap)}
	if against == AgainstActual {
		var err error
		_, backends, err = localBackends(ctx, &r.closing, s, log, nil, mayMakePorts(s, reconcile.NoJournal{}))
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		backends = append(backends, model.New(speakerKinds()...))
	}
	reader, err := actual.NewReader(backends...)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	conf := controllerConfig(s, still{snap}, reader, log)
	conf.DryRun = true
	r.ctl = reconcile.New(conf)
	r.snapshot = still{snap}.Snapshot
	r.trace = func(context.Context, reconcile.Round, control.TraceQuestion) (control.Trace, error) {
		return control.Trace{}, errors.New("trace: a snapshot has no packets: run it on the node, without --snapshot")
	}
	r.followed = func() (kube.Status, bool) { return kube.Status{}, false }
	r.settled = func(_ context.Context, round reconcile.Round) (reconcile.Round, reconcile.Sessions) {
		return reconcile.Hypothetical(round), reconcile.Sessions{}
	}
	r.explain = func(_ context.Context, round reconcile.Round, addr netip.Addr) reconcile.Explanation {
		return r.ctl.ExplainHypothetical(round, addr)
	}
	return r, nil
}

// still is an observer of one snapshot that never changes.
type still struct{ snap observe.Snapshot }

// Snapshot returns it.
func (s still) Snapshot(context.Context) (observe.Snapshot, error) { return s.snap, nil }

// Changed has no channel: nothing ever changes.
func (s still) Changed() []<-chan struct{} { return nil }

// freshNode is a model of a node that has the bridges of the snapshot, down, and
// nothing of ours.
func freshNode(snap observe.Snapshot) *model.World {
	w := model.New()
	for _, b := range snap.OVS.Bridges {
		w.Set(false, object.Device{Name: b.Name})
	}
	return w
}
