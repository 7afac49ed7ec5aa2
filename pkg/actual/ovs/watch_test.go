package ovs

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/actual"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/openflow"
	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// Nothing is run and nothing copied while nothing happens; our own changes are
// not taken for those of others.
func TestIdleRead(t *testing.T) {
	_, b := lab(t)
	f := focus(t, pair(1)...)
	read(t, b, f)
	mustApply(t, b, creates(pair(1)...)...)
	first := read(t, b, f)
	path := b.tool.Path
	for _, br := range b.bridges {
		br.tool.Path = "/nonexistent"
	}
	if got := read(t, b, f); text(got) != text(first) || got.Len() != 2 {
		t.Errorf("got\n%s", text(got))
	}
	if n := testing.AllocsPerRun(100, func() { read(t, b, f) }); n > 20 {
		t.Errorf("an idle read allocates %v times", n)
	}
	for _, br := range b.bridges {
		br.tool.Path = path
	}
}

// recorder counts how the events of a monitor compare with the mirror.
type recorder struct {
	*bridge
	attached           chan struct{}
	agreeing, opposing atomic.Int32
}

func (r *recorder) Attached() { close(r.attached) }
func (r *recorder) Detached() {}

func (r *recorder) Changed(line string) {
	e, err := parseEvent(line)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && r.agrees(e) {
		r.agreeing.Add(1)
	} else {
		r.opposing.Add(1)
	}
}

// Neither our own changes nor those that concern none of ours cost a read.
func TestEventsThatAgree(t *testing.T) {
	s, b := lab(t)
	f := focus(t, pair(1)...)
	read(t, b, f)
	r := &recorder{bridge: b.bridges["br-ex"], attached: make(chan struct{})}
	m := &openflow.Monitor{Tool: b.tool, Bridge: "br-ex", Log: b.log, Watcher: r}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); m.Run(ctx) }()
	defer func() { stop(); <-ended }()
	<-r.attached

	one, six := pair(1)[0].(object.Flow), pair(1)[1]
	other := one
	other.Actions = "drop"
	agreeing := int32(0)
	for _, step := range []struct {
		events int32
		do     func()
	}{
		{2, func() { mustApply(t, b, creates(one, six)...) }},
		{1, func() { mustApply(t, b, object.Change{Before: one, After: other}) }},
		{1, func() { mustApply(t, b, object.Change{Before: six}) }},
		{1, func() { s.Ofctl("add-flow", "br-ex", "cookie=0x5,priority=900,ip,in_port=77,actions=drop") }},
		{1, func() { s.Ofctl("del-flows", "br-ex", "cookie=0x5/-1") }},
	} {
		step.do()
		agreeing += step.events
		vswitchtest.Eventually(t, "the event has come", func() bool {
			return r.agreeing.Load()+r.opposing.Load() >= agreeing
		})
	}
	if r.opposing.Load() != 0 || r.agreeing.Load() != agreeing {
		t.Errorf("%d events agreed and %d did not, want %d and none", r.agreeing.Load(), r.opposing.Load(), agreeing)
	}
	for i, theirs := range []string{
		"cookie=0x3e7,priority=1,ip,in_port=78,actions=drop",  // under our cookie
		"cookie=0x5,priority=900,ipv6,in_port=1,actions=drop", // under our key
	} {
		s.Ofctl("add-flow", "br-ex", theirs)
		vswitchtest.Eventually(t, "the event has come", func() bool { return r.opposing.Load() == int32(i+1) })
	}
}

func TestDrift(t *testing.T) {
	s, b := lab(t)
	f := focus(t, pair(1)...)
	restore := func() {
		t.Helper()
		read(t, b, f)
		mustApply(t, b, creates(pair(1)...)...)
		read(t, b, f)
		drain(b)
	}
	for _, drift := range [][]string{
		{"del-flows", "br-ex"},
		{"--strict", "del-flows", "br-ex", "priority=900,ip,in_port=1"},
		{"add-flow", "br-ex", "cookie=0x3e7,priority=900,ip,in_port=1,actions=drop"},
		{"-OOpenFlow13", "mod-flows", "br-ex", "ip,in_port=1,actions=drop"},
		{"add-flow", "br-ex", "cookie=0x3e6,priority=5,udp,actions=drop"},
	} {
		restore()
		s.Ofctl(drift...)
		awaitChange(t, b, strings.Join(drift, " "))
		have := read(t, b, f)
		full := f
		full.Complete = true
		if again := read(t, b, full); text(again) != text(have) {
			t.Errorf("%v: read\n%sin full\n%s", drift, text(have), text(again))
		}
	}

	// Overwritten by another owner: theirs now.
	restore()
	s.Ofctl("add-flow", "br-ex", "cookie=0x5,priority=900,ip,in_port=1,actions=drop")
	awaitChange(t, b, "a foreign flow took our place")
	if it, ok := read(t, b, f).Get(pair(1)[0].Key()); !ok || it.Marked {
		t.Errorf("got %v, %t, want an unmarked flow", it, ok)
	}
}

func TestVswitchdRestart(t *testing.T) {
	for name, end := range map[string]func(*vswitchtest.Switch){
		"killed": (*vswitchtest.Switch).KillSwitch, "stopped": (*vswitchtest.Switch).StopSwitch,
	} {
		t.Run(name, func(t *testing.T) {
			s, b := lab(t)
			f := focus(t, pair(1)...)
			read(t, b, f)
			mustApply(t, b, creates(pair(1)...)...)
			read(t, b, f)
			drain(b)
			end(s)
			awaitChange(t, b, "the end of ovs-vswitchd")
			if have, err := b.Read(t.Context(), f); !errors.Is(err, openflow.ErrAway) {
				t.Errorf("without a switch got %v, %v, want an error", text(have), err)
			}
			errs := b.Apply(t.Context(), creates(pair(1)...))
			if !errors.Is(errs[0], openflow.ErrAway) || errors.Is(errs[0], actual.ErrGone) {
				t.Errorf("without a switch got %v", errs)
			}
			drain(b)
			s.StartSwitch()
			awaitChange(t, b, "the return of ovs-vswitchd")
			if have := read(t, b, f); have.Len() != 0 {
				t.Errorf("flows survived:\n%s", text(have))
			}
			mustApply(t, b, creates(pair(1)...)...)
			if have := read(t, b, f); have.Len() != 2 {
				t.Errorf("got\n%s", text(have))
			}
		})
	}
}

func TestBridgeDeleted(t *testing.T) {
	s := vswitchtest.Start(t)
	s.AddBridge("br-ex")
	b := openWithGrace(t, s, 3*time.Second)
	f := focus(t, pair(1)...)
	read(t, b, f)
	mustApply(t, b, creates(pair(1)...)...)
	read(t, b, f)
	drain(b)
	s.Vsctl("del-br", "br-ex")
	awaitChange(t, b, "the deletion of the bridge")
	if have, err := b.Read(t.Context(), f); !errors.Is(err, openflow.ErrAway) {
		t.Errorf("just after the deletion got %v, %v, want an error: it may be a restart", text(have), err)
	}
	// The deletion may be signalled twice: its flows go, and then its monitor.
	for {
		awaitChange(t, b, "the bridge has been missing for long")
		have, err := b.Read(t.Context(), f)
		if errors.Is(err, openflow.ErrAway) {
			continue
		}
		if err != nil || have.Len() != 0 {
			t.Errorf("got %v\n%s", err, text(have))
		}
		break
	}
	errs := b.Apply(t.Context(), append(creates(pair(1)...), object.Change{Before: pair(1)[0]}))
	if !errors.Is(errs[0], actual.ErrGone) || errs[2] != nil {
		t.Errorf("got %v, want creates to fail with ErrGone and the delete to succeed", errs)
	}
	drain(b)
	s.AddBridge("br-ex")
	awaitChange(t, b, "the return of the bridge")
	mustApply(t, b, creates(pair(1)...)...)
}

// An ovs-ofctl that cannot monitor costs a dump for each read and nothing else.
func TestWithoutMonitor(t *testing.T) {
	s := vswitchtest.Start(t)
	s.AddBridge("br-ex")
	wrapper := filepath.Join(t.TempDir(), "ovs-ofctl")
	script := "#!/bin/sh\ncase \"$*\" in *' monitor '*) exit 1;; esac\nexec ovs-ofctl \"$@\"\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := New(Config{RunDir: s.Dir, Ofctl: wrapper, Cookies: []uint64{ourCookie}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	f := focus(t, pair(1)...)
	read(t, b, f)
	mustApply(t, b, creates(pair(1)...)...)
	if have := read(t, b, f); have.Len() != 2 {
		t.Errorf("got\n%s", text(have))
	}
	s.Ofctl("del-flows", "br-ex", "cookie=0x3e7/-1")
	if have := read(t, b, f); have.Len() != 0 {
		t.Errorf("got\n%s", text(have))
	}
}
