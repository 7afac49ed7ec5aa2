package scenarios

import (
	"context"
	"fmt"
	"html"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
	"github.com/bgp-ovn/bgp-ovn/e2e/product"
	"github.com/bgp-ovn/bgp-ovn/pkg/control"
	"github.com/bgp-ovn/bgp-ovn/pkg/problem"
)

// shots is where screenshots are kept to be looked at; empty keeps none.
var shots = os.Getenv("WEB_SHOTS")

// profile is a directory for what a browser keeps. Its processes outlive it for a moment, and still
// write there while it is being removed.
func profile(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "browser-")
	harness.Check(t, err)
	t.Cleanup(func() {
		harness.Eventually(t, time.Minute, func() string {
			if err := os.RemoveAll(dir); err != nil {
				return err.Error()
			}
			return ""
		})
	})
	return dir
}

// browse returns the document of a page as a browser on the chassis has it when it is
// loaded, with a picture of it under a name, if pictures are kept.
func browse(t *testing.T, hv *lab.Chassis, name, query string) string {
	t.Helper()
	dir := profile(t)
	args := []string{
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--user-data-dir=" + dir,
		"--window-size=1200,1500",
		"--hide-scrollbars", "--timeout=20000",
	}
	if shots != "" {
		args = append(args, "--screenshot="+filepath.Join(shots, name+".png"))
	}
	cmd := hv.Command(testContext(t), "chromium", append(args, "--dump-dom", "http://127.0.0.1:9180/"+query)...)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, errs.String())
	}
	for _, bad := range []string{"Content Security Policy", "Uncaught"} {
		if strings.Contains(errs.String(), bad) {
			t.Errorf("%s: the browser complains:\n%s", name, errs.String())
		}
	}
	return html.UnescapeString(string(out))
}

// document returns a page as it comes, on which no script has run.
func document(t *testing.T, hv *lab.Chassis, query string) (text string) {
	t.Helper()
	ns, err := netns.GetFromPath(harness.NamespacePath(hv.Netns))
	harness.Check(t, err)
	defer ns.Close()
	harness.Check(t, harness.Inside(ns, func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:9180")
		if err != nil {
			return err
		}
		defer conn.Close()
		fmt.Fprintf(conn, "GET /%s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", query)
		raw, err := io.ReadAll(conn)
		text = html.UnescapeString(string(raw))
		return err
	}))
	return text
}

// brokenBox is the name of a box that is drawn as broken.
var brokenBox = regexp.MustCompile(`<g class="broken"><title>([^<]*)</title>`)

func brokenBoxes(page string) (out []string) {
	for _, m := range brokenBox.FindAllStringSubmatch(page, -1) {
		out = append(out, m[1])
	}
	return out
}

// The page shows in a browser what the controller knows, without scripts too, and where
// the way of packets breaks.
func TestWebPage(t *testing.T) {
	hv := shared.Chassis[2]
	vm := guest(t, "vm-web", shared.public, hv, "172.24.4.71")
	serveWeb(t, shared.agents[2])
	at(t, "172.24.4.71", hv)
	pings(t, "172.24.4.71")
	settled(t)
	page := browse(t, hv, "healthy", "?explain=172.24.4.71")
	plain := document(t, hv, "?explain=172.24.4.71")
	if on := `data-script="on"`; !strings.Contains(page, on) || strings.Contains(plain, on) {
		t.Errorf("the script of the page does not run, or runs without scripts")
	}
	for name, text := range map[string]string{"with scripts": page, "without scripts": plain} {
		for _, want := range []string{
			"healthy", "172.24.4.71/32", "ADVERTISED", "table 201", "br-ex", "physnet1", hv.TorAddr4.String(), "Established",
			"1 of 1 announced", "at most", "+ route 172.24.4.71/32",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: the page lacks %q", name, want)
			}
		}
		if boxes := brokenBoxes(text); len(boxes) > 0 {
			t.Errorf("%s: broken on a healthy node: %q", name, boxes)
		}
	}
	if page := browse(t, hv, "search", "?q="+vm.Port.ID); !strings.Contains(page, ">172.24.4.71</a>") {
		t.Error("a search by name does not find the address")
	}
	ip := func(args ...string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := hv.Run(ctx, "ip", args...)
			return err
		}
	}
	uplink := func(up bool) func(context.Context) error {
		return func(context.Context) error { return hv.SetUplink(hv.Uplinks()[0], up) }
	}
	foreign := breaking{
		"foreign-rule", "foreign-rule", "1 not reachable",
		ip("rule", "add", "pref", "100", "to", "172.24.4.0/24", "lookup", "main"), ip("rule", "del", "pref", "100"),
	}
	t.Run("live", func(t *testing.T) { livePage(t, hv, foreign) })
	for _, b := range []breaking{
		foreign,
		{
			"tap-down", "port-link-down", "1 not reachable",
			ip("link", "set", vm.Tap, "down"), ip("link", "set", vm.Tap, "up"),
		},
		{"sessions-down", "peer-down", "speaker, 0 of 2 sessions up", uplink(false), uplink(true)},
	} {
		t.Run(b.name, func(t *testing.T) { brokenPage(t, hv, b) })
	}
}

// breaking is a fault, its code, and what the box in the picture says where the way breaks.
type breaking struct {
	name, code, box string
	do, undo        func(context.Context) error
}

// brokenPage demands that the page names a fault and shows where the way breaks.
func brokenPage(t *testing.T, hv *lab.Chassis, f breaking) {
	ctx := testContext(t)
	defer func() {
		ctx := harness.Context(t, time.Minute)
		harness.Check(t, f.undo(ctx))
		if f.code == "peer-down" {
			return // the last one: the controller restarts anyway
		}
		harness.Check(t, harness.Await(ctx, "the node to be well again", func(ctx context.Context) (bool, error) {
			s, err := shared.agents[2].Status(ctx)
			return err == nil && s.Healthy, err
		}))
	}()
	harness.Check(t, f.do(ctx))
	harness.Check(t, harness.Await(ctx, f.code, func(ctx context.Context) (bool, error) {
		s, err := shared.agents[2].Status(ctx)
		return err == nil && slices.ContainsFunc(problem.Flat(s.Problems), func(p control.Problem) bool {
			return p.Code == f.code
		}), err
	}))
	page := browse(t, hv, f.name, "?explain=172.24.4.71")
	if boxes := strings.Join(brokenBoxes(page), "\n"); !strings.Contains(boxes, f.box) {
		t.Errorf("broken are\n%s\nwant %q", boxes, f.box)
	}
	for _, want := range []string{"What is wrong", "<b>" + f.code + "</b>"} {
		if !strings.Contains(page, want) && !strings.Contains(page, "therefore: "+f.code) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// serveWeb has an agent serve its page to programs on its node, until the test ends.
func serveWeb(t *testing.T, a *product.Agent) {
	t.Helper()
	restart := func(ctx context.Context, extra ...string) {
		harness.Check(t, a.Stop(ctx))
		harness.Check(t, a.Configure(nil, extra...))
		harness.Check(t, a.Start(ctx))
	}
	ctx := testContext(t)
	t.Cleanup(func() { restart(context.WithoutCancel(ctx)) })
	restart(ctx, `web: {listen: "127.0.0.1:9180"}`)
}
