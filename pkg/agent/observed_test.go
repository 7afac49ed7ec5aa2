package agent

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/config"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A peer that a reload removes takes its series along, and a file that says something else
// than what runs is told of.
func TestMetricsFollowConfiguration(t *testing.T) {
	w := newWorld(t)
	socket := "unix:" + w.path("speaker.sock")
	supervise(t, socket)
	peers := func(addresses ...string) {
		var list []string
		for _, a := range addresses {
			list = append(list, fmt.Sprintf("{address: %s, as: 65099, passive: true}", a))
		}
		w.configure(fmt.Sprintf("bgp: {as: 65001, router_id: 192.0.2.1, speaker: %q, peers: [%s]}", socket,
			strings.Join(list, ", ")))
	}
	peers("127.0.0.2", "127.0.0.3")
	c, n, _ := w.serviceNode()
	scrape := func() string { return metricsOf(n) }
	serves := func(lines ...string) {
		t.Helper()
		await(t, func() string {
			text := scrape()
			for _, line := range lines {
				if !strings.Contains(text, "\n"+line+"\n") {
					return "no " + line
				}
			}
			return ""
		})
	}
	hash := func() string { return regexp.MustCompile(`bgp_ovn_config_info\{.*`).FindString(scrape()) }
	serves(`bgp_ovn_peer_up{peer="127.0.0.2"} 0`, `bgp_ovn_peer_up{peer="127.0.0.3"} 0`, "bgp_ovn_speaker_up 1",
		"bgp_ovn_config_stale 0", `bgp_ovn_prefixes{class="provider"} 1`)
	before := hash()
	peers("127.0.0.2")
	n.observeConfig()
	serves("bgp_ovn_config_stale 1")
	if _, err := c.Reload(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	serves("bgp_ovn_config_stale 0")
	if hash() == before {
		t.Errorf("the hash is the same: %s", before)
	}
	await(t, func() string {
		if text := scrape(); strings.Contains(text, "127.0.0.3") {
			return text
		}
		return ""
	})
	if err := os.WriteFile(w.config, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	n.observeConfig()
	serves("bgp_ovn_config_stale 1", `bgp_ovn_peer_up{peer="127.0.0.2"} 0`)
}

// The hash says nothing of a password.
func TestHashWithoutSecrets(t *testing.T) {
	var a, b config.Settings
	a.BGP.Peers = []object.Peer{{Password: "one"}}
	b.BGP.Peers = []object.Peer{{Password: "two"}}
	if hashOf(a) != hashOf(b) || len(hashOf(a)) != 16 {
		t.Errorf("%s and %s", hashOf(a), hashOf(b))
	}
}
