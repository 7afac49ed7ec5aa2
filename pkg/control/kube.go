package control

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/desired/reason"
)

// KubeQuery says which services of a cluster are asked for.
type KubeQuery struct {
	// Namespace and Name are those of the services; empty is any.
	Namespace, Name string
	// All asks for addresses of kinds that are not in kube.advertise, too.
	All bool
}

// Values are the query as parameters of a request.
func (q KubeQuery) Values() url.Values {
	v := url.Values{}
	for name, value := range map[string]string{"namespace": q.Namespace, "name": q.Name} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if q.All {
		v.Set("all", "true")
	}
	return v
}

// longestKubeName is longer than any name of a namespace or a service.
const longestKubeName = 253

// ParseService reads NAMESPACE/NAME.
func ParseService(text string) (namespace, name string, err error) {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || namespace == "" || name == "" || len(text) > longestKubeName*2 || strings.ContainsAny(name, "/ ") {
		return "", "", fmt.Errorf("service %.80q: give NAMESPACE/NAME, such as default/web", text)
	}
	return namespace, name, nil
}

func kubeAnswers(mux *http.ServeMux, c Service) {
	answer(mux, "GET /v1/kube", func(r *http.Request) (any, error) {
		v := r.URL.Query()
		return c.Kube(r.Context(), KubeQuery{
			Namespace: v.Get("namespace"), Name: v.Get("name"), All: v.Get("all") == "true",
		})
	})
	answer(mux, "GET /v1/explain-service", func(r *http.Request) (any, error) {
		return c.ExplainService(r.Context(), r.URL.Query().Get("service"))
	})
}

// Kube is the answer to which services of a cluster are announced from here.
type Kube struct {
	Version int `json:"version"`
	// Node is the name of the own Node, and State how far it is taken out of service:
	// active, draining or drained; empty if that is not known.
	Node  string `json:"node"`
	State string `json:"node_state,omitempty"`
	// Code and Text say what keeps all service addresses of this node back; empty if
	// nothing does.
	Code string `json:"node_code,omitempty"`
	Text string `json:"node_text,omitempty"`
	// API is how the Kubernetes API is followed.
	API       KubeAPI       `json:"api"`
	Services  []KubeService `json:"services"`
	EgressIPs []KubeAddress `json:"egress_ips"`
}

// KubeAPI is how up to date what is known of the API is.
type KubeAPI struct {
	// Live says that the API is followed, and false that a file was read.
	Live bool `json:"live"`
	// Synced says that everything has been read once; before that nothing is known.
	Synced bool `json:"synced"`
	// Stale says why and since when this may be out of date; empty if it is not.
	Stale string `json:"stale,omitempty"`
	// Server is the address of the API server; empty if it is not known.
	Server string     `json:"server,omitempty"`
	Kinds  []KubeKind `json:"kinds"`
}

// KubeKind is how one kind of objects is followed.
type KubeKind struct {
	Name    string `json:"name"`
	Objects int    `json:"objects"`
	// Followed says that it has been listed and is watched; Unserved that the API does not
	// have it.
	Followed bool `json:"followed"`
	Unserved bool `json:"unserved,omitempty"`
	// Heard is when the server last told something of it; null if it never has.
	Heard *time.Time `json:"heard"`
	// Error is why it is not followed at the moment, since Since; empty if it is.
	Error string     `json:"error,omitempty"`
	Since *time.Time `json:"since,omitempty"`
	// Lists, Watches, Events and Octets are what was received since the start.
	Lists   uint64 `json:"lists"`
	Watches uint64 `json:"watches"`
	Events  uint64 `json:"events"`
	Octets  uint64 `json:"octets"`
}

// KubeService is a service and what becomes of its addresses here.
type KubeService struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Type      string `json:"type"`
	Class     string `json:"class,omitempty"`
	// Local says that externalTrafficPolicy is Local.
	Local     bool          `json:"external_traffic_policy_local"`
	Addresses []KubeAddress `json:"addresses"`
}

// The verdicts on an address, as far as this node goes.
const (
	KubeAnnounced  = "announced"
	KubeLastResort = "last-resort"   // announced with GRACEFUL_SHUTDOWN: the node is drained
	KubeHeld       = "held"          // announced although nothing asks for it any more
	KubeBlocked    = "blocked"       // asked for, with endpoints and a node that may serve
	KubeNot        = "not-announced" // not asked for, or not of this node
)

// KubeAddress is an address of a service, or an egress IP.
type KubeAddress struct {
	// Address is null of a service that is to have one and has none.
	Address *netip.Addr `json:"address"`
	// Kind is one of those of kube.advertise.
	Kind string `json:"kind"`
	// Names are those of the EgressIP objects that assign it.
	Names []string `json:"egress_ip_names,omitempty"`
	// Path is what is announced for it: its host route, or an aggregate.
	Path *netip.Prefix `json:"path"`
	// Nodes are those with an endpoint that serves it, or to which an egress IP is
	// assigned.
	Nodes   []string `json:"nodes"`
	Verdict string   `json:"verdict"`
	// Stage, Code and Text are the first link of the chain that fails, as explain has it;
	// empty if none does.
	Stage string `json:"stage,omitempty"`
	Code  string `json:"code,omitempty"`
	Text  string `json:"text,omitempty"`
}

// Differs reports whether the API is not followed, or an address is not announced that
// this node is to serve.
func (k Kube) Differs() bool {
	if !k.API.Synced || k.API.Stale != "" {
		return true
	}
	for _, s := range k.Services {
		for _, a := range s.Addresses {
			if a.Verdict == KubeBlocked || a.Verdict == KubeHeld {
				return true
			}
		}
	}
	for _, a := range k.EgressIPs {
		if a.Verdict == KubeBlocked || a.Verdict == KubeHeld {
			return true
		}
	}
	return false
}

// ServiceExplanation says of each address of a service why it is or is not announced.
type ServiceExplanation struct {
	Version int `json:"version"`
	// Service is NAMESPACE/NAME.
	Service string `json:"service"`
	Type    string `json:"type"`
	// Node is the name of the own Node.
	Node string `json:"node"`
	// Addresses are explained as explain does each, those of kinds that are asked for
	// first.
	Addresses []Explanation `json:"addresses"`
	// Missing accounts for an address that it is to have and does not; null if it does not
	// lack one.
	Missing *reason.Account `json:"missing"`
}

// Advertised is how many of the addresses are announced.
func (s ServiceExplanation) Advertised() (n int) {
	for _, e := range s.Addresses {
		if e.Advertised {
			n++
		}
	}
	return n
}

// Wants reports whether a service is asked for.
func (q KubeQuery) Wants(namespace, name string) bool {
	return (q.Namespace == "" || q.Namespace == namespace) && (q.Name == "" || q.Name == name)
}
