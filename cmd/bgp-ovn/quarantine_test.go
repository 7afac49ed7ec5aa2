package main

import (
	"context"
	"testing"
	"time"

	"github.com/bgp-ovn/bgp-ovn/internal/apischema"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
)

// asider is a controller that tells only what is set aside.
type asider struct {
	control.Controller
	status control.Status
}

func (a *asider) Status(context.Context) (control.Status, error) { return a.status, nil }

// TestQuarantineIsListed: what is set aside is printed with its reason and its times.
func TestQuarantineIsListed(t *testing.T) {
	a := &asider{status: control.Status{Version: 1}}
	socket := serveHistory(t, a)
	if out, errs, exit := runOn(t, socket, "quarantine"); exit != exitSame || out != "nothing is set aside\n" {
		t.Errorf("exit %d\n%s%s", exit, out, errs)
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	a.status.Quarantine = []control.QuarantinedObject{{
		Code: "flapping", Kind: "path", Key: "ipv4-unicast 203.0.113.7/32", Reason: "it was withdrawn 7 times in 3m0s",
		Failing: at, Since: at.Add(3 * time.Minute), Tries: 7, Next: at.Add(50 * time.Minute),
	}, {
		Code: "quarantined", Kind: "route", Key: "10.0.0.5/32 table 201 metric 0", Reason: "add route: network is down",
		Failing: at, Since: at.Add(5 * time.Minute), Tries: 14, Next: at.Add(7 * time.Minute),
	}}
	a.status.Quarantined = []control.Quarantine{{Peer: "192.0.2.1", Last: at, Until: at.Add(30 * time.Minute)}}
	const want = `path ipv4-unicast 203.0.113.7/32
  since 2026-03-04 05:09:07, coming and going since 2026-03-04 05:06:07; 7 withdrawals
  announced again at 2026-03-04 05:56:07 if it stays
route 10.0.0.5/32 table 201 metric 0
  since 2026-03-04 05:11:07, failing since 2026-03-04 05:06:07; 14 attempts, the next one at 2026-03-04 05:13:07
  reason: add route: network is down
peer 192.0.2.1
  its messages ended the speaker, last at 2026-03-04 05:06:07; configured again at 2026-03-04 05:36:07
`
	if out, errs, exit := runOn(t, socket, "quarantine"); exit != exitDiffers || out != want {
		t.Errorf("exit %d\n%s%swant\n%s", exit, out, errs, want)
	}
	out, _, _ := runOn(t, socket, "quarantine", "-o", "json")
	if err := apischema.Validate("../../docs/api", "quarantine", []byte(out)); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
