package gather

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/unixctl"
	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// openVSwitch asks the database for the devices of ports, and ovs-vswitchd what it would do
// with packets.
func (s *session) openVSwitch(questions []Question, facts []reach.Facts) {
	s.interfaces(questions, facts)
	silent := "" // one that does not answer is not asked again
	for i, q := range questions {
		f := &facts[i]
		if !q.Switch || q.Bridge == "" || s.cfg.RunDir == "" {
			continue
		}
		if silent != "" {
			f.Switch = &reach.Switch{Err: silent}
			continue
		}
		f.Switch = s.traces(q, f)
		silent = f.Switch.Err
	}
}

// traces asks for the way of a packet and of its answer.
func (s *session) traces(q Question, f *reach.Facts) *reach.Switch {
	out := &reach.Switch{}
	outside, ok := outsideOf(q)
	if !ok || f.Device.Missing {
		return out
	}
	proto, src, dst := "ip", "nw_src", "nw_dst"
	if q.Addr.Is6() {
		proto, src, dst = "ipv6", "ipv6_src", "ipv6_dst"
	}
	ctx, cancel := context.WithTimeout(s.ctx, Limit)
	defer cancel()
	// Without the MAC address of the neighbour the packet would go nowhere in particular.
	port, mac := "LOCAL", ""
	if n := f.Neighbour; n != nil && n.State != "FAILED" && n.State != "INCOMPLETE" {
		mac = n.MAC
	}
	from := "" // what an answer has beside its addresses
	if o := q.Overlay; o != nil {
		port, mac = o.Port, cmp.Or(o.MAC, mac)
		from = ",dl_src=" + mac
		if o.VLAN != 0 {
			from += fmt.Sprintf(",dl_vlan=%d,dl_vlan_pcp=0", o.VLAN)
		}
	}
	if mac != "" {
		flow := fmt.Sprintf("%s,in_port=%s,dl_dst=%s,%s=%s,%s=%s,nw_ttl=64", proto, port, mac, src, outside, dst, q.Addr)
		text, err := unixctl.Call(ctx, s.cfg.RunDir, "ovs-vswitchd", "ofproto/trace", q.Bridge, flow)
		if err != nil {
			return s.traceFailed(out, err)
		}
		out.In = readTrace(text)
	}
	if q.Patch != "" && (q.Overlay == nil || mac != "") {
		flow := fmt.Sprintf("%s,in_port=%s%s,%s=%s,%s=%s,nw_ttl=64", proto, q.Patch, from, src, q.Addr, dst, outside)
		text, err := unixctl.Call(ctx, s.cfg.RunDir, "ovs-vswitchd", "ofproto/trace", q.Bridge, flow)
		if err != nil {
			return s.traceFailed(out, err)
		}
		out.Answer = readTrace(text)
	}
	return out
}

// traceFailed separates a daemon that hangs from one that refuses the question or that
// cannot be asked from here.
func (s *session) traceFailed(out *reach.Switch, err error) *reach.Switch {
	var timeout net.Error
	if s.ctx.Err() == nil && (errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()) {
		out.Err = fmt.Sprintf("no answer on its control socket within %s", Limit)
		return out
	}
	s.failed("ofproto/trace", err)
	return out
}

// outsideOf is an address of the fabric of the family.
func outsideOf(q Question) (fmt.Stringer, bool) {
	i := slices.IndexFunc(q.Fabric, func(s Source) bool { return s.Addr.Is6() == q.Addr.Is6() })
	if i < 0 {
		return nil, false
	}
	return q.Fabric[i].Addr, true
}

// interfaces asks the Open_vSwitch database where logical ports are plugged in, all in one
// transaction.
func (s *session) interfaces(questions []Question, facts []reach.Facts) {
	var at []int
	for i, q := range questions {
		if q.Port && q.Way.Port != "" && s.cfg.OVSDB != "" {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return
	}
	ops := []any{"Open_vSwitch"}
	for _, i := range at {
		ops = append(ops, map[string]any{
			"op": "select", "table": "Interface", "columns": []string{"name", "link_state", "admin_state", "error"},
			"where": []any{[]any{"external_ids", "includes", []any{"map", []any{[]any{"iface-id", questions[i].Way.Port}}}}},
		})
	}
	ctx, cancel := context.WithTimeout(s.ctx, Limit)
	defer cancel()
	results, err := transact(ctx, s.cfg.OVSDB, ops)
	if err != nil || len(results) < len(at) {
		text := fmt.Sprintf("Open_vSwitch database: %v", err)
		for _, i := range at {
			facts[i].Unread = append(slices.Clip(facts[i].Unread), text)
		}
		return
	}
	for n, i := range at {
		facts[i].Interface = interfaceOf(results[n].Rows)
	}
}

// result is the answer to one operation (RFC 7047 section 5.2).
type result struct {
	Rows []map[string]any `json:"rows"`
}

// interfaceOf reads the row of an interface; one without a name stands for none.
func interfaceOf(rows []map[string]any) *reach.Interface {
	out := &reach.Interface{}
	for _, row := range rows {
		text := func(column string) string { v, _ := row[column].(string); return v } // a set if it is empty
		out.Name, out.Error = text("name"), text("error")
		out.LinkDown, out.AdminDown = text("link_state") == "down", text("admin_state") == "down"
	}
	return out
}

// maxRows bounds an answer of the database: a few columns of a few rows.
const maxRows = 4 << 20

// transact asks the database once, on a connection of its own: it is asked by people, not by
// rounds. Only endpoints without TLS are.
func transact(ctx context.Context, endpoint string, params []any) ([]result, error) {
	network, address, _ := strings.Cut(endpoint, ":")
	if network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("%s is not asked: ovs-vsctl list Interface", endpoint)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	err = json.NewEncoder(conn).Encode(map[string]any{"id": 0, "method": "transact", "params": params})
	if err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	var answer struct {
		Result []result `json:"result"`
		Error  any      `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(conn, maxRows)).Decode(&answer); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("no answer within %s", Limit)
		}
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if answer.Error != nil {
		return nil, fmt.Errorf("refused: %v", answer.Error)
	}
	return answer.Result, nil
}
