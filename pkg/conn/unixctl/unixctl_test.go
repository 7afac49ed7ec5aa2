package unixctl

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch/vswitchtest"
)

// A daemon whose answer takes as long as its loop hangs is named after Limit, and no longer
// once it answers.
func TestHung(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		d := &Daemon{Name: "ovs-vswitchd", log: slog.New(slog.DiscardHandler)}
		release := make(chan struct{})
		go func() {
			var question any
			_ = json.NewDecoder(theirs).Decode(&question)
			<-release
			_, _ = io.WriteString(theirs, `{"id":0,"result":"3.1","error":null}`)
		}()
		go d.await(t.Context(), ours, "socket")
		began := time.Now()
		<-time.After(Limit - time.Second)
		if got := d.Hung(); !got.IsZero() {
			t.Errorf("hung since %v before the limit", got)
		}
		<-time.After(time.Minute)
		if got := d.Hung(); got != began {
			t.Errorf("hung since %v, want %v", got, began)
		}
		close(release)
		synctest.Wait()
		if got := d.Hung(); !got.IsZero() {
			t.Errorf("hung since %v although it has answered", got)
		}
	})
}

// A real ovs-vswitchd that is stopped is named, and no longer once it goes on; sockets
// that a crash left behind are no daemon.
func TestStoppedSwitch(t *testing.T) {
	sw := vswitchtest.Start(t)
	stale, err := net.Listen("unix", filepath.Join(sw.Dir, "ovs-vswitchd.1.ctl"))
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	stale.Close()
	resume := sw.PauseSwitch()
	defer resume()
	d := Watch(t.Context(), "ovs-vswitchd", sw.Dir, slog.New(slog.DiscardHandler))
	vswitchtest.Eventually(t, "it is named", func() bool { return !d.Hung().IsZero() })
	resume()
	vswitchtest.Eventually(t, "it answers again", func() bool { return d.Hung().IsZero() })
	none := Watch(t.Context(), "ovn-controller", sw.Dir, slog.New(slog.DiscardHandler))
	if conn, _ := none.dial(t.Context()); conn != nil || !none.Hung().IsZero() {
		t.Error("a daemon that is not there was found")
	}
}
