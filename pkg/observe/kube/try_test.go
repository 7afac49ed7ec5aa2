package kube_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/observe/kube"
)

// said is a trial as text, a line for each thing that it tells.
func said(t kube.Trial) string {
	var b strings.Builder
	if t.Fault != "" {
		fmt.Fprintln(&b, "fault:", t.Fault)
	}
	for _, k := range t.Kinds {
		switch {
		case k.Fault != "":
			fmt.Fprintf(&b, "%s: %s\n", k.Name, k.Fault)
		case k.Unserved:
			fmt.Fprintf(&b, "%s: unserved\n", k.Name)
		default:
			fmt.Fprintf(&b, "%s: ok\n", k.Name)
		}
	}
	if t.NoNode {
		fmt.Fprintf(&b, "no node %s\n", t.Node)
	}
	return b.String()
}

// refuse answers requests of a path, or watches of it, with a status of the API.
func refuse(code int, path string, watch bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, path) || watch && r.URL.Query().Get("watch") == "" {
			next.ServeHTTP(w, r)
			return
		}
		reason := map[int]string{http.StatusUnauthorized: "Unauthorized", http.StatusForbidden: "Forbidden"}[code]
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d,"message":"no"}`, reason,
			code)
	})
}

// TestTry: one try tells of each fault that doctor names.
func TestTry(t *testing.T) {
	f := &fake{cut: make(chan struct{})}
	tls := httptest.NewTLSServer(f)
	t.Cleanup(tls.Close)
	gone := httptest.NewServer(f)
	gone.Close()
	unknown := httptest.NewTLSServer(refuse(401, "", false, f))
	t.Cleanup(unknown.Close)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token := "e30." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, at.Unix())) + ".c2ln"
	const good = "services: ok\nendpointslices: ok\nnodes: ok\negressips: unserved\n"
	for _, tt := range []struct {
		name    string
		noName  bool
		handler http.Handler
		url     string
		token   []string
		want    []string
	}{
		{name: "good", handler: f, want: []string{good}},
		{name: "no name", handler: f, noName: true, want: []string{"nodes: the name of the own Node is not known"}},
		{
			name: "a list is refused", handler: refuse(403, "/endpointslices", false, f),
			want: []string{"services: ok\nendpointslices: 403: not allowed: ", "nodes: ok"},
		},
		{
			name: "a watch is refused", handler: refuse(403, "/services", true, f),
			want: []string{"services: 403: not allowed: ", "endpointslices: ok"},
		},
		{name: "unknown token", url: unknown.URL, token: []string{token}, want: []string{
			"services: 401: the token or certificate is not accepted: ", "; the token expired at 2026-01-02T03:04:05Z\n",
		}},
		{name: "nobody there", url: gone.URL, want: []string{"services: ", "connection refused"}},
		{name: "wrong authority", url: tls.URL, want: []string{"services: ", "x509: "}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := tt.url
			if tt.handler != nil {
				srv := httptest.NewServer(tt.handler)
				t.Cleanup(srv.Close)
				url = srv.URL
			}
			node := "worker-a"
			if tt.noName {
				node = ""
			}
			got := said(kube.Try(t.Context(), kube.Config{
				Kubeconfig: kubeconfig(t, url, tt.token...), NodeName: func() string { return node }, EgressIPs: true,
			}))
			for _, want := range tt.want {
				if !strings.Contains(got, want) {
					t.Errorf("got\n%swithout %q", got, want)
				}
			}
			if tt.url != "" && tt.token == nil && strings.Count(got, "\n") != 1 {
				t.Errorf("it was asked again of a server that does not answer:\n%s", got)
			}
		})
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	got := said(kube.Try(t.Context(), kube.Config{}))
	if !strings.Contains(got, "fault: there is no service account here") {
		t.Error(got)
	}
}

// TestRemedy: what to do follows from what the server says.
func TestRemedy(t *testing.T) {
	for fault, want := range map[string]string{
		"services: 403: not allowed: services is forbidden":                        "ClusterRole of deploy/helm",
		"services: 401: Unauthorized":                                              "renew the token",
		"nodes: tls: failed to verify certificate: x509: unknown":                  "the CA in kube.kubeconfig",
		"nodes: tls: x509: certificate has expired or is not yet valid: yesterday": "renew the certificate of the server",
		"services: dial tcp 192.0.2.1:6443: connect: connection refused":           "/readyz",
	} {
		if got := kube.Remedy(fault); !strings.Contains(got, want) {
			t.Errorf("%s: %s", fault, got)
		}
	}
}
