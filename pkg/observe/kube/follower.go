package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// follower keeps the objects of one kind current.
type follower[T any] struct {
	s    *Source
	spec spec[T]
	// changed is called after objects have changed, without s.mu; may be nil.
	changed func()

	// What follows is guarded by s.mu. items are sorted by key.
	items    []*T
	synced   bool
	unserved bool // the API does not serve the kind, which counts as no objects
	now      KindStatus

	// The rest belongs to the goroutine of run.
	version string // resourceVersion up to which items are; empty asks for a list
	of      string // the field selector that items were asked for by
	listed  time.Time
	missed  int // how often in a row the kind was not served
	page    int
}

func follow[T any](s *Source, spec spec[T]) *follower[T] {
	return &follower[T]{s: s, spec: spec, now: KindStatus{Name: spec.name}, page: s.cfg.PageSize}
}

// run follows the kind until ctx ends.
func (f *follower[T]) run(ctx context.Context) {
	pause := time.Duration(0)
	for ctx.Err() == nil {
		began := f.s.cfg.Now()
		err := f.session(ctx)
		if ctx.Err() != nil {
			return
		}
		if took := f.s.cfg.Now().Sub(began); err == nil && took >= time.Second {
			pause = 0
			continue
		} else if took >= f.s.cfg.BackoffMax {
			pause = 0
		}
		pause = min(max(2*pause, f.s.cfg.BackoffMin), f.s.cfg.BackoffMax)
		wait := f.failed(err, pause)
		select {
		case <-ctx.Done():
		case <-time.After(wait + time.Duration(rand.Int64N(int64(wait)/5+1))):
		}
	}
}

// errUnserved ends a session with a kind that the API does not serve.
var errUnserved = errors.New("the API does not serve them")

// failed takes note of why a session has ended, and returns how long to wait.
func (f *follower[T]) failed(err error, pause time.Duration) time.Duration {
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok {
		pause = max(pause, min(time.Duration(seconds)*time.Second, f.s.cfg.BackoffMax))
	}
	switch {
	case err == nil: // ended by the server right after it began
		return pause
	case apierrors.IsGone(err) || apierrors.IsResourceExpired(err):
		f.version = ""
		return pause // what is held stays until the new list has been compared with it
	case errors.Is(err, errUnserved):
		return f.s.cfg.Look
	}
	var decode *decodeError
	if errors.As(err, &decode) || errors.Is(err, errTooLarge) {
		f.version = "" // an event may be lost
	}
	f.s.api.reload()
	f.fault(reasonOf(err))
	return pause
}

// longestReason bounds the text of a server in a reason.
const longestReason = 400

// reasonOf is what is wrong, in the words of an operator, as one line.
func reasonOf(err error) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(err.Error()[:min(len(err.Error()), longestReason)], ""))
	switch {
	case apierrors.IsUnauthorized(err):
		return "401: the token or certificate is not accepted: " + text
	case apierrors.IsForbidden(err):
		return "403: not allowed: " + text
	}
	return text
}

// fault says that the kind is not followed; an empty reason that it is.
func (f *follower[T]) fault(reason string) {
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	if reason == f.now.Fault {
		return
	}
	switch {
	case reason == "":
		f.s.log.Info("the Kubernetes API tells of a kind again", "kind", f.spec.name)
		f.now.FaultSince = time.Time{}
	default:
		f.s.log.Warn("the Kubernetes API does not tell of a kind: what is known of it stays",
			"kind", f.spec.name, "err", reason)
		if f.now.Fault == "" {
			f.now.FaultSince = f.s.cfg.Now()
		}
		f.now.LastError = reason
	}
	f.now.Fault = reason
	f.s.touch()
}

// session lists what has to be listed and watches until that ends.
func (f *follower[T]) session(ctx context.Context) error {
	params, err := f.selectors()
	if err != nil {
		return err
	}
	if f.version != "" && f.s.cfg.Now().Sub(f.listed) < f.s.cfg.Relist {
		if err := f.compareVersion(ctx, params); err != nil {
			return err
		}
	} else {
		f.version = ""
	}
	if f.version == "" {
		if err := f.list(ctx, params); err != nil {
			return err
		}
	}
	return f.watch(ctx, params)
}

// selectors are the parameters that say which objects are asked for. Those of another
// selector than before are listed anew.
func (f *follower[T]) selectors() (url.Values, error) {
	params := url.Values{}
	if f.spec.label != "" {
		params.Set("labelSelector", f.spec.label)
	}
	if f.spec.field == nil {
		return params, nil
	}
	field, err := f.spec.field()
	if err != nil {
		return nil, err
	}
	if field != f.of {
		f.of, f.version = field, ""
	}
	params.Set("fieldSelector", field)
	return params, nil
}

// compareVersion finds out whether the server is at an older version than the objects that
// are held: its database was restored from a backup. A watch from a version of the future
// would tell nothing until that is reached, and then leave out what was before.
func (f *follower[T]) compareVersion(ctx context.Context, params url.Values) error {
	p, err := f.get(ctx, params, 1, "")
	if err != nil {
		return err
	}
	held, err1 := strconv.ParseUint(f.version, 10, 64)
	theirs, err2 := strconv.ParseUint(p.meta.ResourceVersion, 10, 64)
	if err1 == nil && err2 == nil && theirs < held {
		f.s.log.Warn("the Kubernetes API is at an older version than what is known: listing everything again",
			"kind", f.spec.name, "known", held, "server", theirs)
		f.version = ""
	}
	return nil
}

// get asks for one page of the list.
func (f *follower[T]) get(ctx context.Context, params url.Values, limit int, next string) (page[T], error) {
	ctx, cancel := context.WithTimeout(ctx, pageWithin)
	defer cancel()
	with := url.Values{}
	for k, v := range params {
		with[k] = v
	}
	with.Set("limit", strconv.Itoa(limit))
	if next != "" {
		with.Set("continue", next)
	}
	var p page[T]
	body, err := f.s.api.get(ctx, f.spec.path, f.spec.accept, with)
	if f.spec.optional && apierrors.IsNotFound(err) {
		return p, f.isUnserved()
	}
	if err != nil {
		return p, err
	}
	defer body.Close()
	data, err := readAll(body)
	if err != nil {
		return p, plain(err)
	}
	f.count(func(st *KindStatus) { st.Bytes += uint64(len(data)) })
	err = recovered(func() (err error) {
		p, err = f.spec.list(data)
		return err
	})
	if err != nil {
		return p, &decodeError{err}
	}
	return p, nil
}

// isUnserved takes up that the API does not serve the kind. Objects that are held are
// given up only if it says so twice: a server that has just started may not know yet.
func (f *follower[T]) isUnserved() error {
	f.missed++
	f.s.mu.Lock()
	held := len(f.items) > 0
	f.s.mu.Unlock()
	if !held || f.missed > 1 {
		f.version = ""
		f.swap(nil, true)
	}
	return errUnserved
}

// list reads all objects and takes them in place of those that are held, in one step.
func (f *follower[T]) list(ctx context.Context, params url.Values) error {
	var all []*T
	next := ""
	began := f.s.cfg.Now()
	for {
		p, err := f.get(ctx, params, f.page, next)
		if errors.Is(err, errTooLarge) && f.page > 1 {
			f.page = max(1, f.page/4)
			all, next = nil, ""
			continue
		}
		if err != nil {
			return err
		}
		all = append(all, p.items...)
		if len(all) > f.s.cfg.MaxObjects {
			return fmt.Errorf("there are more than %d objects, which is the most that is held", f.s.cfg.MaxObjects)
		}
		f.count(func(st *KindStatus) { st.reading = len(all) })
		if p.meta.Continue == "" {
			if p.meta.ResourceVersion == "" {
				return &decodeError{errors.New("a list has no resourceVersion")}
			}
			f.version, f.listed, f.missed = p.meta.ResourceVersion, began, 0
			break
		}
		if p.meta.Continue == next || len(p.items) == 0 {
			return &decodeError{errors.New("a list does not end")}
		}
		next = p.meta.Continue
	}
	f.swap(all, false)
	f.count(func(st *KindStatus) { st.Lists++; st.Heard = f.s.cfg.Now() })
	return nil
}

// swap takes a whole list. Objects that are as they were stay the very same.
func (f *follower[T]) swap(all []*T, unserved bool) {
	slices.SortStableFunc(all, func(a, b *T) int { return compareKeys(f.spec.key(a), f.spec.key(b)) })
	all = slices.CompactFunc(all, func(a, b *T) bool { return f.spec.key(a) == f.spec.key(b) })
	f.s.mu.Lock()
	same := f.synced && f.unserved == unserved && len(all) == len(f.items)
	for i, item := range all {
		if at, found := f.find(f.spec.key(item)); found && reflect.DeepEqual(f.items[at], item) {
			all[i] = f.items[at]
		} else {
			same = false
		}
	}
	f.items, f.unserved, f.synced = all, unserved, true
	f.now.Objects, f.now.Synced, f.now.Unserved = len(all), true, unserved
	if unserved && f.now.Fault != "" { // which was told of
		f.now.Fault, f.now.FaultSince = "", time.Time{}
		same = false
	}
	f.s.mu.Unlock()
	if !same {
		f.publish()
	}
}

// publish tells that objects have changed.
func (f *follower[T]) publish() {
	if f.changed != nil {
		f.changed()
	}
	f.s.mu.Lock()
	defer f.s.mu.Unlock()
	f.s.touch()
}

// find is where an object is, or would be. The caller holds s.mu.
func (f *follower[T]) find(key [2]string) (int, bool) {
	return slices.BinarySearchFunc(f.items, key, func(item *T, key [2]string) int {
		return compareKeys(f.spec.key(item), key)
	})
}

func compareKeys(a, b [2]string) int { return slices.Compare(a[:], b[:]) }

// How long a watch lasts before the server ends it, and how much later it is given up.
const (
	watchLeast = 5 * time.Minute
	watchGrace = 30 * time.Second
)

// watch takes up changes until the watch ends, which without an error is as it should be.
func (f *follower[T]) watch(ctx context.Context, params url.Values) error {
	lasts := watchLeast + rand.N(watchLeast)
	ctx, cancel := context.WithTimeout(ctx, lasts+watchGrace)
	defer cancel()
	with := url.Values{}
	for k, v := range params {
		with[k] = v
	}
	with.Set("watch", "true")
	with.Set("allowWatchBookmarks", "true")
	with.Set("resourceVersion", f.version)
	with.Set("timeoutSeconds", strconv.Itoa(int(lasts.Seconds())))
	body, err := f.s.api.get(ctx, f.spec.path, f.spec.accept, with)
	if f.spec.optional && apierrors.IsNotFound(err) {
		return f.isUnserved()
	}
	if err != nil {
		return err
	}
	defer body.Close()
	f.fault("")
	f.count(func(st *KindStatus) { st.Watches++ })
	next := events(body, f.spec.accept)
	for {
		ev, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return plain(err)
		}
		if err := f.take(ev); err != nil {
			return err
		}
	}
}

// decodeError is something that the server sent and that cannot be read.
type decodeError struct{ err error }

func (e *decodeError) Error() string { return "what the server sent cannot be read: " + e.err.Error() }
func (e *decodeError) Unwrap() error { return e.err }

// take applies one event.
func (f *follower[T]) take(ev event) error {
	f.count(func(st *KindStatus) {
		st.Events++
		st.Bytes += uint64(len(ev.object))
		st.Heard = f.s.cfg.Now()
	})
	if ev.kind == "ERROR" {
		return f.ended(ev.object)
	}
	if ev.kind == "BOOKMARK" {
		version, err := f.bookmark(ev.object)
		if err == nil {
			f.version = version
		}
		return err
	}
	var item *T
	var version string
	err := recovered(func() (err error) {
		item, version, err = f.spec.one(ev.object)
		return err
	})
	if err == nil && version == "" {
		err = errors.New("an object has no resourceVersion")
	}
	if err != nil {
		return &decodeError{err}
	}
	switch ev.kind {
	case "ADDED", "MODIFIED":
		err = f.put(item)
	case "DELETED":
		f.remove(item)
	default:
		err = &decodeError{fmt.Errorf("%.20q is no type of an event", ev.kind)}
	}
	if err == nil {
		f.version = version
	}
	return err
}

// bookmark is the version that a bookmark tells: an object of the kind that has nothing
// else.
func (f *follower[T]) bookmark(object []byte) (string, error) {
	var meta struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	var err error
	if f.spec.accept == jsonType {
		err = json.Unmarshal(object, &meta)
	} else {
		_, meta.Metadata.ResourceVersion, err = f.spec.one(object)
		if errors.Is(err, errNameless) {
			err = nil
		}
	}
	if err == nil && meta.Metadata.ResourceVersion == "" {
		err = errors.New("a bookmark has no resourceVersion")
	}
	if err != nil {
		return "", &decodeError{err}
	}
	return meta.Metadata.ResourceVersion, nil
}

// ended is why the server ends a watch: a Status.
func (f *follower[T]) ended(object []byte) error {
	var st metav1.Status
	err := recovered(func() error {
		if f.spec.accept == jsonType {
			return json.Unmarshal(object, &st)
		}
		raw, err := unwrap(object, "Status")
		if err != nil {
			return err
		}
		return st.Unmarshal(raw)
	})
	if err != nil {
		return &decodeError{err}
	}
	return &apierrors.StatusError{ErrStatus: st}
}

// put takes a new or changed object.
func (f *follower[T]) put(item *T) error {
	f.s.mu.Lock()
	at, found := f.find(f.spec.key(item))
	switch {
	case found && reflect.DeepEqual(f.items[at], item):
		f.s.mu.Unlock()
		return nil // what has changed is nothing that rules read
	case found:
		f.items[at] = item
	case len(f.items) >= f.s.cfg.MaxObjects:
		f.s.mu.Unlock()
		return fmt.Errorf("there are more than %d objects, which is the most that is held", f.s.cfg.MaxObjects)
	default:
		f.items = slices.Insert(f.items, at, item)
	}
	f.now.Objects = len(f.items)
	f.s.mu.Unlock()
	f.publish()
	return nil
}

func (f *follower[T]) remove(item *T) {
	f.s.mu.Lock()
	at, found := f.find(f.spec.key(item))
	if found {
		f.items = slices.Delete(f.items, at, at+1)
	}
	f.now.Objects = len(f.items)
	f.s.mu.Unlock()
	if found {
		f.publish()
	}
}
