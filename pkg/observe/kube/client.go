package kube

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
)

const (
	protobufType = "application/vnd.kubernetes.protobuf"
	jsonType     = "application/json"

	// maxAnswer bounds one page of a list, and maxFrame one event of a watch: the API
	// takes no object of more than 3 MiB.
	maxAnswer = 32 << 20
	maxFrame  = 8 << 20
	// maxRefusal bounds what is read of an answer that is an error.
	maxRefusal = 1 << 20
	// answerWithin is how long the server may take to begin an answer, and pageWithin to
	// end one.
	answerWithin = 30 * time.Second
	pageWithin   = 2 * time.Minute
)

// client makes requests to the API server. The files that say where it is and who we are
// are read again after something has failed: certificates are renewed there. Of tokens
// client-go looks after itself.
type client struct {
	kubeconfig string

	mu     sync.Mutex
	rest   rest.Interface // nil before the first request, and after a failure
	server string
}

// quiet keeps client-go from writing to the standard error of the process.
var quiet = sync.OnceFunc(func() { klog.LogToStderr(false); klog.SetOutput(io.Discard) })

// connect returns the client of what the files say now.
func (c *client) connect() (rest.Interface, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rest != nil {
		return c.rest, nil
	}
	quiet()
	conf, err := c.config()
	if err != nil {
		return nil, err
	}
	if conf.APIPath == "" {
		conf.APIPath = "/api"
	}
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	conf.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion() // for refusals
	conf.UserAgent = "bgp-ovn"
	conf.QPS = -1 // one request at a time of each kind, with pauses after failures
	conf.WarningHandler = rest.NoWarnings{}
	conf.DisableCompression = true // what inflates has no bound
	conf.Wrap(func(next http.RoundTripper) http.RoundTripper { return bounded{next} })
	made, err := rest.UnversionedRESTClientFor(conf)
	if err != nil {
		return nil, err
	}
	c.rest, c.server = made, conf.Host
	return c.rest, nil
}

func (c *client) config() (*rest.Config, error) {
	if c.kubeconfig != "" {
		conf, err := clientcmd.LoadFromFile(c.kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("kube.kubeconfig: %w", err)
		}
		// Relative paths in it are relative to it, as kubectl takes them.
		if err := clientcmd.ResolveLocalPaths(conf); err != nil {
			return nil, fmt.Errorf("kube.kubeconfig: %w", err)
		}
		out, err := clientcmd.NewNonInteractiveClientConfig(*conf, "", nil, nil).ClientConfig()
		if err != nil {
			return nil, fmt.Errorf("kube.kubeconfig %s: %w", c.kubeconfig, err)
		}
		return out, nil
	}
	conf, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("there is no service account here, because this is no pod: set kube.kubeconfig")
	}
	if err != nil {
		return nil, fmt.Errorf("the service account of the pod: %w", err)
	}
	return conf, nil
}

// reload has the next request read the files again.
func (c *client) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rest = nil
}

// address is where the server is; empty before the first request.
func (c *client) address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server
}

// get asks for something. The answer has begun when it returns, and ends with ctx.
func (c *client) get(ctx context.Context, path, accept string, params url.Values) (io.ReadCloser, error) {
	conn, err := c.connect()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	late := time.AfterFunc(answerWithin, func() { cancel(errors.New("the server does not answer")) })
	req := conn.Get().AbsPath(path).SetHeader("Accept", accept).MaxRetries(0)
	for name, values := range params {
		for _, v := range values {
			req.Param(name, v)
		}
	}
	body, err := req.Stream(ctx)
	late.Stop()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, plain(err)
	}
	return closing{body, cancel}, nil
}

// plain is an error without the request that led to it, whose text is long and differs
// each time.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// closing is an answer that ends its request when it is closed.
type closing struct {
	io.ReadCloser
	cancel context.CancelCauseFunc
}

func (c closing) Close() error {
	c.cancel(nil)
	return c.ReadCloser.Close()
}

// bounded refuses answers that are not what was asked for, and bounds the text of
// refusals, which client-go reads whole.
type bounded struct{ next http.RoundTripper }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		resp.Body = limited{io.LimitReader(resp.Body, maxRefusal), resp.Body}
		return resp, nil
	}
	want, got := req.Header.Get("Accept"), resp.Header.Get("Content-Type")
	if t, _, err := mime.ParseMediaType(got); err != nil || t != want {
		resp.Body.Close()
		return nil, fmt.Errorf("the server answers with %.60q instead of %s: is it a Kubernetes API server?", got, want)
	}
	return resp, nil
}

type limited struct {
	io.Reader
	io.Closer
}

// errTooLarge is an answer with more octets than are read.
var errTooLarge = errors.New("an answer of the server is larger than is read")

// readAll reads an answer up to a bound.
func readAll(r io.Reader) ([]byte, error) {
	var buf bytes.Buffer
	n, err := buf.ReadFrom(io.LimitReader(r, maxAnswer+1))
	if err == nil && n > maxAnswer {
		err = errTooLarge
	}
	return buf.Bytes(), err
}

// magic begins what the API sends as protobuf.
var magic = []byte("k8s\x00")

// unwrap returns an object of a kind without its envelope (runtime.Unknown).
func unwrap(data []byte, kind string) ([]byte, error) {
	body, ok := bytes.CutPrefix(data, magic)
	if !ok {
		return nil, errors.New("what should be an object of the API does not begin as one")
	}
	var envelope runtime.Unknown
	if err := recovered(func() error { return envelope.Unmarshal(body) }); err != nil {
		return nil, err
	}
	if envelope.Kind != kind {
		return nil, fmt.Errorf("the server sends a %.60q where a %s should be", envelope.Kind, kind)
	}
	return envelope.Raw, nil
}

// event is one of a watch.
type event struct {
	kind   string // ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
	object []byte
}

// events returns what reads the next event of a watch. io.EOF means that the server has
// ended it between two events, as it does from time to time.
func events(r io.Reader, accept string) func() (event, error) {
	if accept == jsonType {
		left := &budget{from: r}
		dec := json.NewDecoder(left)
		return func() (event, error) {
			left.octets = maxFrame
			var ev struct {
				Type   string          `json:"type"`
				Object json.RawMessage `json:"object"`
			}
			err := dec.Decode(&ev)
			return event{ev.Type, ev.Object}, err
		}
	}
	return func() (event, error) {
		var head [4]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return event{}, err
		}
		size := binary.BigEndian.Uint32(head[:])
		if size > maxFrame {
			return event{}, errTooLarge
		}
		// It grows with what arrives: a length alone costs nothing.
		var buf bytes.Buffer
		if n, err := io.CopyN(&buf, r, int64(size)); err != nil {
			return event{}, fmt.Errorf("an event was cut off after %d of %d octets: %w", n, size, noEOF(err))
		}
		var ev metav1.WatchEvent
		err := recovered(func() error { return ev.Unmarshal(buf.Bytes()) })
		return event{ev.Type, ev.Object.Raw}, err
	}
}

// noEOF is an end of input in the middle of something.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// budget reads until so many octets are used up.
type budget struct {
	from   io.Reader
	octets int
}

func (b *budget) Read(p []byte) (int, error) {
	if b.octets <= 0 {
		return 0, errTooLarge
	}
	n, err := b.from.Read(p[:min(len(p), b.octets)])
	b.octets -= n
	return n, err
}
