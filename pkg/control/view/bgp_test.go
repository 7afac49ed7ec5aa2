package view_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/control/view"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

func sessions() control.BGPPeers {
	up := control.BGPPeer{
		Peer: control.Peer{
			Address: "192.0.2.1", AS: 65000, State: control.Established, LocalAddress: "192.0.2.11", RouterID: "192.0.2.1",
			HoldTime: 9, Graceful: true, Flaps: 1,
		},
		Uptime: 7384, OurRestartTime: 120,
		Fault: &control.BGPFault{
			Code: "connection-lost", Text: "connection lost", Cause: "it restarted", Remedy: "wait",
		},
		OurRoutes:   control.BGPKeeping{Kept: "session-up", Reason: "the session is up"},
		TheirRoutes: control.BGPKeeping{Kept: "session-up", Reason: "the session is up"},
		Local:       []control.BGPCapability{{Name: "family", Detail: "ipv4-unicast"}, {Name: "route-refresh"}},
		Counts: []control.BGPCounts{
			{Family: object.IPv4Unicast, Negotiated: true, Sent: 100000, NotSent: 2, Received: 9, Accepted: 1, Looped: 8},
			{Family: object.IPv6Unicast},
		},
	}
	down := control.BGPPeer{
		Peer:     control.Peer{Address: "2001:db8:1234:5678:9abc:def0:1234:5678%uplink0", AS: 4200000000, State: "Active"},
		Downtime: 200000,
		Fault: &control.BGPFault{
			Code: "no-answer", Current: true,
			Text:  "connect: no answer (i/o timeout): its port is filtered on the way, or the passwords (TCP MD5) differ",
			Cause: "TCP port 179 is filtered", Remedy: "tcpdump -ni any tcp port 179",
		},
		OurRoutes:   control.BGPKeeping{Kept: "no", Reason: "there has been no session yet"},
		TheirRoutes: control.BGPKeeping{Kept: "no", Reason: "nothing of the neighbour is left here"},
	}
	return control.BGPPeers{
		Version: 1, Peers: []control.BGPPeer{up, down},
		Held: []control.Quarantine{{Peer: "192.0.2.66"}},
	}
}

func TestBGPPeers(t *testing.T) {
	got := printed(t, func(w io.Writer) error { return view.BGPPeers(w, view.Text, sessions()) })
	compare(t, got, `PEER                                      AS          STATE        FOR   FLAPS  SENT    RECV  ACCEPT
192.0.2.1                                 65000       Established  2h3m  1      100000  9     1
2001:db8:1234:5678:..0:1234:5678%uplink0  4200000000  Active       2d7h  0      0       0     0
    why: no-answer: connect: no answer (i/o timeout): its port is filtered on the way, or the
    passwords (TCP MD5) differ
    try: tcpdump -ni any tcp port 179
192.0.2.66                                            quarantined
    until the start; bgp-ovn peer release 192.0.2.66
`)
	narrow(t, got)
	got = printed(t, func(w io.Writer) error { return view.BGPPeers(w, view.Text, control.BGPPeers{}) })
	compare(t, got, "no peer is configured\n")
}

func TestBGPPeer(t *testing.T) {
	got := printed(t, func(w io.Writer) error { return view.BGPPeer(w, view.Text, sessions()) })
	narrow(t, got)
	for _, want := range []string{
		"peer 192.0.2.1  AS 65000  Established", "  last error    connection-lost: connection lost\n",
		"  WHY           no-answer: connect", "  our routes    the session is up; restart time 2m0s\n",
		"  our routes    kept: no (there has been no session yet); graceful restart is off\n",
		"sent 100000 (not sent 2), received 9, accepted 1, with our AS 8\n", "NOT taken by the neighbour",
		"  we offer      family ipv4-unicast, route-refresh\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

func TestRoutes(t *testing.T) {
	a := control.BGPAdvertised{Total: 700, NotSent: 3, Paths: []control.AdvertisedPath{
		{
			NLRI: "203.0.113.7/32", Sent: []control.SentTo{{Peer: "192.0.2.1", NextHop: "192.0.2.11"}},
			Objects: []object.Source{{Table: "Port_Binding", Row: "web-1"}, {Table: "Port_Binding", Row: "cr-lrp"}},
		},
		{
			NLRI: "mac-ip fa:16:3e:00:00:01 2001:db8::1234:5678 rd 192.0.2.11:1001",
			Sent: []control.SentTo{
				{Peer: "2001:db8:1234:5678:9abc:def0:1234:5678", NextHop: "192.0.2.11"}, {NextHop: "192.0.2.12"},
			},
		},
	}}
	got := printed(t, func(w io.Writer) error { return view.Advertised(w, view.Text, a) })
	narrow(t, got)
	compare(t, got, `PREFIX                           NEXT HOP    SENT TO                           OBJECT
203.0.113.7/32                   192.0.2.11  192.0.2.1                         Port_Binding web-1 +1
mac-ip fa:16:3e..92.0.2.11:1001  several     2001:db8:1234:5..f0:1234:5678 +1  -
2 of 700 paths; see --limit and --within
3 paths of ours are not sent: no session takes them (bgp-ovn bgp peers)
`)
	r := control.BGPReceived{Total: 2, Reasons: []control.ReasonCount{{Reason: "loop", Count: 1}}}
	r.Paths = []control.ReceivedPath{
		{NLRI: "0.0.0.0/0", Peer: "192.0.2.1", NextHop: "192.0.2.1", ASPath: "65000", Used: true},
		{NLRI: "10.0.0.0/8", Peer: "192.0.2.1", ASPath: "65000 64999", Reason: "loop", Text: "our own AS is in its AS_PATH"},
	}
	compare(t, printed(t, func(w io.Writer) error { return view.Received(w, view.Text, r) }),
		`PREFIX      PEER       NEXT HOP   AS PATH      USED
0.0.0.0/0   192.0.2.1  192.0.2.1  65000        yes
10.0.0.0/8  192.0.2.1  -          65000 64999  loop
2 paths
not used: 1 loop
`)
	r.Paths = r.Paths[1:]
	compare(t, printed(t, func(w io.Writer) error { return view.Rejected(w, view.Text, r) }),
		`PREFIX      PEER       NEXT HOP  AS PATH      REASON
10.0.0.0/8  192.0.2.1  -         65000 64999  loop
    our own AS is in its AS_PATH
1 of 2 paths; see --limit and --within
`)
}

// narrow holds text to the width of a terminal.
func narrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// YAML is the same document as JSON.
func TestYAML(t *testing.T) {
	p := sessions()
	p.Peers[0].Since = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	p.Peers[0].LastError = "no: true # \"x\"\nline"
	text := printed(t, func(w io.Writer) error { return view.BGPPeers(w, view.YAML, p) })
	var got, want any
	if err := yaml.Unmarshal([]byte(text), &got); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || !strings.HasPrefix(text, "version: 1\npeers:\n  - address: 192.0.2.1\n") {
		t.Errorf("got\n%s", text)
	}
	if f, err := view.ParseForm("yaml"); err != nil || f != view.YAML {
		t.Errorf("got %s, %v", f, err)
	}
}

func TestBGPPeersWithBFD(t *testing.T) {
	all := sessions()
	all.Peers[0].BFD = &control.BGPBFD{
		State: "Up", Remote: "Up", IntervalMS: 300, Multiplier: 3, Failures: 1, Diagnostic: "detection time expired",
	}
	got := printed(t, func(w io.Writer) error { return view.BGPPeers(w, view.Text, all) })
	for _, want := range []string{" BFD ", " Up ", " - "} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	got = printed(t, func(w io.Writer) error { return view.BGPPeer(w, view.Text, all) })
	want := "Up, neighbour Up, 300 ms x 3, single hop, lost 1 times, last detection time expired"
	if !strings.Contains(got, want) {
		t.Errorf("no %q in\n%s", want, got)
	}
}
