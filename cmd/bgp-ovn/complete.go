package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/reconcile/history"
)

// The bounds of a completion: a controller that hangs must not hang the shell, and nobody
// reads more than a few hundred words.
const (
	completeWithin = 500 * time.Millisecond
	completeMost   = 200
)

// completing asks the running controller for words, within a short time; none without it.
func (c *cli) completing(ask func(context.Context, *control.Client) []string) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
		defer cancel()
		s, _ := c.load() // good enough to find the socket
		var out []string
		seen := map[string]bool{}
		for _, word := range ask(ctx, client(s)) {
			if strings.HasPrefix(word, begun) && !seen[word] && len(out) < completeMost {
				seen[word], out = true, append(out, word)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}

// peerWords are the addresses of the peers.
func peerWords(ctx context.Context, ask *control.Client) (words []string) {
	p, err := ask.BGPPeers(ctx, "")
	if err != nil {
		return nil
	}
	for _, peer := range p.Peers {
		words = append(words, peer.Address)
	}
	for _, held := range p.Held {
		words = append(words, held.Peer)
	}
	return words
}

// targetWords are the addresses that are announced, and what people call the rows behind
// them.
func targetWords(ctx context.Context, ask *control.Client) []string {
	a, err := ask.Advertised(ctx, control.RouteQuery{Limit: control.MaxRoutes})
	if err != nil {
		return nil
	}
	var addresses, names []string
	for _, p := range a.Paths {
		for _, bits := range []string{"/32", "/128"} {
			if addr, host := strings.CutSuffix(p.NLRI, bits); host {
				addresses = append(addresses, addr)
			}
		}
		for _, o := range p.Objects {
			name := o.Row
			if called := a.Names[name]; called != "" {
				name = called
			}
			if !strings.ContainsAny(name, " \t\n") {
				names = append(names, name)
			}
		}
	}
	return append(append(addresses, names...), serviceWords(ctx, ask)...)
}

// serviceWords are the services of Kubernetes that are to be announced; none of a node
// outside a cluster.
func serviceWords(ctx context.Context, ask *control.Client) (words []string) {
	k, err := ask.Kube(ctx, control.KubeQuery{})
	if err != nil {
		return nil
	}
	for _, s := range k.Services {
		words = append(words, s.Namespace+"/"+s.Name)
	}
	return words
}

// completions gives commands and flags the words that may follow.
func (c *cli) completions(root *cobra.Command) {
	fixed := func(cmd *cobra.Command, flag string, words ...string) {
		if cmd.Flags().Lookup(flag) != nil || cmd.PersistentFlags().Lookup(flag) != nil {
			complete := cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)
			_ = cmd.RegisterFlagCompletionFunc(flag, complete) // it exists, and has none yet
		}
	}
	fixed(root, "output", string(view.Text), string(view.JSON), string(view.YAML))
	var causes []string
	for _, cause := range history.Causes() {
		causes = append(causes, string(cause))
	}
	for path, words := range map[string]func(context.Context, *control.Client) []string{
		"bgp peer": peerWords, "bgp advertised": peerWords, "bgp received": peerWords, "bgp rejected": peerWords,
		"explain": targetWords, "trace": targetWords, "history": targetWords,
		"verify": targetWords, "kube": serviceWords,
	} {
		if cmd, _, err := root.Find(strings.Fields(path)); err == nil {
			cmd.ValidArgsFunction = c.completing(words)
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.Flags().Lookup("set") != nil {
			_ = cmd.RegisterFlagCompletionFunc("set", completeSetting) // it exists, and has none yet
		}
		fixed(cmd, "driver", config.Values("drivers")...)
		fixed(cmd, "cause", causes...)
	}
}

// completeSetting completes KEY=VALUE: the keys, and the values of a key that has a few.
func completeSetting(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	const more = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	name, _, valued := strings.Cut(begun, "=")
	var out []string
	for _, k := range config.Choices() {
		switch {
		case !valued && strings.HasPrefix(k.Key, begun):
			out = append(out, k.Key+"=")
		case valued && k.Key == name:
			for _, v := range k.Values {
				if word := name + "=" + v; strings.HasPrefix(word, begun) {
					out = append(out, word)
				}
			}
		}
	}
	if valued {
		return out, cobra.ShellCompDirectiveNoFileComp
	}
	return out, more
}
