// Package kube is the source of [observe.Kube]: Services, their EndpointSlices, the own
// Node and, where asked for, EgressIPs of a Kubernetes API server, listed once and then
// watched.
//
// It uses the REST client of client-go and the types of the API, and neither its typed
// clients nor its informers: those cost three times the program and twice the memory,
// because they know every kind and keep whole objects. Here an object is reduced to what
// rules read as it arrives.
//
// It refuses to write: nothing is ever sent but GET. It refuses to forget: while the API
// does not answer, the last objects stay readable, with the reason why they may be old.
//
// Read next: follower.go for how one kind is followed, client.go for requests, reduce.go
// for what is kept of an object, cordon.go for the state of the node.
package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
)

// Config is where the API server is and what to follow.
type Config struct {
	// Kubeconfig is the path of a kubeconfig; empty is the service account of the pod.
	Kubeconfig string
	// NodeName is the name of the own Node; empty while it is not known.
	NodeName func() string
	// EgressIPs follows EgressIPs, too.
	EgressIPs bool
	// DrainOnCordon says that an unschedulable node is drained, which takes DrainTime.
	DrainOnCordon bool
	DrainTime     time.Duration
	// Cordon remembers across restarts when the node was cordoned; nil remembers nothing.
	Cordon Memory
	// PageSize is how many objects are asked for at once, 500 if zero.
	PageSize int
	// MaxObjects bounds how many objects of a kind are held: DefaultMaxObjects if zero.
	MaxObjects int
	// BackoffMin and BackoffMax bound the pause before another try: 250 ms and 30 s if
	// zero.
	BackoffMin, BackoffMax time.Duration
	// Relist is how long watching goes on before everything is listed again, in case
	// something was missed: an hour if zero.
	Relist time.Duration
	// Look is how long to wait before a kind that the API does not serve is looked for
	// again: a minute if zero.
	Look time.Duration
	// Logger is slog.Default() if nil.
	Logger *slog.Logger
	// Now is time.Now if nil.
	Now func() time.Time
}

// DefaultMaxObjects is four times the services of the largest clusters that are known.
const DefaultMaxObjects = 200_000

func (c *Config) fill() {
	fill := func(d *time.Duration, value time.Duration) {
		if *d <= 0 {
			*d = value
		}
	}
	fill(&c.BackoffMin, 250*time.Millisecond)
	fill(&c.BackoffMax, 30*time.Second)
	fill(&c.Relist, time.Hour)
	fill(&c.Look, time.Minute)
	if c.PageSize <= 0 {
		c.PageSize = 500
	}
	if c.MaxObjects <= 0 {
		c.MaxObjects = DefaultMaxObjects
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NodeName == nil {
		c.NodeName = func() string { return "" }
	}
	if c.Cordon == nil {
		c.Cordon = forgetful{}
	}
}

// Source keeps what the API says current. It implements observe.Source[*observe.Kube].
type Source struct {
	cfg     Config
	log     *slog.Logger
	api     *client
	changed chan struct{}
	cancel  context.CancelFunc
	done    sync.WaitGroup

	services  *follower[observe.KubeService]
	slices    *follower[observe.KubeSlice]
	node      *follower[observe.KubeNode]
	egressIPs *follower[observe.KubeEgressIP] // nil unless followed
	kinds     []kind                          // all of them, in the order of messages

	mu       sync.Mutex // guards the rest, and what followers publish
	revision uint64
	fresh    bool // latest is what there is
	latest   *observe.Kube
	cordon   cordon
	// nodeName is the Node that is followed; seen is set once it has been there.
	nodeName string
	seen     bool
}

var _ observe.Source[*observe.Kube] = (*Source)(nil)

// kind is a follower, whatever its objects are.
type kind interface {
	run(ctx context.Context)
	waits() string
	status() KindStatus
}

// Open begins to follow the API. A server that does not answer, a kubeconfig that is
// missing, is tried until Close, or ctx ends.
func Open(ctx context.Context, cfg Config) *Source {
	cfg.fill()
	ctx, cancel := context.WithCancel(ctx)
	s := &Source{
		cfg: cfg, log: cfg.Logger.With("source", "kubernetes"), api: &client{kubeconfig: cfg.Kubeconfig},
		changed: make(chan struct{}, 1), cancel: cancel,
	}
	s.services = follow(s, servicesSpec)
	s.slices = follow(s, slicesSpec)
	s.node = follow(s, nodeSpec)
	s.node.spec.field = s.ownNode
	s.node.changed = s.nodeChanged
	s.kinds = []kind{s.services, s.slices, s.node}
	if cfg.EgressIPs {
		s.egressIPs = follow(s, egressIPsSpec)
		s.kinds = append(s.kinds, s.egressIPs)
	}
	s.recall()
	for _, k := range s.kinds {
		s.done.Go(func() { k.run(ctx) })
	}
	return s
}

// Close ends all requests and waits for that. What was read stays readable.
func (s *Source) Close() error {
	s.cancel()
	s.done.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cordon.stop()
	return nil
}

// Changed signals that Read may return something new.
func (s *Source) Changed() <-chan struct{} { return s.changed }

// Read returns the newest objects. Until every kind has been listed once the error wraps
// observe.ErrNotSynced with what is waited for.
func (s *Source) Read(context.Context) (*observe.Kube, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var missing []string
	for _, k := range s.kinds {
		if text := k.waits(); text != "" {
			missing = append(missing, text)
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("kubernetes: %w: %s", observe.ErrNotSynced, strings.Join(missing, "; "))
	}
	if !s.fresh {
		s.build()
	}
	return s.latest, nil
}

// build makes the newest value. It is made when it is asked for, and not with each
// object: a burst of changes costs one copy of the lists.
func (s *Source) build() {
	s.revision++
	out := &observe.Kube{
		Revision: s.revision,
		Services: slices.Clone(s.services.items), Slices: slices.Clone(s.slices.items), Nodes: slices.Clone(s.node.items),
		NodeName: s.nodeName, NodeState: s.cordon.state(s.cfg.Now()), NoNode: !s.seen, Stale: s.stale(),
	}
	if s.egressIPs != nil {
		out.EgressIPs, out.NoEgressIPs = slices.Clone(s.egressIPs.items), s.egressIPs.unserved
	}
	s.latest, s.fresh = out, true
}

// stale says which kinds are not followed at the moment, since when and why.
func (s *Source) stale() string {
	var since time.Time
	var names, causes []string
	for _, k := range s.kinds {
		st := k.status()
		if st.Fault == "" {
			continue
		}
		if since.IsZero() || st.FaultSince.Before(since) {
			since = st.FaultSince
		}
		names = append(names, st.Name)
		if !slices.Contains(causes, st.Fault) {
			causes = append(causes, st.Fault)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("the Kubernetes API does not tell of %s since %s: %s", strings.Join(names, ", "),
		since.UTC().Format(time.RFC3339), strings.Join(causes, "; "))
}

// touch says that what was read last is not the newest any more. The caller holds mu.
func (s *Source) touch() {
	s.fresh = false
	select {
	case s.changed <- struct{}{}:
	default: // a signal that was not received yet has the same effect
	}
}

// errNoName ends a session with the own Node before it begins.
var errNoName = errors.New("the name of the own Node is not known: set kube.node_name or NODE_NAME; " +
	"otherwise it is the host name of the own Chassis row")

// ownNode is the field selector of the own Node.
func (s *Source) ownNode() (string, error) {
	name := s.cfg.NodeName()
	if name == "" {
		return "", errNoName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nodeName != name {
		s.nodeName, s.seen = name, false
		s.touch()
	}
	return "metadata.name=" + name, nil
}
