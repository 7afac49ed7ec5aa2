package kube_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe"
	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// Each reader is measured in a process of its own, so that its peak of memory is its own:
// the test binary runs itself with this variable set.
const childVariable = "KUBE_BENCH_CHILD"

// cost is what a reader took until it had everything, and what it holds then.
type cost struct {
	Wall, CPU time.Duration
	PeakMB    float64
	HeldMB    float64
	Objects   int
}

// child reads all from the server that how names, and prints what it cost.
func child(how string) error {
	method, url, _ := strings.Cut(how, " ")
	readers := map[string]func(string) (int, any, error){
		"decode": readDecoded, "source": readSource, "reflector": readReflected,
	}
	before := held()
	began := time.Now()
	n, keep, err := readers[method](url)
	if err != nil {
		return err
	}
	c := cost{Wall: time.Since(began), Objects: n}
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return err
	}
	c.CPU = time.Duration(used.Utime.Nano() + used.Stime.Nano())
	if c.PeakMB, err = peak(); err != nil {
		return err
	}
	c.HeldMB = held() - before
	runtime.KeepAlive(keep)
	return json.NewEncoder(os.Stdout).Encode(c)
}

// held is the live heap in MB.
func held() float64 {
	runtime.GC()
	runtime.GC() // what finalizers kept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / (1 << 20)
}

// peak is the most memory that this process had in use. Rusage has a number too, but that
// begins with the parent's.
func peak() (float64, error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	var kb float64
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	_, err = fmt.Sscan(after, &kb)
	return kb / 1024, err
}

// resources are what readers read.
var resources = []string{"/api/v1/services", "/apis/discovery.k8s.io/v1/endpointslices"}

// readDecoded is the floor: the same pages, decoded one after the other and dropped.
func readDecoded(url string) (n int, _ any, _ error) {
	for _, path := range resources {
		for next := "0"; next != ""; {
			resp, err := http.Get(url + path + "?continue=" + next)
			if err != nil {
				return 0, nil, err
			}
			raw, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				return 0, nil, err
			}
			var envelope apiruntime.Unknown
			if err := envelope.Unmarshal(bytes.TrimPrefix(raw, []byte("k8s\x00"))); err != nil {
				return 0, nil, err
			}
			if strings.HasSuffix(path, "services") {
				var l corev1.ServiceList
				err = l.Unmarshal(envelope.Raw)
				n, next = n+len(l.Items), l.Continue
			} else {
				var l discoveryv1.EndpointSliceList
				err = l.Unmarshal(envelope.Raw)
				n, next = n+len(l.Items), l.Continue
			}
			if err != nil {
				return 0, nil, err
			}
		}
	}
	return n, nil, nil
}

// readSource is the product.
func readSource(url string) (int, any, error) {
	path := filepath.Join(os.TempDir(), fmt.Sprintf("kube-bench-%d", os.Getpid()))
	defer os.Remove(path)
	if err := os.WriteFile(path, []byte(kubeconfigText(url)), 0o600); err != nil {
		return 0, nil, err
	}
	s := kube.Open(context.Background(), kube.Config{
		Kubeconfig: path, NodeName: func() string { return "worker-a" }, Logger: slog.New(slog.DiscardHandler),
	})
	for {
		if k, err := s.Read(context.Background()); err == nil {
			return len(k.Services) + len(k.Slices), s, nil
		}
		<-s.Changed()
	}
}

// readReflected is what controllers are made of: client-go's reflector, with a store of whole
// objects.
func readReflected(url string) (int, any, error) {
	scheme := apiruntime.NewScheme()
	for _, add := range []func(*apiruntime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return 0, nil, err
		}
	}
	codecs := serializer.NewCodecFactory(scheme)
	var stores []cache.Store
	for _, kind := range []struct {
		group   schema.GroupVersion
		path    string
		name    string
		example any
	}{
		{corev1.SchemeGroupVersion, "/api", "services", &corev1.Service{}},
		{discoveryv1.SchemeGroupVersion, "/apis", "endpointslices", &discoveryv1.EndpointSlice{}},
	} {
		conf := rest.Config{Host: url, APIPath: kind.path, QPS: -1, ContentConfig: rest.ContentConfig{
			GroupVersion: &kind.group, NegotiatedSerializer: codecs.WithoutConversion(),
			ContentType: protobuf, AcceptContentTypes: protobuf,
		}}
		client, err := rest.RESTClientFor(&conf)
		if err != nil {
			return 0, nil, err
		}
		lw := cache.NewFilteredListWatchFromClient(client, kind.name, metav1.NamespaceAll, func(*metav1.ListOptions) {})
		store := &filled{cache.NewStore(cache.MetaNamespaceKeyFunc), make(chan struct{})}
		r := cache.NewReflectorWithOptions(lw, kind.example, store, cache.ReflectorOptions{})
		r.WatchListPageSize = pageSize
		go r.Run(make(chan struct{}))
		select {
		case <-store.done:
		case <-time.After(patience):
			return 0, nil, errors.New("the reflector has no " + kind.name)
		}
		stores = append(stores, store)
	}
	return len(stores[0].ListKeys()) + len(stores[1].ListKeys()), stores, nil
}

// filled is a store that says when it has a whole list.
type filled struct {
	cache.Store
	done chan struct{}
}

// Replace takes a whole list.
func (f *filled) Replace(list []any, version string) error {
	defer close(f.done)
	return f.Store.Replace(list, version)
}

// measured runs a reader in a process of its own.
func measured(b *testing.B, method, url string, want int) cost {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	// The reflector of client-go v0.35 would ask for a stream of what there is, and wait a minute for its end. It
	// is to read pages, as the others do.
	cmd.Env = append(os.Environ(), childVariable+"="+method+" "+url, "KUBE_FEATURE_WatchListClient=false")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var c cost
	if err == nil {
		err = json.Unmarshal(out, &c)
	}
	if err != nil || c.Objects != want {
		b.Fatalf("%s: %v, %d objects, want %d: %s", method, err, c.Objects, want, out)
	}
	return c
}

// median is the one of each figure.
func median(runs ...cost) cost {
	c := runs[0]
	c.Wall, c.CPU = middle(runs, func(c cost) time.Duration { return c.Wall }), middle(runs, func(c cost) time.Duration {
		return c.CPU
	})
	c.PeakMB, c.HeldMB = middle(runs, func(c cost) float64 { return c.PeakMB }), middle(runs, func(c cost) float64 {
		return c.HeldMB
	})
	return c
}

func middle[T cmp.Ordered](runs []cost, field func(cost) T) T {
	var all []T
	for _, c := range runs {
		all = append(all, field(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// BenchmarkFirst reads services and their slices until there is a first snapshot, beside
// plain decoding of the same pages and client-go's reflectors, medians of 3.
func BenchmarkFirst(b *testing.B) {
	for _, n := range []int{2000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			srv := httptest.NewServer(makeServer(b, n))
			b.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
			for b.Loop() {
				all := map[string]cost{}
				for _, method := range []string{"decode", "source", "reflector"} {
					all[method] = median(
						measured(b, method, srv.URL, 2*n), measured(b, method, srv.URL, 2*n), measured(b, method, srv.URL, 2*n))
				}
				floor, ours, peer := all["decode"], all["source"], all["reflector"]
				b.ReportMetric(ours.Wall.Seconds()*1e3, "first-ms")
				b.ReportMetric(ours.Wall.Seconds()/floor.Wall.Seconds(), "first-x-decode")
				b.ReportMetric(ours.CPU.Seconds()*1e3, "cpu-ms")
				b.ReportMetric(ours.CPU.Seconds()/floor.CPU.Seconds(), "cpu-x-decode")
				b.ReportMetric(peer.CPU.Seconds()/ours.CPU.Seconds(), "reflector-cpu-x-ours")
				b.ReportMetric(ours.PeakMB, "peak-MB")
				b.ReportMetric(floor.PeakMB, "decode-peak-MB")
				b.ReportMetric(peer.PeakMB, "reflector-peak-MB")
				b.ReportMetric(ours.HeldMB, "held-MB")
				b.ReportMetric(peer.HeldMB, "reflector-held-MB")
				b.ReportMetric(0, "ns/op")
			}
		})
	}
}

// BenchmarkChange changes the address of one service of many: from the event that the server
// sends to the snapshot that has it.
func BenchmarkChange(b *testing.B) {
	for _, n := range []int{2000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			m := makeServer(b, n)
			srv := httptest.NewServer(m)
			b.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
			s := opened(b, func(cfg *kube.Config) { cfg.Kubeconfig = kubeconfig(b, srv.URL) })
			harness.Eventually(b, patience, func() string {
				if k, err := s.Read(b.Context()); err != nil || len(k.Services) != n {
					return fmt.Sprint("not read: ", err)
				}
				return ""
			})
			var took []time.Duration
			var cpu syscall.Rusage
			used := func() time.Duration {
				if err := syscall.Getrusage(syscall.RUSAGE_SELF, &cpu); err != nil {
					b.Fatal(err)
				}
				return time.Duration(cpu.Utime.Nano() + cpu.Stime.Nano())
			}
			before := used()
			const changes = 500
			for b.Loop() {
				for i := range changes {
					took = append(took, change(b, m, s, i%n, fmt.Sprintf("203.0.113.%d", i%250+1), 200_000+i))
				}
			}
			spent := used() - before
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
			b.ReportMetric(float64(spent.Microseconds())/float64(len(took)), "cpu-us/change")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// change has the server tell of a new address of the i-th service, and returns how long it
// takes until a snapshot has it.
func change(b *testing.B, m *made, s *kube.Source, i int, addr string, version int) time.Duration {
	b.Helper()
	svc := madeService(i)
	svc.ResourceVersion = fmt.Sprint(version)
	svc.Status.LoadBalancer.Ingress[0].IP = addr
	raw := frame("MODIFIED", packed("Service", &svc))
	has := func(k *observe.Kube) bool {
		got, ok := k.Service(svc.Namespace, svc.Name)
		return ok && got.Ingress[0].IP.String() == addr
	}
	began := time.Now()
	m.changes <- raw
	for {
		k, err := s.Read(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if has(k) {
			return time.Since(began)
		}
		select {
		case <-s.Changed():
		case <-time.After(patience):
			b.Fatal("the change is not in a snapshot")
		}
	}
}
