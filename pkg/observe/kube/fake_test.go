package kube_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

const protobuf = "application/vnd.kubernetes.protobuf"

// fake answers as an API server does, but for what a test has it do with requests for
// services.
type fake struct {
	mu      sync.Mutex
	instead func(w http.ResponseWriter, watch bool) bool // false answers as always
	cut     chan struct{}                                // closed to end all watches
}

// change makes the next requests for services be answered by instead, and ends the watches.
func (f *fake) change(instead func(w http.ResponseWriter, watch bool) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.instead = instead
	close(f.cut)
	f.cut = make(chan struct{})
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	instead, cut := f.instead, f.cut
	f.mu.Unlock()
	watch := r.URL.Query().Get("watch") == "true"
	services := strings.HasSuffix(r.URL.Path, "/services")
	if services && instead != nil && instead(w, watch) {
		return
	}
	w.Header().Set("Content-Type", protobuf)
	if watch {
		flush(w)
		select {
		case <-cut:
		case <-r.Context().Done():
		}
		return
	}
	meta := metav1.ListMeta{ResourceVersion: "100"}
	switch {
	case services:
		w.Write(packed("ServiceList", &corev1.ServiceList{ListMeta: meta, Items: []corev1.Service{web()}}))
	case strings.HasSuffix(r.URL.Path, "/endpointslices"):
		w.Write(packed("EndpointSliceList", &discoveryv1.EndpointSliceList{ListMeta: meta}))
	case strings.HasSuffix(r.URL.Path, "/nodes"):
		w.Write(packed("NodeList", &corev1.NodeList{ListMeta: meta, Items: []corev1.Node{{
			ObjectMeta: metav1.ObjectMeta{Name: "worker-a"},
		}}}))
	default:
		http.NotFound(w, r)
	}
}

func flush(w http.ResponseWriter) { w.(http.Flusher).Flush() }

func web() corev1.Service {
	return corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", ResourceVersion: "90"},
		Status: corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{
			Ingress: []corev1.LoadBalancerIngress{{IP: "198.51.100.20"}},
		}},
	}
}

// packed is an object as the API sends it.
func packed(kind string, o interface{ Marshal() ([]byte, error) }) []byte {
	return packedAs("v1", kind, o)
}

// packedAs is packed for a version of an API group.
func packedAs(version, kind string, o interface{ Marshal() ([]byte, error) }) []byte {
	raw, err := o.Marshal()
	if err != nil {
		panic(err)
	}
	u := runtime.Unknown{TypeMeta: runtime.TypeMeta{APIVersion: version, Kind: kind}, Raw: raw}
	out, err := u.Marshal()
	if err != nil {
		panic(err)
	}
	return append([]byte("k8s\x00"), out...)
}

// frame is an event of a watch as the API sends it.
func frame(kind string, object []byte) []byte {
	ev := metav1.WatchEvent{Type: kind, Object: runtime.RawExtension{Raw: object}}
	raw, err := ev.Marshal()
	if err != nil {
		panic(err)
	}
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(raw))), raw...)
}

func kubeconfigText(url string, token ...string) string {
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","clusters":[{"name":"c","cluster":{"server":%q,
"insecure-skip-tls-verify":%v}}],
"users":[{"name":"u","user":{"token":%q}}],
"contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],"current-context":"x"}`,
		url, len(token) > 0, strings.Join(token, ""))
}

// kubeconfig is one for a server without TLS, or for one of any certificate, with a token, if
// one is given.
func kubeconfig(t testing.TB, url string, token ...string) string {
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := kubeconfigText(url, token...)
	harness.Check(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// opened follows a server until the test ends.
func opened(t testing.TB, change func(*kube.Config)) *kube.Source {
	t.Helper()
	cfg := kube.Config{
		NodeName: func() string { return "worker-a" }, PageSize: 2,
		BackoffMin: 20 * time.Millisecond, BackoffMax: 200 * time.Millisecond,
		Look: 200 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	s := kube.Open(context.Background(), cfg)
	t.Cleanup(func() { harness.Check(t, s.Close()) })
	return s
}

// patience bounds every wait.
const patience = time.Minute

// await waits until what is read satisfies want, which says what is missing.
func await(t testing.TB, s *kube.Source, want func(*observe.Kube) string) *observe.Kube {
	t.Helper()
	var got *observe.Kube
	harness.Eventually(t, patience, func() string {
		k, err := s.Read(t.Context())
		if err != nil {
			return err.Error()
		}
		got = k
		return want(k)
	})
	return got
}

func fresh(k *observe.Kube) string { return k.Stale }

func stale(text string) func(*observe.Kube) string {
	return func(k *observe.Kube) string {
		if !strings.Contains(k.Stale, text) {
			return fmt.Sprintf("stale is %q, without %q", k.Stale, text)
		}
		return ""
	}
}

// asJSON is what was read without what differs from one source to the next.
func asJSON(t testing.TB, k *observe.Kube) string {
	t.Helper()
	copied := *k
	copied.Revision = 0
	out, err := json.MarshalIndent(copied, "", " ")
	harness.Check(t, err)
	return string(out)
}

// answer is what a server sends instead of services; false leaves that to the fake.
type answer = func(w http.ResponseWriter, watch bool) bool

// garbage is what a server may send, with a part of the reason that is given.
func garbage() map[string]garbageCase {
	text := func(code int, kind, body string) answer {
		return func(w http.ResponseWriter, _ bool) bool {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			io.WriteString(w, body)
			return true
		}
	}
	watch := func(data ...[]byte) answer {
		return func(w http.ResponseWriter, watch bool) bool {
			if !watch {
				return false
			}
			w.Header().Set("Content-Type", protobuf)
			for _, d := range data {
				w.Write(d)
			}
			return true
		}
	}
	list := func(data []byte) answer {
		return func(w http.ResponseWriter, watch bool) bool {
			if watch { // has the list asked for
				w.Header().Set("Content-Type", protobuf)
				w.Write(frame("ADDED", []byte("nonsense")))
				return true
			}
			w.Header().Set("Content-Type", protobuf)
			w.Write(data)
			return true
		}
	}
	nameless := corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default"}}
	whole := frame("MODIFIED", packed("Service", &nameless))
	forbidden := `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"services is forbidden",` +
		`"reason":"Forbidden","code":403}`
	meta := metav1.ListMeta{ResourceVersion: "100"}
	unauthorized := strings.NewReplacer("403", "401", `"Forbidden"`, `"Unauthorized"`).Replace(forbidden)
	endless := corev1.ServiceList{ListMeta: metav1.ListMeta{Continue: "x"}}
	noName := corev1.ServiceList{ListMeta: meta, Items: []corev1.Service{nameless}}
	ill := metav1.Status{Message: "etcd is ill", Code: 500}
	return map[string]garbageCase{
		"page of a portal":      {text(200, "text/html", "<html>"), "is it a Kubernetes API server?"},
		"json for protobuf":     {text(200, "application/json", "{}"), "is it a Kubernetes API server?"},
		"internal error":        {text(500, "text/plain", "oops"), "oops"},
		"too many requests":     {text(429, "text/plain", "slow down"), "too many requests"},
		"huge refusal":          {text(503, "text/plain", strings.Repeat("x", 4<<20)), "unable to handle the request"},
		"forbidden":             {text(403, "application/json", forbidden), "403: not allowed: services is forbidden"},
		"unauthorized":          {text(401, "application/json", unauthorized), "401: "},
		"cut in a length":       {watch(whole[:2]), "unexpected EOF"},
		"cut in an event":       {watch(whole[:len(whole)-3]), "was cut off after"},
		"huge length":           {watch([]byte{0xff, 0xff, 0xff, 0xff}), "larger than is read"},
		"no event":              {watch([]byte{0, 0, 0, 4}, []byte("xxxx")), ""},
		"nameless object":       {watch(whole), "an object has no name"},
		"other kind":            {watch(frame("ADDED", packed("Pod", &nameless))), `sends a "Pod"`},
		"no envelope":           {watch(frame("ADDED", []byte("nonsense"))), "does not begin as one"},
		"unknown event":         {watch(frame("EXPLODED", packed("Service", ptr(web())))), "no type of an event"},
		"error of a watch":      {watch(frame("ERROR", packed("Status", &ill))), "etcd is ill"},
		"bookmark of nothing":   {watch(frame("BOOKMARK", packed("Service", &corev1.Service{}))), "has no resourceVersion"},
		"list of nonsense":      {list([]byte("k8s\x00\xff\xff\xff\xff\xff")), "cannot be read"},
		"list of another kind":  {list(packed("PodList", &corev1.PodList{ListMeta: meta})), `sends a "PodList"`},
		"list without version":  {list(packed("ServiceList", &corev1.ServiceList{})), "no resourceVersion"},
		"list that never ends":  {list(packed("ServiceList", &endless)), "does not end"},
		"list with a nameless":  {list(packed("ServiceList", &noName)), "no name"},
		"list larger than read": {list(append([]byte("k8s\x00"), make([]byte, 33<<20)...)), "larger than is read"},
	}
}

type garbageCase struct {
	instead answer
	want    string
}

// Whatever a server sends instead of services: the reason is named, what was known stays,
// and all is well again once the server is.
func TestGarbage(t *testing.T) {
	for name, c := range garbage() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fake{cut: make(chan struct{})}
			srv := httptest.NewServer(f)
			t.Cleanup(srv.CloseClientConnections)
			s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig = kubeconfig(t, srv.URL) })
			before := asJSON(t, await(t, s, fresh))
			f.change(c.instead)
			got := await(t, s, func(k *observe.Kube) string {
				if c.want == "" && k.Stale == "" {
					return "not stale"
				}
				return stale(c.want)(k)
			})
			if len(got.Services) != 1 || got.Services[0].Name != "web" {
				t.Errorf("services: %+v", got.Services)
			}
			f.change(nil)
			if after := asJSON(t, await(t, s, fresh)); after != before {
				t.Errorf("after:\n%s\nbefore:\n%s", after, before)
			}
		})
	}
}

func ptr[T any](v T) *T { return &v }

// Fields that mean nothing are named and left out; the rest of the object counts.
func TestFieldsOutOfBounds(t *testing.T) {
	odd := web()
	odd.Spec.ExternalIPs = []string{"198.51.100.9", "fe80::1%eth0", "::ffff:192.0.2.1", "nonsense", "0.0.0.0"}
	odd.Spec.ClusterIPs = []string{"None"}
	odd.Spec.Ports = []corev1.ServicePort{
		{Port: 80}, {Port: -1}, {Port: 70000}, {Port: 53, Protocol: "UDP"}, {Port: 1, Protocol: "X"},
	}
	odd.Spec.LoadBalancerClass = ptr(strings.Repeat("c", 5000))
	for range 1000 {
		odd.Status.LoadBalancer.Ingress = append(odd.Status.LoadBalancer.Ingress, corev1.LoadBalancerIngress{Hostname: "h"})
	}
	f := &fake{cut: make(chan struct{}), instead: func(w http.ResponseWriter, watch bool) bool {
		if watch {
			return false
		}
		w.Header().Set("Content-Type", protobuf)
		w.Write(packed("ServiceList", &corev1.ServiceList{
			ListMeta: metav1.ListMeta{ResourceVersion: "100"}, Items: []corev1.Service{odd},
		}))
		return true
	}}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.CloseClientConnections)
	s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig = kubeconfig(t, srv.URL) })
	got := await(t, s, fresh).Services[0]
	if len(got.Ingress) != observe.MostKubeAddresses || len(got.ExternalIPs) != 1 || len(got.ClusterIPs) != 0 ||
		len(got.Ports) != 2 || got.Class != "" || len(got.Problems) != observe.MostKubeProblems {
		t.Errorf("%+v", got)
	}
}

// Without a kubeconfig and outside of a pod, and with a kubeconfig that is no such thing,
// what to do is named.
func TestNoConfiguration(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	path := filepath.Join(t.TempDir(), "kubeconfig")
	for file, want := range map[string]string{"": "set kube.kubeconfig", path: "no such file"} {
		s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig = file })
		harness.Eventually(t, patience, func() string {
			_, err := s.Read(t.Context())
			if err == nil || !strings.Contains(err.Error(), want) {
				return fmt.Sprintf("%v, without %q", err, want)
			}
			return ""
		})
	}
}

// In a pod the API is where the environment says, with the certificate and the token that the
// pod is given.
func TestInPod(t *testing.T) {
	f := &fake{cut: make(chan struct{})}
	var mu sync.Mutex
	seen := map[string]bool{}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.Header.Get("Authorization")] = true
		mu.Unlock()
		f.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	t.Cleanup(func() { f.change(nil) })
	token := filepath.Join(podDir, "token")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	harness.Check(t, os.WriteFile(filepath.Join(podDir, "ca.crt"), authority, 0o600))
	harness.Check(t, os.WriteFile(token, []byte("first"), 0o600))
	host, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	harness.Check(t, err)
	t.Setenv("KUBERNETES_SERVICE_HOST", host)
	t.Setenv("KUBERNETES_SERVICE_PORT", port)
	s := opened(t, func(cfg *kube.Config) { cfg.Kubeconfig = "" })
	if got := await(t, s, fresh); len(got.Services) != 1 {
		t.Errorf("%d services", len(got.Services))
	}
	mu.Lock()
	defer mu.Unlock()
	if !seen["Bearer first"] || len(seen) != 1 {
		t.Errorf("authorised by %v", seen)
	}
}
