package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Join makes one snapshot out of its sources.
type Join struct {
	SB   Source[*Southbound]
	OVS  Source[*OpenVSwitch]
	Host Source[*Host]
	// NB is nil unless a driver needs Northbound rows.
	NB Source[*Northbound]
	// Learned may be nil, where there is no speaker.
	Learned Source[*Learned]
	// Kube and Flows are nil unless a driver needs the Kubernetes API.
	Kube  Source[*Kube]
	Flows Source[*Flows]
	// Unnumbered may be nil, where nobody listens.
	Unnumbered Source[*Unnumbered]
	// Endpoints tells what is known of the servers of the databases; nil is nothing.
	Endpoints func() []Endpoint
	// Chassis overrides the system-id of the Open_vSwitch database.
	Chassis string

	mu  sync.Mutex // guards the rest
	own Own
	// protected was made of own, of the endpoints and of the parts of from, and of encaps, which
	// are all that it looks at of the Southbound database.
	protected *Protected
	endpoints []Endpoint
	from      Snapshot
	encaps    []*Encap
}

// SetOwn says what the configuration tells of what the node lives on. The next
// snapshot has it.
func (j *Join) SetOwn(own Own) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.own, j.protected = own, nil
}

// Protected is what the node lives on as far as it has been read: it does not need
// any source to be complete. Equal parts give the very same set.
func (j *Join) Protected(ctx context.Context) *Protected {
	var snap Snapshot
	// Errors say what is missing, which Snapshot reports.
	snap.SB, _ = j.SB.Read(ctx)
	snap.OVS, _ = j.OVS.Read(ctx)
	snap.Host, _ = j.Host.Read(ctx)
	return j.protect(snap)
}

func (j *Join) protect(snap Snapshot) *Protected {
	j.mu.Lock()
	defer j.mu.Unlock()
	from := Snapshot{OVS: snap.OVS, Host: snap.Host}
	var encaps []*Encap
	if snap.SB != nil {
		encaps = snap.SB.Encaps
	}
	var endpoints []Endpoint
	if j.Endpoints != nil {
		endpoints = j.Endpoints()
	}
	if j.protected == nil || j.from != from || !slices.Equal(j.encaps, encaps) ||
		!slices.EqualFunc(j.endpoints, endpoints, Endpoint.equal) {
		own := j.own
		own.Endpoints = endpoints
		j.endpoints, j.from, j.encaps = endpoints, from, encaps
		from.SB = snap.SB
		j.protected = Protect(from, own)
	}
	return j.protected
}

// Snapshot returns the newest view of everything. Until every source has been
// read completely once it is an error wrapping ErrNotSynced that lists what is
// missing.
func (j *Join) Snapshot(ctx context.Context) (Snapshot, error) {
	var snap Snapshot
	var missing []string
	var err error
	if snap.SB, err = j.SB.Read(ctx); err != nil {
		missing = append(missing, "Southbound database: "+cause(err))
	}
	if snap.OVS, err = j.OVS.Read(ctx); err != nil {
		missing = append(missing, "Open_vSwitch database: "+cause(err))
	}
	if snap.Host, err = j.Host.Read(ctx); err != nil {
		missing = append(missing, "network devices: "+cause(err))
	}
	if j.NB != nil {
		if snap.NB, err = j.NB.Read(ctx); err != nil {
			missing = append(missing, "Northbound database: "+cause(err))
		}
	}
	if j.Learned != nil {
		if snap.Learned, err = j.Learned.Read(ctx); err != nil {
			missing = append(missing, "learned paths: "+err.Error())
		}
	}
	if j.Kube != nil {
		if snap.Kube, err = j.Kube.Read(ctx); err != nil {
			missing = append(missing, "Kubernetes API: "+cause(err))
		}
	}
	if j.Flows != nil {
		if snap.Flows, err = j.Flows.Read(ctx); err != nil {
			missing = append(missing, "flows of the external bridge: "+cause(err))
		}
	}
	if j.Unnumbered != nil {
		if snap.Unnumbered, err = j.Unnumbered.Read(ctx); err != nil {
			missing = append(missing, "neighbours on interfaces: "+cause(err))
		}
	}
	if len(missing) > 0 {
		return Snapshot{}, fmt.Errorf("%w: %s", ErrNotSynced, strings.Join(missing, "; "))
	}
	snap.Chassis = j.Chassis
	if snap.Chassis == "" {
		snap.Chassis = snap.OVS.SystemID
	}
	if snap.Chassis == "" {
		return Snapshot{}, fmt.Errorf("%w: the Open_vSwitch database has no external_ids:system-id; "+
			"set it, or chassis in the configuration", ErrNotSynced)
	}
	snap.Protected = j.protect(snap)
	return snap, nil
}

// cause is the error of a source without the words that Snapshot adds itself.
func cause(err error) string {
	text := strings.ReplaceAll(err.Error(), ErrNotSynced.Error()+": ", "")
	return strings.TrimPrefix(strings.TrimPrefix(text, "southbound: "), "northbound: ")
}

// Changed returns the wake-up channels of all sources.
func (j *Join) Changed() []<-chan struct{} {
	all := []<-chan struct{}{j.SB.Changed(), j.OVS.Changed(), j.Host.Changed()}
	if j.NB != nil {
		all = append(all, j.NB.Changed())
	}
	if j.Learned != nil {
		all = append(all, j.Learned.Changed())
	}
	if j.Kube != nil {
		all = append(all, j.Kube.Changed())
	}
	if j.Flows != nil {
		all = append(all, j.Flows.Changed())
	}
	if j.Unnumbered != nil {
		all = append(all, j.Unnumbered.Changed())
	}
	return all
}

// Doubt says why nothing may be deleted because of this snapshot: a source is
// disconnected, or the database has no row of this chassis and is therefore not
// the one that our objects came from. Empty means no doubt.
func (s Snapshot) Doubt() string {
	switch {
	case s.SB.Stale != "":
		return "Southbound database: " + s.SB.Stale
	case s.OVS.Stale != "":
		return "Open_vSwitch database: " + s.OVS.Stale
	}
	if _, ok := s.SB.ChassisByName(s.Chassis); !ok {
		return fmt.Sprintf("the Southbound database has no Chassis row named %q: "+
			"it is empty, not the right one, or ovn-controller has not registered this node", s.Chassis)
	}
	return ""
}

// NorthboundDoubt says why nothing may be deleted that was derived with the help
// of Northbound rows: that database is disconnected. Empty means no doubt. The
// rest does not depend on it and is not in doubt; drivers hold what does.
func (s Snapshot) NorthboundDoubt() string {
	if s.NB == nil || s.NB.Stale == "" {
		return ""
	}
	return "Northbound database: " + s.NB.Stale
}
