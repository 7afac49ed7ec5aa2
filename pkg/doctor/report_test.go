package doctor

import (
	"encoding/json"
	"testing"
)

func sample() Report {
	return ReportOf([]Finding{
		{LevelOK, "ovsdb", "answers", ""},
		{LevelWarn, "mtu eth0", "1500", "raise it"},
		{LevelFail, "tcp 179", "bgpd", "stop it"},
	})
}

func TestReportText(t *testing.T) {
	const want = `ok    ovsdb                 answers
warn  mtu eth0              1500
      remedy: raise it
FAIL  tcp 179               bgpd
      remedy: stop it
3 checks, 1 warning, 1 failure
`
	if got := sample().String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// The JSON form is a contract: others script against it.
func TestReportJSON(t *testing.T) {
	got, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"version":1,"warnings":1,"failures":1,"findings":[` +
		`{"level":"ok","check":"ovsdb","text":"answers"},` +
		`{"level":"warn","check":"mtu eth0","text":"1500","remedy":"raise it"},` +
		`{"level":"FAIL","check":"tcp 179","text":"bgpd","remedy":"stop it"}]}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestHealthy(t *testing.T) {
	if r := ReportOf([]Finding{{LevelOK, "ovsdb", "answers", ""}}); !r.Healthy() {
		t.Errorf("%+v is not healthy", r)
	}
	if r := ReportOf([]Finding{{LevelWarn, "ovsdb", "answers", "mend it"}}); r.Healthy() {
		t.Errorf("%+v is healthy", r)
	}
}
