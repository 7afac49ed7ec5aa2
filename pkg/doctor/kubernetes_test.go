package doctor

import (
	"strings"
	"testing"
)

// TestKubernetes: what the API does not tell is a finding each, and nothing is said of it
// where no driver asks it.
func TestKubernetes(t *testing.T) {
	with := func(change func(*Kubernetes)) func(*Facts) {
		return func(f *Facts) {
			f.Kubernetes = &Kubernetes{
				Server: "https://192.0.2.100:6443", Node: "worker-a", Kinds: []KubernetesKind{{Name: "services"}, {Name: "nodes"}},
			}
			change(f.Kubernetes)
		}
	}
	examineEach(t, []spoiled{
		{"well", with(func(*Kubernetes) {}), LevelOK, "", "", ""},
		{
			"no configuration", with(func(k *Kubernetes) { *k = Kubernetes{Fault: "this is no pod", Remedy: "set it"} }),
			LevelFail, "kubernetes api", "cannot be asked: this is no pod", "set it",
		},
		{
			"refused", with(func(k *Kubernetes) {
				k.Kinds[0].Fault, k.Kinds[0].Remedy = "403: not allowed", "the ClusterRole"
			}),
			LevelFail, "kubernetes services", "https://192.0.2.100:6443 does not tell of them: 403: not allowed",
			"the ClusterRole",
		},
		{
			"wrong name", with(func(k *Kubernetes) { k.NoNode = true }), LevelFail, "kubernetes node",
			`the API has no Node named "worker-a"`, "kube.node_name or NODE_NAME",
		},
		{
			"no egress IPs", with(func(k *Kubernetes) {
				k.Kinds = append(k.Kinds, KubernetesKind{Name: "egressips", Unserved: true})
			}),
			LevelWarn, "kubernetes egressips", "does not serve them", "kube.advertise",
		},
	})
	f := wellNode()
	with(func(*Kubernetes) {})(&f)
	for _, x := range Examine(f) {
		if x.Check == "kubernetes api" && strings.Contains(x.Text, "services, nodes can be listed and watched") {
			return
		}
	}
	t.Error("nothing says that the API answers")
}
