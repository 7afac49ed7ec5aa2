package bgp_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/speaker/speakertest"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// A session that is up has a send hold timer of 8 minutes (RFC 9687) on its connection.
func TestSendHoldTimer(t *testing.T) {
	b := start(t, nil)
	apply(t, b, create(passive("192.0.2.2", object.IPv4Unicast)))
	rawPeer(t, speakertest.IPv4)
	eventually(t, time.Minute, func() string {
		var got []int
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			fd, _ := strconv.Atoi(e.Name())
			sa, err := unix.Getpeername(fd)
			if from, ok := sa.(*unix.SockaddrInet4); err != nil || !ok || from.Addr != [4]byte{192, 0, 2, 2} {
				continue
			}
			if n, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT); err == nil {
				got = append(got, n)
			}
		}
		return emptyIf(len(got) == 1 && got[0] == 480_000, fmt.Sprintf("TCP_USER_TIMEOUT is %v ms, want 480000", got))
	})
}
