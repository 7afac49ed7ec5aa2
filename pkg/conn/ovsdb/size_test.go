package ovsdb_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb"
)

// portRows are rows of the table Port with n octets of text in all, or a little less.
func portRows(n int) string {
	var b strings.Builder
	for i := 0; ; i++ {
		row := initial(fmt.Sprintf("%08x-0000-0000-0000-000000000000", i),
			fmt.Sprintf(`{"name":"port-%d","mac":"fa:16:3e:00:00:0a 10.0.0.10 %s"}`, i, strings.Repeat("x", 500)))
		if b.Len()+len(row) > n {
			return b.String()
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(row)
	}
}

const (
	sizeLimit = 4 << 20
	slack     = 256 << 10 // the buffer of the decoder, and what is around the rows
)

// sized follows a server whose first copy has n octets.
func sized(t *testing.T, n int) (*fake, *ovsdb.Follower[network]) {
	t.Helper()
	copied := since(false, txn1, ports(portRows(n)))
	f := newFake(t, func(method, _ string) string {
		if method == "monitor_cond_since" {
			return copied
		}
		return ""
	})
	return f, open(t, ovsdb.Config{Remotes: []string{f.remote}, MaxSize: sizeLimit, MaxSizeKey: "some_key"})
}

// A database just below the bound is read, and one above it refused with what to do;
// neither costs memory without bound.
func TestSizeOfACopy(t *testing.T) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	_, s := sized(t, sizeLimit-slack)
	have := await(t, s, "the first copy", synced)
	if after := heap(); after > before+8*sizeLimit {
		t.Errorf("%d MiB for a copy of %d MiB", (after-before)>>20, sizeLimit>>20)
	}
	runtime.KeepAlive(have)

	f, s := sized(t, 10*sizeLimit)
	eventually(t, "the refusal", func() bool { return s.Status().LastError != "" })
	if got, want := s.Status().LastError, "the database is too large: more than 4 MiB in one message or in all rows; "+
		"is it the right database? If it is, raise some_key"; !strings.Contains(got, want) {
		t.Errorf("got %s", got)
	}
	if got := s.Status().Bytes; got > sizeLimit+slack {
		t.Errorf("%d octets were read of a message that may have %d", got, sizeLimit)
	}
	if _, err := s.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("rows: %v", err)
	}
	if n := len(f.asked("monitor_cond_since")); n != 1 {
		t.Errorf("the copy was asked for %d times", n)
	}
}

// A notification, a string, and a value that nobody reads have the same bound; rows
// that are there stay readable.
func TestSizeOfAMessage(t *testing.T) {
	long := strings.Repeat("x", 2*sizeLimit)
	for name, message := range map[string]string{
		"update":             update3(txn2, ports(strings.ReplaceAll(portRows(2*sizeLimit), "initial", "insert"))),
		"string":             `{"id":null,"method":"update3","params":["` + long,
		"escaped string":     `{"id":null,"method":"update3","params":["` + strings.Repeat(`\n`, sizeLimit),
		"number":             `{"id":` + strings.Repeat("1", 2*sizeLimit),
		"unknown method":     `{"id":null,"method":"what","params":[` + strings.Repeat(`"x",`, sizeLimit),
		"parameters first":   `{"params":[` + strings.Repeat(`"x",`, sizeLimit),
		"unknown member":     `{"what":[` + strings.Repeat(`"x",`, sizeLimit),
		"members":            `{` + strings.Repeat(`"x":1,`, sizeLimit),
		"white space inside": `{"id":` + strings.Repeat(" ", 2*sizeLimit),
	} {
		t.Run(name, func(t *testing.T) {
			f, s := sized(t, 1000)
			await(t, s, "the first copy", synced)
			go func() {
				f.mu.Lock()
				c := f.conns[len(f.conns)-1]
				f.mu.Unlock()
				_, _ = c.Write([]byte(message)) // it ends when we close the connection
			}()
			have := await(t, s, "the loss", func(n *network) bool { return n.Stale != "" })
			if !strings.Contains(have.Stale, "the database is too large") || len(have.Ports) == 0 {
				t.Errorf("%d ports, stale: %s", len(have.Ports), have.Stale)
			}
			if got := s.Status().Bytes; got > 2*(sizeLimit+slack) {
				t.Errorf("%d octets were read", got)
			}
		})
	}
}

// Many small updates cannot make more rows than a copy may have; updates that replace
// each other can go on for ever.
func TestSizeOfAllRows(t *testing.T) {
	f, s := sized(t, 1000)
	await(t, s, "the first copy", synced)
	const size = 100 << 10
	value := func(i int) string {
		return fmt.Sprintf(`{"name":"port-%d","mac":"%s"}`, i, strings.Repeat(fmt.Sprint(i%10), size))
	}
	const many = 2 * sizeLimit / size
	for i := range many { // the same row: an insert of a row that is there replaces it
		f.send(update3(txn2, ports(inserted(rowA, value(i)))))
	}
	have := await(t, s, "the last update", func(n *network) bool {
		return slices.ContainsFunc(n.Ports, func(p *portRow) bool { return p.Name == fmt.Sprintf("port-%d", many-1) })
	})
	if have.Stale != "" || s.Status().Connects != 1 {
		t.Fatalf("stale: %s", have.Stale)
	}
	go func() {
		f.mu.Lock()
		c := f.conns[len(f.conns)-1]
		f.mu.Unlock()
		for i := range 2 * many {
			id := fmt.Sprintf("%08x-1111-0000-0000-000000000000", i)
			if _, err := c.Write([]byte(update3(txn2, ports(inserted(id, value(i)))))); err != nil {
				return
			}
		}
	}()
	have = await(t, s, "the loss", func(n *network) bool { return n.Stale != "" })
	total := (len(have.Ports) - 1) * size // the one of the first copy is small
	if !strings.Contains(have.Stale, "the database is too large") || total > sizeLimit {
		t.Errorf("%d octets of rows, stale: %s", total, have.Stale)
	}
}
