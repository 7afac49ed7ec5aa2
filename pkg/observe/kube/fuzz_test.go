package kube

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// Nothing that a server sends panics, and what is accepted has a name.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte("k8s\x00\n\r\n\x02v1\x12\x07Service"))
	f.Add([]byte(`{"metadata":{"name":"e"},"items":[{"metadata":{"name":"x"}}]}`))
	f.Add([]byte("\x00\x00\x00\x02\x0a\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, accept := range []string{protobufType, jsonType} {
			next := events(bytes.NewReader(data), accept)
			for range 100 {
				if _, err := next(); err != nil {
					break
				}
			}
		}
		try(t, servicesSpec, data)
		try(t, slicesSpec, data)
		try(t, nodeSpec, data)
		try(t, egressIPsSpec, data)
	})
}

func try[T any](t *testing.T, s spec[T], data []byte) {
	if p, err := s.list(data); err == nil {
		for _, item := range p.items {
			if s.key(item) == [2]string{} {
				t.Errorf("%s: %+v", s.name, item)
			}
		}
	}
	if item, _, err := s.one(data); err == nil && s.key(item) == [2]string{} {
		t.Errorf("%s: %+v", s.name, item)
	}
}

// An answer in JSON has its bound too.
func TestEventLargerThanRead(t *testing.T) {
	huge := io.MultiReader(bytes.NewReader([]byte(`{"type":"ADDED","object":{"x":"`)), endless{})
	if _, err := events(huge, jsonType)(); !errors.Is(err, errTooLarge) {
		t.Errorf("%v", err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}
