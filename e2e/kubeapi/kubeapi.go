// Package kubeapi runs a real Kubernetes API server with its etcd for tests, on the
// loopback device of whatever network namespace it is started in. scripts/install-deps
// builds the two programs.
//
// There are no nodes and no controllers: what these would write, such as EndpointSlices
// and the status of a Service, tests write themselves.
package kubeapi

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// The tokens that the server knows: of an administrator, and of a user who may do what
// RBAC allows it.
const (
	AdminToken  = "token-of-the-administrator"
	ReaderToken = "token-of-the-reader"
	// Reader is the user of ReaderToken.
	Reader = "system:serviceaccount:bgp-ovn:bgp-ovn"
)

// patience bounds each wait: on a busy machine the API server takes a while.
const patience = 3 * time.Minute

// Options are what may differ from one server to the next.
type Options struct {
	// Start starts a program in the background; exec.Cmd.Start if nil.
	Start func(*exec.Cmd) error
	// Dial connects to the server; from the namespace of the test if nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Ports are three free ones of 127.0.0.1: of the API, and of etcd's clients and
	// peers. Any free ones if zero.
	Ports [3]int
	// Listen is the address of the API: 127.0.0.1 if empty. Etcd stays on loopback.
	Listen string
}

// Server is an API server with its etcd.
type Server struct {
	// Dir holds its files; Port is that of the API.
	Dir  string
	Port int
	// CA is the certificate that clients have to trust, as PEM.
	CA []byte

	t          testing.TB
	opts       Options
	etcd, api  *program
	http       *http.Client
	generation int
}

// Start runs a server until the test ends, and waits until it is ready.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	s := &Server{t: t, opts: opts}
	var err error
	if s.Dir, err = os.MkdirTemp("/tmp", "kubeapi"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(s.Dir) })
	if s.opts.Listen == "" {
		s.opts.Listen = "127.0.0.1"
	}
	for i := range s.opts.Ports {
		if s.opts.Ports[i] == 0 {
			s.opts.Ports[i] = freePort(t)
		}
	}
	s.Port = s.opts.Ports[0]
	s.makeFiles()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.CA)
	s.http = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots}, DialContext: s.opts.Dial, DisableKeepAlives: true,
	}, Timeout: patience}
	t.Cleanup(func() {
		s.StopAPI()
		s.StopEtcd()
		s.logIfFailed()
	})
	s.StartEtcd()
	s.StartAPI()
	return s
}

// freePort is a port that nobody listens on at the moment.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	harness.Check(t, l.Close())
	return port
}

// program is one that runs; ended is closed when it does not any more.
type program struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

// find is the path of one that scripts/install-deps has built.
func find(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("KUBE_DIR")
	if dir == "" {
		dir = "/var/cache/bgp-ovn-test/kube"
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run scripts/install-deps test", err)
	}
	return path
}

func (s *Server) path(name string) string { return filepath.Join(s.Dir, name) }

// Address is host:port of the API.
func (s *Server) Address() string { return net.JoinHostPort(s.opts.Listen, strconv.Itoa(s.Port)) }

func (s *Server) etcdURL() string { return "http://127.0.0.1:" + strconv.Itoa(s.opts.Ports[1]) }

// StartEtcd starts etcd with the data that it has.
func (s *Server) StartEtcd() {
	s.t.Helper()
	peers := "http://127.0.0.1:" + strconv.Itoa(s.opts.Ports[2])
	s.etcd = s.start("etcd", find(s.t, "etcd"), "--name=e", "--data-dir="+s.path("data"), "--unsafe-no-fsync",
		"--listen-client-urls="+s.etcdURL(), "--advertise-client-urls="+s.etcdURL(), "--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers, "--initial-cluster=e="+peers, "--log-level=error")
}

// StopEtcd ends etcd.
func (s *Server) StopEtcd() { stop(&s.etcd) }

// StartAPI starts the API server and waits until it is ready.
func (s *Server) StartAPI() {
	s.t.Helper()
	s.api = s.start("kube-apiserver", find(s.t, "kube-apiserver"), "--etcd-servers="+s.etcdURL(),
		"--bind-address="+s.opts.Listen, "--secure-port="+strconv.Itoa(s.Port), "--advertise-address=192.0.2.1",
		"--endpoint-reconciler-type=none", "--tls-cert-file="+s.path("server.crt"),
		"--tls-private-key-file="+s.path("server.key"), "--cert-dir="+s.path("certs"),
		"--token-auth-file="+s.path("tokens"), "--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file="+s.path("server.key"),
		"--service-account-signing-key-file="+s.path("server.key"),
		"--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112", "--disable-admission-plugins=ServiceAccount",
		"--allow-privileged=true", "--etcd-compaction-interval=0", "--profiling=false",
		"--shutdown-send-retry-after=false", "--v=0")
	s.WaitReady()
}

// WaitReady waits until the API server says that it is ready.
func (s *Server) WaitReady() {
	s.t.Helper()
	harness.Eventually(s.t, patience, func() string {
		code, body, err := s.Try(s.t.Context(), AdminToken, http.MethodGet, "/readyz", nil)
		if err != nil || code != http.StatusOK {
			select {
			case <-s.api.ended:
				s.t.Fatal("the API server has ended")
			case <-s.etcd.ended:
				s.t.Fatal("etcd has ended")
			default:
			}
			return fmt.Sprintf("API server: %d %.200s %v", code, body, err)
		}
		return ""
	})
}

// StopAPI kills the API server: its clients find that nobody listens.
func (s *Server) StopAPI() { stop(&s.api) }

// Backup keeps the data of etcd as it is; etcd and the API server must not run.
func (s *Server) Backup() string {
	s.t.Helper()
	s.generation++
	to := s.path("backup-" + strconv.Itoa(s.generation))
	harness.Check(s.t, os.CopyFS(to, os.DirFS(s.path("data"))))
	return to
}

// Restore puts the data of a backup in place of what there is, with the older revision
// that it has.
func (s *Server) Restore(backup string) {
	s.t.Helper()
	harness.Check(s.t, os.RemoveAll(s.path("data")))
	harness.Check(s.t, os.CopyFS(s.path("data"), os.DirFS(backup)))
	harness.Check(s.t, os.Chmod(s.path("data"), 0o700))
}

func (s *Server) start(name string, args ...string) *program {
	s.t.Helper()
	out, err := os.OpenFile(s.path(name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer out.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	begin := s.opts.Start
	if begin == nil {
		begin = (*exec.Cmd).Start
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	}
	if err := begin(cmd); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	p := &program{cmd: cmd, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		_ = cmd.Wait() // how it ended stands in its log
	}()
	return p
}

// stop kills a program by its id and waits for its end, after which there is none.
func stop(p **program) {
	if *p != nil {
		_ = (*p).cmd.Process.Kill() // it may have ended
		<-(*p).ended
	}
	*p = nil
}

func (s *Server) logIfFailed() {
	if !s.t.Failed() {
		return
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if text, err := os.ReadFile(s.path(name + ".log")); err == nil {
			s.t.Logf("%s said last: %s", name, text[max(0, len(text)-3000):])
		}
	}
}

// Try makes a request and returns what the server answers. A body is sent as JSON, with
// PATCH as a merge patch.
func (s *Server) Try(ctx context.Context, token, method, path string, body any) (int, []byte, error) {
	var data []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		data = b
	default:
		var err error
		if data, err = json.Marshal(body); err != nil {
			return 0, nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://"+s.Address()+path, bytes.NewReader(data))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/merge-patch+json")
		if strings.Contains(path, "fieldManager=") {
			req.Header.Set("Content-Type", "application/apply-patch+yaml")
		}
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}

// Do makes a request as the administrator and stops the test unless it succeeds.
func (s *Server) Do(method, path string, body any) []byte {
	s.t.Helper()
	code, answer, err := s.Try(s.t.Context(), AdminToken, method, path, body)
	if err != nil || code < 200 || code > 299 {
		s.t.Fatalf("%s %s: %d %s %v", method, path, code, answer, err)
	}
	return answer
}

// Object is one of the API as JSON.
type Object = map[string]any

// Create makes an object with its status: path is that of the collection.
func (s *Server) Create(path string, o Object) {
	s.t.Helper()
	s.Do(http.MethodPost, path, o)
	if status, ok := o["status"]; ok {
		name := o["metadata"].(Object)["name"].(string)
		s.Do(http.MethodPatch, path+"/"+name+"/status", Object{"status": status})
	}
}

// Revision is that of etcd, as resourceVersion tells it.
func (s *Server) Revision() string {
	s.t.Helper()
	var list struct {
		Metadata struct{ ResourceVersion string }
	}
	harness.Check(s.t, json.Unmarshal(s.Do(http.MethodGet, "/api/v1/namespaces?limit=1", nil), &list))
	return list.Metadata.ResourceVersion
}
