package kube_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// asked notes requests as "list PATH of SELECTORS as MEDIA TYPE", and from which version watches
// of services began. An API server answers them.
type asked struct {
	next http.Handler

	mu       sync.Mutex
	requests map[string]bool
	from     []string
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	verb := "list"
	if q.Get("watch") == "true" {
		verb = "watch"
		if q.Get("allowWatchBookmarks") != "true" || q.Get("timeoutSeconds") == "" {
			verb = "watch without bookmarks or end"
		}
	} else if q.Get("limit") == "" {
		verb = "list without pages"
	}
	if r.Method != http.MethodGet {
		verb = r.Method
	}
	a.mu.Lock()
	a.requests[fmt.Sprintf("%s %s of %q %q as %s", verb, r.URL.Path, q.Get("labelSelector"), q.Get("fieldSelector"),
		r.Header.Get("Accept"))] = true
	if verb == "watch" && strings.HasSuffix(r.URL.Path, "/services") {
		a.from = append(a.from, q.Get("resourceVersion"))
	}
	a.mu.Unlock()
	a.next.ServeHTTP(w, r)
}

// lines are the keys of a set.
func lines(set map[string]bool) string { return strings.Join(slices.Sorted(maps.Keys(set)), "\n") }

// TestAsksForJustThese: services, slices of services that have an address, and the own Node are
// listed by pages and watched with bookmarks, as protobuf; egress IPs, as JSON, only where they
// are to be announced. Nothing else is asked for (K-70, K-71, K-72).
func TestAsksForJustThese(t *testing.T) {
	const (
		inProto        = " as " + protobuf
		endpointSlices = `/apis/discovery.k8s.io/v1/endpointslices of "kubernetes.io/service-name,` +
			`!service.kubernetes.io/headless" ""` + inProto
		nodes = `/api/v1/nodes of "" "metadata.name=worker-a"` + inProto
		all   = `/api/v1/services of "" ""` + inProto
	)
	for _, egress := range []bool{false, true} {
		f := &fake{cut: make(chan struct{})}
		a := &asked{next: f, requests: map[string]bool{}}
		srv := httptest.NewServer(a)
		t.Cleanup(srv.CloseClientConnections)
		s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig, cfg.EgressIPs = kubeconfig(t, srv.URL), egress })
		await(t, s, fresh)
		want := map[string]bool{}
		for _, what := range []string{all, endpointSlices, nodes} {
			want["list "+what], want["watch "+what] = true, true
		}
		if egress {
			want[`list /apis/k8s.ovn.org/v1/egressips of "" "" as application/json`] = true // there are none to watch
		}
		harness.Eventually(t, patience, func() string {
			a.mu.Lock()
			defer a.mu.Unlock()
			if !maps.Equal(a.requests, want) {
				return fmt.Sprintf("asked for\n%s\nwant\n%s", lines(a.requests), lines(want))
			}
			return ""
		})
	}
}

// TestResumesFromBookmark: a watch that ends is resumed from the version of the last bookmark,
// although no object has changed since the list (K-72).
func TestResumesFromBookmark(t *testing.T) {
	f := &fake{cut: make(chan struct{})}
	a := &asked{next: f, requests: map[string]bool{}}
	at := atomic.Pointer[string]{} // the version of the server
	at.Store(ptr("100"))
	f.instead = func(w http.ResponseWriter, watch bool) bool {
		w.Header().Set("Content-Type", protobuf)
		if !watch {
			w.Write(packed("ServiceList", &corev1.ServiceList{ListMeta: metav1.ListMeta{ResourceVersion: *at.Load()}}))
			return true
		}
		at.Store(ptr("150"))
		version := metav1.ObjectMeta{ResourceVersion: "150"}
		w.Write(frame("BOOKMARK", packed("Service", &corev1.Service{ObjectMeta: version})))
		return true // which ends the watch
	}
	srv := httptest.NewServer(a)
	t.Cleanup(srv.CloseClientConnections)
	s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig = kubeconfig(t, srv.URL) })
	harness.Eventually(t, patience, func() string {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.from) < 2 || a.from[0] != "100" || a.from[1] != "150" {
			return fmt.Sprintf("watched from %q, want 100 and then 150", a.from)
		}
		return ""
	})
	if n := s.Status().Kinds[0].Lists; n != 1 {
		t.Errorf("%d whole lists", n)
	}
}

// TestReducedSortedAndShared: of an object only what rules read is kept; lists are sorted by
// namespace and name, whatever the order of the server; a value that was read never changes, and
// the next one shares with it what has not changed (K-71, K-76).
func TestReducedSortedAndShared(t *testing.T) {
	const dropped = "nobody reads this"
	named := func(namespace, name string) corev1.Service {
		s := web()
		s.Namespace, s.Name = namespace, name
		s.Annotations = map[string]string{"a": dropped}
		s.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: dropped}}
		s.Spec.Selector = map[string]string{"s": dropped}
		return s
	}
	send := make(chan []byte)
	f := &fake{cut: make(chan struct{}), instead: func(w http.ResponseWriter, watch bool) bool {
		w.Header().Set("Content-Type", protobuf)
		if watch {
			flush(w)
			w.Write(<-send)
			return true
		}
		w.Write(packed("ServiceList", &corev1.ServiceList{
			ListMeta: metav1.ListMeta{ResourceVersion: "100"},
			Items:    []corev1.Service{named("b", "a"), named("a", "z"), named("a", "b")},
		}))
		return true
	}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.CloseClientConnections)
	t.Cleanup(func() { close(send) })
	s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig, cfg.PageSize = kubeconfig(t, srv.URL), 500 })
	before := await(t, s, fresh)
	text := asJSON(t, before)
	if strings.Contains(text, dropped) {
		t.Errorf("too much is kept: %s", text)
	}
	order := func(k *observe.Kube) (out []string) {
		for _, s := range k.Services {
			out = append(out, s.Text())
		}
		return out
	}
	if got := order(before); !slices.Equal(got, []string{"a/b", "a/z", "b/a"}) {
		t.Errorf("in the order %v", got)
	}
	changed := named("a", "z")
	changed.ResourceVersion, changed.Status = "101", corev1.ServiceStatus{}
	send <- frame("MODIFIED", packed("Service", &changed))
	after := await(t, s, func(k *observe.Kube) string {
		if len(k.Services[1].Ingress) > 0 {
			return "the change has not come"
		}
		return ""
	})
	if asJSON(t, before) != text {
		t.Error("what was read before has changed")
	}
	same := after.Services[0] == before.Services[0] && after.Services[2] == before.Services[2]
	if !same || after.Revision == before.Revision {
		t.Errorf("revision %d after %d; what has not changed is not shared", after.Revision, before.Revision)
	}
}

// TestConditionOfTheNode: the network of the node is unavailable only where the condition is True
// (K-82), and the label excludes with any value (K-81).
func TestConditionOfTheNode(t *testing.T) {
	for _, tt := range []struct {
		status corev1.ConditionStatus
		labels map[string]string
		want   observe.KubeNode
	}{
		{corev1.ConditionTrue, nil, observe.KubeNode{NetworkUnavailable: true}},
		{corev1.ConditionFalse, map[string]string{observe.KubeLabelExclude: ""}, observe.KubeNode{Excluded: true}},
		{corev1.ConditionUnknown, map[string]string{observe.KubeLabelExclude: "false"}, observe.KubeNode{Excluded: true}},
	} {
		node := corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "worker-a", Labels: tt.labels},
			Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{
				{Type: corev1.NodeReady, Status: corev1.ConditionTrue},
				{Type: corev1.NodeNetworkUnavailable, Status: tt.status},
			}},
		}
		f := &fake{cut: make(chan struct{})}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/nodes") && r.URL.Query().Get("watch") == "" {
				w.Header().Set("Content-Type", protobuf)
				w.Write(packed("NodeList", &corev1.NodeList{
					ListMeta: metav1.ListMeta{ResourceVersion: "100"}, Items: []corev1.Node{node},
				}))
				return
			}
			f.ServeHTTP(w, r)
		}))
		t.Cleanup(srv.CloseClientConnections)
		s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig = kubeconfig(t, srv.URL) })
		tt.want.Name = "worker-a"
		if got := await(t, s, fresh).Nodes; len(got) != 1 || *got[0] != tt.want {
			t.Errorf("%s, %v: %+v", tt.status, tt.labels, got)
		}
	}
}

// TestEgressIPFields: of an EgressIP the assignments alone are read (K-22).
func TestEgressIPFields(t *testing.T) {
	f := &fake{cut: make(chan struct{})}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/egressips") || r.URL.Query().Get("watch") != "" {
			f.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"kind":"EgressIPList","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"e",
"annotations":{"k8s.ovn.org/egressip-mark":"50000"}},"spec":{"egressIPs":["192.0.2.9"],"namespaceSelector":{}},
"status":{"items":[{"egressIP":"2001:db8::9","node":"worker-a"}]}}]}`)
	}))
	t.Cleanup(srv.CloseClientConnections)
	s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig, cfg.EgressIPs = kubeconfig(t, srv.URL), true })
	k := await(t, s, func(k *observe.Kube) string {
		if len(k.EgressIPs) != 1 {
			return "no egress IPs"
		}
		return ""
	})
	got, err := json.Marshal(k.EgressIPs[0])
	if want := `{"Name":"e","Items":[{"IP":"2001:db8::9","Node":"worker-a"}],"Problems":null}`; err != nil ||
		string(got) != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}
