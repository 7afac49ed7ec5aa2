package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/internal/sorting"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/isolate"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	source "github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile"
)

// kubeDriver is the driver of a node that runs in a cluster.
func kubeDriver(ctl *reconcile.Controller) (*kube.Driver, error) {
	for _, d := range ctl.Drivers() {
		if k, ok := d.(*kube.Driver); ok {
			return k, nil
		}
	}
	return nil, errors.New("this node announces nothing of a Kubernetes cluster: " + kube.Name +
		" is not among drivers in the configuration")
}

// isolated runs what a driver computes; a panic becomes an error.
func isolated(f func()) error {
	if p := isolate.Run(f); p != nil {
		return fmt.Errorf("driver %s panicked: %s; report it with the output of: bgp-ovn snapshot", kube.Name, p)
	}
	return nil
}

// Kube tells of the services of a cluster.
func (a *answers) Kube(ctx context.Context, q control.KubeQuery) (control.Kube, error) {
	d, err := kubeDriver(a.ctl)
	if err != nil {
		return control.Kube{}, err
	}
	st, live := a.followed()
	r, err := a.readable(ctx, false)
	if err != nil {
		if out := (control.Kube{}); live && !kubeListed(st) { // this is what the answer is about
			kubeStatus(&out, st)
			return kubeEmpty(out), nil
		}
		return control.Kube{}, err
	}
	r, sessions := a.settled(ctx, r)
	k := kubeAnswer{ctl: a.ctl, driver: d, round: r, sessions: sessions}
	out, err := k.list(q)
	if live {
		kubeStatus(&out, st)
	}
	return out, err
}

// asRead is a round as it is, of a form that sees no sessions.
func asRead(_ context.Context, r reconcile.Round) (reconcile.Round, reconcile.Sessions) {
	return r, reconcile.Sessions{}
}

// ExplainService accounts for each address of a service.
func (a *answers) ExplainService(ctx context.Context, service string) (control.ServiceExplanation, error) {
	d, err := kubeDriver(a.ctl)
	if err != nil {
		return control.ServiceExplanation{}, err
	}
	snap, err := a.snapshot(ctx)
	if err != nil {
		return control.ServiceExplanation{}, err
	}
	return explainService(ctx, d, snap, service, a.Explain)
}

// explainService is made of the explanations of the addresses.
func explainService(ctx context.Context, d *kube.Driver, snap observe.Snapshot, service string,
	explain func(context.Context, string) (control.Explanation, error),
) (control.ServiceExplanation, error) {
	out := control.ServiceExplanation{Version: control.Version, Service: service, Addresses: []control.Explanation{}}
	namespace, name, err := control.ParseService(service)
	if err != nil {
		return out, err
	}
	var all kube.Listing
	var missing reason.Account
	var known, lacks bool
	err = isolated(func() {
		all, known = d.List(snap)
		missing, lacks = d.Missing(snap, namespace, name)
	})
	if err != nil || !known {
		return out, cmp.Or(err, errors.New("nothing is known of the Kubernetes API; bgp-ovn status tells why"))
	}
	i := slices.IndexFunc(all.Services, func(s kube.ServiceState) bool {
		return s.Service.Namespace == namespace && s.Service.Name == name
	})
	if i < 0 {
		text := fmt.Sprintf("service %s: the API has no such service among %d", service, len(all.Services))
		if snap.Kube.Stale != "" {
			text += "; " + snap.Kube.Stale
		}
		return out, errors.New(text)
	}
	if lacks {
		missing.Chassis, out.Missing = []string{}, &missing
	}
	out.Type, out.Node = all.Services[i].Service.Type, all.Node
	for _, addr := range serviceAddresses(all.Services[i]) {
		e, err := explain(ctx, addr.String())
		if err != nil {
			return out, err
		}
		out.Addresses = append(out.Addresses, e)
	}
	return out, nil
}

// serviceAddresses are the addresses of a service, each once, those of kinds that are asked
// for first.
func serviceAddresses(s kube.ServiceState) (out []netip.Addr) {
	list := slices.Clone(s.Addresses)
	off := func(a kube.AddressState) int {
		if a.Code == kube.CodeKindOff {
			return 1
		}
		return 0
	}
	sorting.Stable(list, func(a, b kube.AddressState) int { return cmp.Compare(off(a), off(b)) })
	for _, a := range list {
		if a.Addr.IsValid() && !slices.Contains(out, a.Addr) {
			out = append(out, a.Addr)
		}
	}
	return out
}

// kubeAnswer makes the list of a round.
type kubeAnswer struct {
	ctl      *reconcile.Controller
	driver   *kube.Driver
	round    reconcile.Round
	sessions reconcile.Sessions
}

// kubeEmpty is an answer without null lists.
func kubeEmpty(out control.Kube) control.Kube {
	out.Version, out.Services, out.EgressIPs = control.Version, []control.KubeService{}, []control.KubeAddress{}
	if out.API.Kinds == nil {
		out.API.Kinds = []control.KubeKind{}
	}
	return out
}

func (k *kubeAnswer) list(q control.KubeQuery) (control.Kube, error) {
	out := kubeEmpty(control.Kube{})
	var all kube.Listing
	var known bool
	if err := isolated(func() { all, known = k.driver.List(k.round.Snapshot) }); err != nil || !known {
		return out, err
	}
	out.Node, out.State, out.Code, out.Text = all.Node, string(all.State), all.Code, all.Text
	out.API.Synced, out.API.Stale = true, k.round.Snapshot.Kube.Stale
	for _, s := range all.Services {
		if !q.Wants(s.Service.Namespace, s.Service.Name) {
			continue
		}
		svc := control.KubeService{
			Namespace: s.Service.Namespace, Name: s.Service.Name, Type: s.Service.Type, Class: s.Service.Class,
			Local: s.Service.ExternalLocal, Addresses: []control.KubeAddress{},
		}
		for _, a := range s.Addresses {
			if q.All || a.Code != kube.CodeKindOff {
				svc.Addresses = append(svc.Addresses, k.address(a, all.State))
			}
		}
		if q.All || len(svc.Addresses) > 0 {
			out.Services = append(out.Services, svc)
		}
	}
	for _, a := range all.EgressIPs {
		if q.Namespace == "" && (q.All || a.Code != kube.CodeKindOff) {
			out.EgressIPs = append(out.EgressIPs, k.address(a, observe.NodeActive))
		}
	}
	return out, nil
}

// address is what became of an address: what the rules say, and what is there.
func (k *kubeAnswer) address(a kube.AddressState, state observe.NodeState) control.KubeAddress {
	out := control.KubeAddress{
		Kind: string(a.Kind), Names: a.Names, Nodes: append([]string{}, a.Nodes...), Verdict: control.KubeNot,
		Stage: a.Stage, Code: a.Code, Text: a.Text,
	}
	if !a.Addr.IsValid() {
		return out
	}
	path := object.NewPath(a.Path, object.OriginIncomplete).Key()
	out.Address, out.Path = &a.Addr, &a.Path
	if a.Code == "" {
		account := k.ctl.Follow(k.round, a.Addr, reason.Account{Object: path}, k.sessions)
		if step, blocked := account.Blocked(); blocked {
			out.Stage, out.Code, out.Text = step.Stage, step.Code, step.Text
		}
	}
	switch {
	case k.round.Have.Has(path) && !k.round.Want.Has(path):
		out.Verdict = control.KubeHeld
	case out.Code == "" && (state == observe.NodeDraining || k.ctl.Draining()):
		out.Verdict = control.KubeLastResort
	case out.Code == "":
		out.Verdict = control.KubeAnnounced
	case kube.ThisNode(out.Stage):
		out.Verdict = control.KubeBlocked
	}
	return out
}

// kubeStatus is how the API is followed, as an answer.
func kubeStatus(out *control.Kube, st source.Status) {
	api := control.KubeAPI{
		Live: true, Synced: kubeListed(st), Stale: out.API.Stale, Server: st.Server, Kinds: []control.KubeKind{},
	}
	for _, k := range st.Kinds {
		kind := control.KubeKind{
			Name: k.Name, Objects: k.Objects, Followed: k.Synced && k.Fault == "", Unserved: k.Unserved, Error: k.Fault,
			Lists: k.Lists, Watches: k.Watches, Events: k.Events, Octets: k.Bytes,
		}
		if !k.Heard.IsZero() {
			kind.Heard = &k.Heard
		}
		if k.Fault != "" && !k.FaultSince.IsZero() {
			kind.Since = &k.FaultSince
		}
		api.Kinds = append(api.Kinds, kind)
	}
	out.API = api
}

// kubeListed reports whether every kind has been read once.
func kubeListed(st source.Status) bool {
	return !slices.ContainsFunc(st.Kinds, func(k source.KindStatus) bool { return !k.Synced && !k.Unserved })
}
