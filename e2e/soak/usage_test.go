package soak_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample is what a process uses at one moment.
type sample struct {
	at          time.Duration // since the begin
	changes     int           // made so far
	heap        float64       // bytes of live and of not yet collected objects
	resident    float64       // bytes
	goroutines  float64
	descriptors float64
	cpu         float64 // seconds so far
	state       float64 // bytes of the state file
}

// usage asks the metrics of a controller what its process uses.
type usage struct {
	http  http.Client
	state string
}

func newUsage(w *world) *usage {
	u := &usage{state: filepath.Join(w.node.Dir, "state.db")}
	socket := filepath.Join(w.node.Dir, "control.sock")
	u.http.Transport = &http.Transport{
		DisableKeepAlives: true, // a connection would be a descriptor of the process that is weighed
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}
	return u
}

func (u *usage) sample(ctx context.Context) (s sample, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://control/metrics", nil)
	if err != nil {
		return s, err
	}
	answer, err := u.http.Do(request)
	if err != nil {
		return s, err
	}
	defer answer.Body.Close()
	into := map[string]*float64{
		"go_memstats_heap_alloc_bytes": &s.heap, "process_resident_memory_bytes": &s.resident,
		"go_goroutines": &s.goroutines, "process_open_fds": &s.descriptors, "process_cpu_seconds_total": &s.cpu,
	}
	found := 0
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if to := into[name]; to != nil {
			if *to, err = strconv.ParseFloat(text, 64); err != nil {
				return s, fmt.Errorf("%s: %w", name, err)
			}
			found++
		}
	}
	if found < len(into) {
		return s, fmt.Errorf("the metrics have %d of the %d values that are weighed", found, len(into))
	}
	if info, err := os.Stat(u.state); err == nil {
		s.state = float64(info.Size())
	}
	return s, nil
}

// curve is a series of samples, oldest first.
type curve []sample

// window is one part of a curve: the lowest heap in it is nearest to what lives.
type window struct {
	sample         // the last one
	resident, heap float64
}

// windows are the parts of a curve of this length each; what is just at the end belongs to the last.
func (c curve) windows(length time.Duration) (out []window) {
	for _, s := range c {
		if n := int((s.at - 1) / length); n >= len(out) {
			out = append(out, window{s, s.resident, s.heap})
			continue
		}
		w := &out[len(out)-1]
		w.sample, w.resident, w.heap = s, max(w.resident, s.resident), min(w.heap, s.heap)
	}
	return out
}

// slope is by how much y grows for each unit of x: that of the line through the points
// with the least squares.
func slope(x, y []float64) float64 {
	n := float64(len(x))
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	if d := n*sxx - sx*sx; d != 0 {
		return (n*sxy - sx*sy) / d
	}
	return 0
}

// heapSlope is by how many bytes the heap grows with each change.
func heapSlope(ws []window) float64 {
	var x, y []float64
	for _, w := range ws {
		x, y = append(x, float64(w.changes)), append(y, w.heap)
	}
	return slope(x, y)
}

const (
	mib      = 1 << 20
	plotWide = 50
)

// table prints windows as the documentation has them.
func table(ws []window) string {
	var b strings.Builder
	fmt.Fprintln(&b, "minute  changes  heap MiB  resident MiB  goroutines  descriptors  CPU s  state file KiB")
	for _, w := range ws {
		fmt.Fprintf(&b, "%6.1f  %7d  %8.1f  %12.1f  %10.0f  %11.0f  %5.0f  %14.0f\n", w.at.Minutes(), w.changes,
			w.heap/mib, w.resident/mib, w.goroutines, w.descriptors, w.cpu, w.state/1024)
	}
	return b.String()
}

// plot draws resident memory (o) and heap (h), one line a window, from 0 on.
func plot(ws []window) string {
	most := 0.0
	for _, w := range ws {
		most = max(most, w.resident)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "minute  0 MiB%*s\n", plotWide-5, fmt.Sprintf("%.0f MiB", most/mib))
	for _, w := range ws {
		line := []byte(strings.Repeat(" ", plotWide+1))
		line[int(w.heap/most*plotWide)], line[int(w.resident/most*plotWide)] = 'h', 'o'
		fmt.Fprintf(&b, "%6.1f  %s\n", w.at.Minutes(), strings.TrimRight(string(line), " "))
	}
	return b.String()
}

// The slope of a line is found, and windows keep the lowest heap.
func TestSlope(t *testing.T) {
	var c curve
	for i := range 100 {
		c = append(c, sample{
			at: time.Duration(i) * time.Second, changes: 20 * i, heap: float64(1000 + 40*i + 7000*(i%2)), resident: float64(i),
		})
	}
	ws := c.windows(10 * time.Second)
	if len(ws) != 10 || ws[0].heap != 1000 || ws[9].resident != 99 {
		t.Errorf("%d windows, the first with %v, the last with %v", len(ws), ws[0].heap, ws[9].resident)
	}
	if got := heapSlope(ws); got < 1.9 || got > 2.1 {
		t.Errorf("the heap grows by %v a change, want 2", got)
	}
}
