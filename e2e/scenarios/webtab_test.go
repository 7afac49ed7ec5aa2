package scenarios

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/net/websocket"

	"github.com/bgp-ovn/bgp-ovn/e2e/harness"
	"github.com/bgp-ovn/bgp-ovn/e2e/lab"
)

// tab is a page that stays open in a browser on a chassis, asked by the DevTools protocol.
type tab struct {
	conn *websocket.Conn
	last int
}

// openTab opens a page until the test ends.
func openTab(t *testing.T, hv *lab.Chassis, url string) *tab {
	t.Helper()
	dir, ctx := profile(t), testContext(t)
	cmd := hv.Command(ctx, "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+dir, "--remote-debugging-port=0", "--remote-allow-origins=*", url)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	harness.Check(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
	})
	dial := func() (conn net.Conn, err error) {
		port, err := os.ReadFile(filepath.Join(dir, "DevToolsActivePort"))
		if err != nil {
			return nil, err
		}
		ns, err := netns.GetFromPath(harness.NamespacePath(hv.Netns))
		if err != nil {
			return nil, err
		}
		defer ns.Close()
		err = harness.Inside(ns, func() (err error) {
			conn, err = net.Dial("tcp", "127.0.0.1:"+strings.Fields(string(port))[0])
			return err
		})
		return conn, err
	}
	out := &tab{}
	harness.Check(t, harness.Await(ctx, "the browser", func(ctx context.Context) (bool, error) {
		at, err := pageOf(ctx, dial)
		if err != nil {
			return false, err
		}
		conn, err := dial()
		if err != nil {
			return false, err
		}
		config, err := websocket.NewConfig(at, "http://127.0.0.1")
		if err != nil {
			return false, err
		}
		out.conn, err = websocket.NewClient(config, conn)
		return err == nil, err
	}))
	t.Cleanup(func() { _ = out.conn.Close() })
	return out
}

// pageOf asks a browser for the address of its page.
func pageOf(ctx context.Context, dial func() (net.Conn, error)) (string, error) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dial() },
	}}
	ask, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/json", nil)
	if err != nil {
		return "", err
	}
	answer, err := client.Do(ask)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var pages []struct {
		Type string
		At   string `json:"webSocketDebuggerUrl"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&pages); err != nil {
		return "", err
	}
	for _, p := range pages {
		if p.Type == "page" {
			return p.At, nil
		}
	}
	return "", errors.New("the browser has no page yet")
}

// eval is the text that an expression has on the page.
func (p *tab) eval(expression string) (string, error) {
	p.last++
	if err := p.conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return "", err
	}
	err := websocket.JSON.Send(p.conn, map[string]any{
		"id": p.last, "method": "Runtime.evaluate", "params": map[string]any{"expression": expression},
	})
	for err == nil {
		var answer struct {
			ID     int
			Result struct {
				Result           struct{ Value any }
				ExceptionDetails *struct{ Text string }
			}
		}
		if err = websocket.JSON.Receive(p.conn, &answer); err != nil || answer.ID != p.last {
			continue
		}
		if e := answer.Result.ExceptionDetails; e != nil {
			return "", fmt.Errorf("%s: %s", expression, e.Text)
		}
		return fmt.Sprint(answer.Result.Result.Value), nil
	}
	return "", err
}

// livePage demands that an open page shows a fault that comes, and that it goes, without being
// loaded again by anybody.
func livePage(t *testing.T, hv *lab.Chassis, f breaking) {
	ctx := testContext(t)
	page := openTab(t, hv, "http://127.0.0.1:9180/")
	shows := func(what string, is func(text string) bool) {
		t.Helper()
		harness.Check(t, harness.Await(ctx, "the open page to show "+what, func(context.Context) (bool, error) {
			text, err := page.eval(`["#state", "#live", ".problems"].map((at) => {
				const found = document.querySelector(at);
				return found ? found.textContent : '';
			}).join('')`)
			if err == nil && !is(text) {
				err = fmt.Errorf("the page: %s", text)
			}
			return err == nil, err
		}))
	}
	well := func(text string) bool { return strings.HasPrefix(text, "healthy, live") }
	shows("a node that is well", well)
	_, err := page.eval("window.opened = 'once'")
	harness.Check(t, err)
	undone := false
	undo := func() {
		if !undone {
			undone = true
			harness.Check(t, f.undo(harness.Context(t, time.Minute)))
		}
	}
	defer undo()
	harness.Check(t, f.do(ctx))
	shows(f.code, func(text string) bool { return strings.Contains(text, f.code) })
	undo()
	shows("that all is well again", well)
	if opened, err := page.eval("window.opened"); err != nil || opened != "once" {
		t.Errorf("the page was loaded again: %q, %v", opened, err)
	}
}
