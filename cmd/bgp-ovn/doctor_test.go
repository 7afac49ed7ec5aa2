package main

import (
	"encoding/json"
	"fmt"
	"net"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/doctor"
)

// The command on this very host: whatever it is like, each check has a verdict,
// and the exit status says what they amount to.
func TestDoctor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	args := []string{
		"doctor", "-o", "json", "--ovsdb-connection", "unix:" + t.TempDir() + "/none.sock", "--drivers",
		"osp_ovn_evpn_driver",
		"--bgp-peers", "address=127.0.0.1,as=65000,families=l2vpn-evpn", "--bgp-listen-port", fmt.Sprint(port), "--config",
		writeFile(t, ""),
	}
	out, errs, exit := run(t, nil, args...)
	if exit != exitDiffers {
		t.Fatalf("exit %d, want %d: %s", exit, exitDiffers, errs)
	}
	var got doctor.Report
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	levels := map[string]doctor.Level{}
	for _, f := range got.Findings {
		levels[f.Check] = f.Level
	}
	want := map[string]doctor.Level{"ovsdb": doctor.LevelFail, "peer 127.0.0.1": doctor.LevelOK, fmt.Sprintf("tcp %d",
		port): doctor.LevelFail}
	for check, l := range want {
		if levels[check] != l {
			t.Errorf("%s is %q, want %s", check, levels[check], l)
		}
	}
	if got.Version != 1 || got.Failures == 0 {
		t.Errorf("version %d, %d failures", got.Version, got.Failures)
	}
	if _, _, exit := run(t, nil, "doctor", "--drivers", "frr"); exit != exitError {
		t.Errorf("with a bad configuration: exit %d, want %d", exit, exitError)
	}
}
