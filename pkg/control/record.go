package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Part is one part of what a controller knows at one moment, as a support bundle keeps it.
type Part struct {
	// Name is that of the member of the bundle.
	Name string
	Data []byte
	// Missing says why there is no Data, or what of it is left out; empty if it is whole.
	Missing string
}

// Names of parts that are read again.
const (
	PartConfiguration = "configuration.yaml"
	PartSnapshot      = "snapshot.json"
	PartStatus        = "status.json"
	PartPlan          = "plan.json"
	PartDesired       = "desired.json"
	PartCurrent       = "current.txt"
	PartSessions      = "sessions.json"
	PartExplanations  = "explanations.json"
	PartHistory       = "history.json"
	PartLedger        = "ledger.jsonl"
	PartPeers         = "bgp/peers.json"
	PartAdvertised    = "bgp/advertised.json"
	PartReceived      = "bgp/received.json"
	PartRejected      = "bgp/rejected.json"
	PartLog           = "log.txt"
	PartMetrics       = "metrics.txt"
)

// Parts are all parts that a controller records, in the order in which it does.
func Parts() []string {
	return []string{
		PartConfiguration, PartStatus, PartHistory, PartLedger, PartMetrics, PartLog,
		PartPeers, PartAdvertised, PartReceived, PartRejected,
		PartSnapshot, PartPlan, PartDesired, PartCurrent, PartSessions, PartExplanations,
	}
}

// Take is called with each part, in the order of [Parts]. What it returns ends the record.
type Take func(Part) error

// MaxPart bounds one part, in octets: a snapshot of 100,000 ports has 80 MB.
const MaxPart = 512 << 20

// partHeader comes before the data of a part on the socket, as a line of JSON.
type partHeader struct {
	Name    string `json:"name"`
	Size    int    `json:"size"`
	Missing string `json:"missing,omitempty"`
}

// maxHeader bounds such a line.
const maxHeader = 64 << 10

// contentRecord is the type of a record: what is not one is an error as text.
const contentRecord = "application/vnd.bgp-ovn.record"

// record serves [Controller.Record] part by part, so that no more than one of them is in
// memory at a time.
func record(w http.ResponseWriter, r *http.Request, c Controller) {
	w.Header().Set(headerAPI, protocolAPI)
	w.Header().Set("Content-Type", contentRecord)
	flow := http.NewResponseController(w)
	err := c.Record(r.Context(), func(p Part) error {
		if len(p.Data) > MaxPart {
			p = Part{Name: p.Name, Missing: fmt.Sprintf("it has more than %d MiB", MaxPart>>20)}
		}
		head, err := json.Marshal(partHeader{p.Name, len(p.Data), p.Missing})
		if err != nil {
			return err
		}
		if _, err := w.Write(append(head, '\n')); err != nil {
			return err
		}
		if _, err := w.Write(p.Data); err != nil {
			return err
		}
		return flow.Flush() // the next part has its own time to be sent
	})
	if err != nil {
		panic(http.ErrAbortHandler) // the only way to tell the client that the rest is missing
	}
}

// partDeadline is how long a client waits for the next part.
const partDeadline = 30 * time.Second

// errSilent ends a record of which no part has come for so long.
var errSilent = errors.New("the controller has sent nothing for " + partDeadline.String())

// Record asks for [Controller.Record]. A controller that stops answering ends it after a
// while; what it has sent until then was taken.
func (c *Client) Record(ctx context.Context, take Take) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := time.AfterFunc(partDeadline, func() { cancel(errSilent) })
	defer silent.Stop()
	err := c.record(ctx, func(p Part) error {
		silent.Reset(partDeadline)
		return take(p)
	})
	if cause := context.Cause(ctx); cause != nil && err != nil {
		return cause
	}
	return err
}

func (c *Client) record(ctx context.Context, take Take) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://bgp-ovn/v1/record", nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (control socket %s)", ErrNoController, c.socket)
	case errors.Is(err, os.ErrPermission) && c.read != nil:
		return c.read.record(ctx, take)
	case err != nil:
		return fmt.Errorf("ask the controller on %s: %w", c.socket, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Header.Get("Content-Type") != contentRecord {
		return fmt.Errorf("control socket %s is not answered by a bgp-ovn of this version", c.socket)
	}
	return readParts(resp.Body, take)
}

// readParts reads what [record] writes.
func readParts(from io.Reader, take Take) error {
	in := bufio.NewReaderSize(from, maxHeader)
	for {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case err != nil:
			return fmt.Errorf("read the next part of the record: %w", err)
		}
		var h partHeader
		if err := json.Unmarshal(line, &h); err != nil {
			return fmt.Errorf("read the next part of the record: %w", err)
		}
		if h.Size < 0 || h.Size > MaxPart {
			return fmt.Errorf("part %.40q of the record has %d octets", h.Name, h.Size)
		}
		data, err := io.ReadAll(io.LimitReader(in, int64(h.Size))) // which grows with what comes, not with what is said
		if err == nil && len(data) < h.Size {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("read part %.40q of the record: %w", h.Name, err)
		}
		if err := take(Part{h.Name, data, h.Missing}); err != nil {
			return err
		}
	}
}
