package drivers

import (
	"fmt"
	"slices"

	"github.com/bgp-ovn/bgp-ovn/pkg/config/key"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired"
	"github.com/bgp-ovn/bgp-ovn/pkg/drivers/kube"
)

// kubeOptions are the settings of k8s_ovn_bgp_driver, but for those of its source, which
// the node has (package config).
type kubeOptions struct{ cfg kube.Config }

func newKubeOptions() Options {
	return &kubeOptions{cfg: kube.Config{Advertise: []kube.Kind{kube.KindLoadBalancer}}}
}

// Keys are those that no other driver has.
func (o *kubeOptions) Keys() []key.Key {
	return []key.Key{
		key.Strings(&o.cfg.Classes, "kube.load_balancer_class",
			`load balancer classes whose services are announced; "" stands for services without one (default: any)`,
			nil).Reloads(),
		key.ListOf(&o.cfg.Advertise, "kube.advertise",
			"what is announced: loadbalancer (ingress addresses of services), externalip, clusterip, egressip, podsubnet",
			parseKubeKind, func(k kube.Kind) string { return string(k) }).Offering(kubeKinds()...).Reloads(),
		key.Elements(&o.cfg.Policies, "kube.policies", "policy",
			"attributes of services as namespaces=a+b,selector=app=web,communities=...; the first that matches a service "+
				"counts; may be repeated", func() kube.Policy { return kube.Policy{} }, policyKeys, nil).Reloads(),
	}
}

func kubeKinds() []string {
	var out []string
	for _, k := range kube.Kinds() {
		out = append(out, string(k))
	}
	return out
}

func parseKubeKind(text string) (kube.Kind, error) {
	k := kube.Kind(text)
	if !slices.Contains(kube.Kinds(), k) {
		return "", key.Wrong("use "+key.OneOf(kubeKinds()), "unknown kind %s", key.Quote(text))
	}
	return k, nil
}

// policyKeys are those of one element of kube.policies.
func policyKeys(p *kube.Policy) []key.Key {
	keys := []key.Key{
		key.Strings(&p.Namespaces, "namespaces", "namespaces of the services (default: all)", nil),
		key.Shaped(&p.Selector, "selector", "string",
			`label selector on the services, as "app=web,tier in (a,b)", or with matchLabels and matchExpressions `+
				"(default: all)", parseSelector, kube.Selector.String),
	}
	keys = append(keys, attributeKeys(&p.Attributes)...)
	return append(keys,
		key.Number(&p.Aggregate4, "aggregate4",
			"length of the IPv4 prefix that is announced in place of the address, 1 to 32",
			key.Range[int]{Low: 1, High: 32}).Or("none"),
		key.Number(&p.Aggregate6, "aggregate6",
			"length of the IPv6 prefix that is announced in place of the address, 1 to 128",
			key.Range[int]{Low: 1, High: 128}).Or("none"))
}

// parseSelector reads a label selector: the text that kubectl takes, the object that
// manifests have, or labels with their values.
func parseSelector(n key.Node) (kube.Selector, error) {
	const use = "write app=web,tier in (a,b), or matchLabels and matchExpressions"
	if n.Kind == key.Scalar {
		s, err := kube.ParseSelector(n.Text)
		if err != nil {
			return s, key.Wrong(use, "%v", err)
		}
		return s, nil
	}
	var s kube.Selector
	var err error
	if n.Kind != key.Map {
		return s, key.Wrong(use, "it holds %s, not a selector", n.Kind)
	}
	labels := func(fields []key.Field) {
		for _, f := range fields {
			if f.Value.Kind != key.Scalar && err == nil {
				err = fmt.Errorf("label %.64q has no single value", f.Name)
			}
			if err == nil {
				err = s.Require(f.Name, "In", f.Value.Text)
			}
		}
	}
	for _, f := range n.Fields {
		switch {
		case f.Name == "matchLabels":
			labels(f.Value.Fields)
		case f.Name == "matchExpressions":
			for _, item := range f.Value.Items {
				if err == nil {
					err = requireExpression(&s, item)
				}
			}
		default:
			labels([]key.Field{f})
		}
	}
	if err != nil {
		return kube.Selector{}, key.Wrong(use, "%v", err)
	}
	return s, nil
}

// requireExpression reads one element of matchExpressions.
func requireExpression(s *kube.Selector, n key.Node) error {
	var name, operator string
	var values []string
	for _, f := range n.Fields {
		switch f.Name {
		case "key":
			name = f.Value.Text
		case "operator":
			operator = f.Value.Text
		case "values":
			for _, v := range f.Value.Items {
				values = append(values, v.Text)
			}
		default:
			return fmt.Errorf("matchExpressions has no key %.64q", f.Name)
		}
	}
	return s.Require(name, operator, values...)
}

// Needs are the Kubernetes API and the flows of the external bridge.
func (o *kubeOptions) Needs() Needs {
	return Needs{
		Kubernetes: true, EgressIPs: slices.Contains(o.cfg.Advertise, kube.KindEgressIP),
	}
}

// Check finds nothing: two policies that match one service are no error.
func (o *kubeOptions) Check(bool, Report) {}

// Driver makes the driver.
func (o *kubeOptions) Driver(shared Shared) desired.Driver {
	cfg := o.cfg
	cfg.Expose, cfg.NodeName, cfg.KeepCordoned = shared.Expose, shared.KubeNode, shared.KubeKeepCordoned
	return kube.New(cfg)
}
