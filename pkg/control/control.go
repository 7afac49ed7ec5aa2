// Package control is the API of the control socket: typed requests and answers,
// JSON over HTTP on a unix socket, a server for the running controller and a
// client for commands. The same answers are computed by commands that run
// without a controller, on the databases or on a snapshot file, so that a
// command does not know who answered it.
//
// It refuses to compute anything: an answer comes from a [Service]. It prints
// nothing: package view does.
//
// Read next: [Service], answers.go, then server.go and client.go.
package control

import (
	"context"

	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// Version is that of the JSON form of all answers. Fields may be added under the
// same version; the meaning of a field does not change.
const Version = 1

// Service is what can be asked of a node. [Client] asks the running controller;
// package agent has the controller itself and forms of a node that compute
// without one.
type Service interface {
	// Plan is the difference between what is desired and what is.
	Plan(ctx context.Context) (Plan, error)
	// Desired is everything that the node should have, and why.
	Desired(ctx context.Context) (Desired, error)
	// Explain says why an IP address is or is not announced from here.
	Explain(ctx context.Context, target string) (Explanation, error)
	// Find says what an address, a name, a UUID or a number stands for.
	Find(ctx context.Context, target string) (Found, error)
	// Trace follows a packet to an address, and the answer to it, through this node.
	Trace(ctx context.Context, q TraceQuestion) (Trace, error)
	// EVPN tells of one VNI (1 to 16777215), or of all with 0. Nothing known of the
	// one asked for is an error.
	EVPN(ctx context.Context, vni uint32) (EVPN, error)
	// Kube tells of the services and egress IPs of a Kubernetes cluster, of all or of those
	// that are asked for, what becomes of their addresses here, and how up to date that is.
	Kube(ctx context.Context, q KubeQuery) (Kube, error)
	// ExplainService says of every address of a service, NAMESPACE/NAME, why it is or is not
	// announced from here. One that the API does not have is an error.
	ExplainService(ctx context.Context, service string) (ServiceExplanation, error)
	// Audit reads everything and reports what differs; with repair it mends that.
	Audit(ctx context.Context, repair bool) (Audit, error)
	// Snapshot is the form of a snapshot file (package observe/file).
	Snapshot(ctx context.Context) ([]byte, error)
}

// Controller is what only a running controller can answer besides.
type Controller interface {
	Service
	// Status says whether the node is well, and if not, what is wrong.
	Status(ctx context.Context) (Status, error)
	// History says what was done, and why.
	History(ctx context.Context, f history.Filter) (History, error)
	// Reload takes up the configuration; with dryRun it only says what that would
	// lead to.
	Reload(ctx context.Context, dryRun bool) (Reload, error)
	// PlanWith says what the configuration would lead to with some keys set to other values,
	// each as KEY=VALUE.
	PlanWith(ctx context.Context, set []string) (Reload, error)
	// PlanFile is the plan in the form of a file, for [Controller.Apply].
	PlanFile(ctx context.Context) (PlanFile, error)
	// Apply applies the plan with a digest ([PlanFile.Digest]), if it is the one that would be
	// made now, and nothing otherwise.
	Apply(ctx context.Context, digest string) (Applied, error)
	// Rollback undoes of the steps of a round what can be undone, and tells of each what has
	// become of it. A round that is not remembered is an error.
	Rollback(ctx context.Context, round uint64) (Rollback, error)
	// BGPPeers tells of all sessions or, with an address, of one. One that is not
	// configured is an error.
	BGPPeers(ctx context.Context, address string) (BGPPeers, error)
	// Advertised is a page of what is sent to neighbours.
	Advertised(ctx context.Context, q RouteQuery) (BGPAdvertised, error)
	// Received is a page of what neighbours send; with rejected of what is not used of it.
	Received(ctx context.Context, q RouteQuery, rejected bool) (BGPReceived, error)
	// Verify is a page of what has become of what we announce at the looking points: of what
	// is not there as it was sent or, with all, of everything.
	Verify(ctx context.Context, q RouteQuery, all bool) (Verify, error)
	// Record tells everything that is known, for a support bundle. What cannot be told is a
	// part that says why; an error is take's.
	Record(ctx context.Context, take Take) error
	// Drain takes the node out of service, with force also what nobody else announces, and
	// tells how far that is. Asking again does no harm.
	Drain(ctx context.Context, force bool) (Drain, error)
	// Undrain takes the node back into service. One that is not drained is an error.
	Undrain(ctx context.Context) (Drain, error)
	// Retry has the object with a name as plans print it, or all with an empty one, tried again
	// at once that wait because they failed or because others change them back. That nothing
	// waits is an error.
	Retry(ctx context.Context, object string) (Retried, error)
	// ReleasePeer ends the quarantine of the peer with an address. One that is not in
	// quarantine is an error.
	ReleasePeer(ctx context.Context, address string) (Released, error)
}
