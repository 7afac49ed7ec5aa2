package kubeapi

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
)

// askEtcd makes a request to etcd's gateway, in whose JSON numbers are text.
func (s *Server) askEtcd(path string, body any, answer any) {
	s.t.Helper()
	data, err := json.Marshal(body)
	harness.Check(s.t, err)
	resp, err := s.http.Post(s.etcdURL()+path, "application/json", bytes.NewReader(data))
	harness.Check(s.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	harness.Check(s.t, err)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("etcd: %s: %s: %s", path, resp.Status, text)
	}
	harness.Check(s.t, json.Unmarshal(text, answer))
}

// Compact has etcd forget what was before a revision.
func (s *Server) Compact(revision string) {
	s.t.Helper()
	s.askEtcd("/v3/kv/compaction", Object{"revision": revision, "physical": true}, &Object{})
}

// Forget deletes an object of etcd, as another API server of the same cluster would while
// this one is not there, and has etcd forget what was before. The key is that of etcd.
func (s *Server) Forget(key string) {
	s.t.Helper()
	var answer struct {
		Header  struct{ Revision string }
		Deleted string
	}
	s.askEtcd("/v3/kv/deleterange", Object{"key": base64.StdEncoding.EncodeToString([]byte(key))}, &answer)
	if answer.Deleted != "1" {
		s.t.Fatalf("etcd has deleted %q objects with key %s, want 1", answer.Deleted, key)
	}
	s.Compact(answer.Header.Revision)
}
