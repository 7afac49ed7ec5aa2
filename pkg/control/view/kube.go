package view

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/names"
)

// Kube prints how the Kubernetes API is followed, and a line for each address of a
// service and each egress IP.
func Kube(w io.Writer, form Form, k control.Kube) error {
	var b strings.Builder
	kubeHead(&b, w, k)
	if !k.API.Synced {
		return Print(w, form, k, b.String())
	}
	t := table{page: columnsOf(w), columns: []column{
		{"SERVICE", 16}, {"ADDRESS", 15}, {"KIND", 12}, {"POLICY", 7}, {"NODES", 12}, {"VERDICT", 24},
	}}
	counts := map[string]int{}
	for _, s := range k.Services {
		policy := "Cluster"
		if s.Local {
			policy = "Local"
		}
		for _, a := range s.Addresses {
			kubeRow(&t, s.Namespace+"/"+s.Name, policy, a)
			counts[a.Verdict]++
		}
		if len(s.Addresses) == 0 {
			t.row(s.Namespace+"/"+s.Name, "-", "-", policy, "-", "no address")
		}
	}
	for _, a := range k.EgressIPs {
		kubeRow(&t, cmp.Or(strings.Join(a.Names, ","), "-"), "-", a)
		counts[a.Verdict]++
	}
	var sums []string
	for _, verdict := range []string{
		control.KubeAnnounced, control.KubeLastResort, control.KubeHeld, control.KubeBlocked, control.KubeNot,
	} {
		if n := counts[verdict]; n > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", n, verdict))
		}
	}
	if len(sums) == 0 {
		b.WriteString("no service has or is to have an address that kube.advertise asks for\n")
	} else {
		b.WriteString(t.String() + strings.Join(sums, ", ") + "; bgp-ovn explain NAMESPACE/SERVICE tells why\n")
	}
	return Print(w, form, k, b.String())
}

// kubeHead tells of the node and of the API.
func kubeHead(b *strings.Builder, w io.Writer, k control.Kube) {
	print := func(text string) {
		b.WriteString(strings.Join(wrap(text, cmp.Or(columnsOf(w), maxColumns)-2), "\n  ") + "\n")
	}
	if k.Node != "" {
		text := "node " + k.Node
		if k.State != "" {
			text += ", " + k.State
		}
		if k.Code != "" {
			text += ": no service address is announced: " + k.Text + " (" + k.Code + ")"
		}
		print(text)
	}
	switch api := k.API; {
	case !api.Live && api.Stale == "":
		print("the API as it was recorded; the verdicts are those of a node in that state")
	case !api.Live:
		print("the API as it was recorded: STALE: " + api.Stale)
	case !api.Synced:
		print("the API " + api.Server + " has NOT been read yet; nothing is removed meanwhile")
	case api.Stale != "":
		print("the API " + api.Server + " is AWAY, nothing is withdrawn for that reason: " + api.Stale)
	default:
		print("the API " + api.Server + " is followed")
	}
	for _, kind := range k.API.Kinds {
		text := fmt.Sprintf("%s: %d", kind.Name, kind.Objects)
		switch {
		case kind.Error != "":
			text += ", NOT followed: " + kind.Error
			if kind.Since != nil {
				text += ", since " + clock(*kind.Since)
			}
		case kind.Unserved:
			text += ", not served by this API"
		case !kind.Followed:
			text += ", being listed"
		}
		if kind.Heard != nil {
			text += ", last heard " + clock(*kind.Heard)
		}
		b.WriteString("  " + text + "\n")
	}
}

func kubeRow(t *table, whose, policy string, a control.KubeAddress) {
	address, verdict := "-", a.Verdict
	if a.Address != nil {
		address = a.Address.String()
	}
	if verdict == control.KubeNot || verdict == control.KubeBlocked {
		verdict = a.Code
	}
	if a.Path != nil && !a.Path.IsSingleIP() && verdict == a.Verdict {
		verdict += " as " + a.Path.String()
	}
	t.row(whose, address, a.Kind, policy, cmp.Or(strings.Join(a.Nodes, ","), "-"), verdict)
	if a.Verdict == control.KubeBlocked {
		t.note(a.Text)
	}
}

// kindOff is the code of an address whose kind nobody asks for.
const kindOff = "kind-off"

// ServiceExplanation prints the explanation of every address of a service.
func ServiceExplanation(w io.Writer, form Form, s control.ServiceExplanation) error {
	var b strings.Builder
	fmt.Fprintf(&b, "service %s, type %s, seen from node %s: %s, %d advertised\n", s.Service, cmp.Or(s.Type, "unknown"),
		s.Node, plural(len(s.Addresses), "address"), s.Advertised())
	if m := s.Missing; m != nil {
		fmt.Fprintf(&b, "\n-  %s  NOT ADVERTISED\n", m.What)
		for i, step := range m.Steps {
			fmt.Fprintf(&b, "  %d %-10s %s  %s\n", i+1, step.Stage, step.Text, step.State())
		}
		if m.Try != "" {
			fmt.Fprintf(&b, "  try:          %s\n", m.Try)
		}
	}
	for _, e := range s.Addresses {
		if e.Code == kindOff && len(e.Accounts) == 1 { // most services have a cluster IP that nobody asks for
			fmt.Fprintf(&b, "\n%s  %s  NOT ADVERTISED (%s): kube.advertise does not have its kind\n", e.Address,
				e.Accounts[0].What, e.Code)
			continue
		}
		b.WriteString("\n" + hanging(w, names.Relabel(e.Explanation.String(), e.Names)))
	}
	return Print(w, form, s, b.String())
}
