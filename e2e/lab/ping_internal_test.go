package lab

import "testing"

func TestParsePing(t *testing.T) {
	const reply = "64 bytes from 192.0.2.1: icmp_seq="
	got, err := parsePing(reply + "1 ttl=64\n" + reply + "4 ttl=64\n\n--- ping statistics ---\n" +
		"5 packets transmitted, 2 received, 60% packet loss, time 4ms\n")
	if err != nil {
		t.Fatal(err)
	}
	if want := (PingResult{Sent: 5, Received: 2, LongestGap: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
