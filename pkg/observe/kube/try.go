package kube

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// Trial is how the API answers to one try of what a source does.
type Trial struct {
	// Server is its address; empty if the files do not say where it is.
	Server string
	// Fault is why nothing was tried; empty if it was.
	Fault string
	// Node is the name of the own Node that was asked for; NoNode says that the API has none
	// of that name.
	Node   string
	NoNode bool
	Kinds  []KindTrial
}

// KindTrial is how the API answers for one kind.
type KindTrial struct {
	Name string // services
	// Fault is why it cannot be listed or watched; empty if both can.
	Fault string
	// Unserved says that the API does not have the kind.
	Unserved bool
}

// Try asks once for everything that a source with this configuration follows: one object of
// each kind, and a watch that is ended at once. It is what "bgp-ovn doctor" does.
func Try(ctx context.Context, cfg Config) Trial {
	cfg.fill()
	api := &client{kubeconfig: cfg.Kubeconfig}
	t := Trial{Node: cfg.NodeName()}
	if _, err := api.connect(); err != nil {
		t.Fault = reasonOf(err)
		return t
	}
	t.Server = api.address()
	node := nodeSpec
	node.field = func() (string, error) {
		if t.Node == "" {
			return "", errNoName
		}
		return "metadata.name=" + t.Node, nil
	}
	tries := []func() (KindTrial, int, error){
		func() (KindTrial, int, error) { return tryKind(ctx, api, servicesSpec) },
		func() (KindTrial, int, error) { return tryKind(ctx, api, slicesSpec) },
		func() (KindTrial, int, error) { return tryKind(ctx, api, node) },
	}
	if cfg.EgressIPs {
		tries = append(tries, func() (KindTrial, int, error) { return tryKind(ctx, api, egressIPsSpec) })
	}
	for _, f := range tries {
		k, found, err := f()
		if err != nil {
			k.Fault = reasonOf(err) + api.expired(err)
		}
		t.Kinds = append(t.Kinds, k)
		if k.Name == node.name {
			t.NoNode = err == nil && found == 0
		}
		var status apierrors.APIStatus
		if err != nil && !errors.As(err, &status) && !errors.Is(err, errNoName) {
			break // nobody answers, and the other kinds would have to wait for that as well
		}
	}
	return t
}

// tryKind lists one object of a kind and begins to watch it. It returns how many objects there
// were.
func tryKind[T any](ctx context.Context, api *client, s spec[T]) (k KindTrial, found int, err error) {
	k.Name = s.name
	params := url.Values{"limit": {"1"}}
	if s.label != "" {
		params.Set("labelSelector", s.label)
	}
	if s.field != nil {
		field, err := s.field()
		if err != nil {
			return k, 0, err
		}
		params.Set("fieldSelector", field)
	}
	body, err := api.get(ctx, s.path, s.accept, params)
	if s.optional && apierrors.IsNotFound(err) {
		k.Unserved = true
		return k, 0, nil
	}
	if err != nil {
		return k, 0, err
	}
	data, err := readAll(body)
	body.Close()
	if err != nil {
		return k, 0, plain(err)
	}
	var p page[T]
	err = recovered(func() (err error) {
		p, err = s.list(data)
		return err
	})
	if err != nil {
		return k, 0, &decodeError{err}
	}
	params.Del("limit")
	params.Set("watch", "true")
	params.Set("resourceVersion", p.meta.ResourceVersion)
	params.Set("timeoutSeconds", strconv.Itoa(int(time.Minute/time.Second)))
	if body, err = api.get(ctx, s.path, s.accept, params); err != nil {
		return k, 0, err
	}
	body.Close()
	return k, len(p.items), nil
}

// expired says of a token that was not accepted when it expired, if it did: what a service
// account has is a JWT (RFC 7519), which says so itself. It is not verified, only told.
func (c *client) expired(err error) string {
	if !apierrors.IsUnauthorized(err) {
		return ""
	}
	conf, err := c.config()
	if err != nil {
		return ""
	}
	at, ok := expiryOf(tokenOf(conf))
	if !ok || time.Now().Before(at) {
		return ""
	}
	return "; the token expired at " + at.UTC().Format(time.RFC3339)
}

func tokenOf(conf *rest.Config) string {
	if conf.BearerTokenFile != "" {
		if text, err := os.ReadFile(conf.BearerTokenFile); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return conf.BearerToken
}

// expiryOf is the claim exp of a JWT.
func expiryOf(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Exp <= 0 {
		return time.Time{}, false
	}
	return time.Unix(claims.Exp, 0), true
}

// Remedy is what to do about a fault of the source, in the words of [Trial] and [Status].
func Remedy(fault string) string {
	switch {
	case strings.Contains(fault, "403: "):
		return "give the service account get, list and watch of services, nodes, endpointslices.discovery.k8s.io and " +
			"egressips.k8s.ovn.org, as the ClusterRole of deploy/helm does; kubectl auth can-i --list shows what it has"
	case strings.Contains(fault, "401: "):
		return "renew the token of the service account, or the credentials in kube.kubeconfig: the server does not know them"
	case strings.Contains(fault, "certificate has expired or is not yet valid"):
		return "renew the certificate of the server, or set the clock of this node: timedatectl"
	case strings.Contains(fault, "x509: ") || strings.Contains(fault, "tls: "):
		return "the certificate of the server must be of the CA in kube.kubeconfig, or in ca.crt of the service account"
	default:
		return "kubectl get --raw /readyz; kubectl auth can-i watch services -A, with the rights of bgp-ovn"
	}
}
