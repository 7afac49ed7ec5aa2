package gather

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/bgp-ovn/bgp-ovn/pkg/reach"
)

// Whatever rows the database answers with, an interface is made of them.
func FuzzInterfaceOf(f *testing.F) {
	f.Add(`[{"name":"tap7","link_state":"up","admin_state":["set",[]],"error":["set",[]]}]`)
	f.Add(`[{"name":7,"error":"x"},{}]`)
	f.Add(`[null]`)
	f.Fuzz(func(t *testing.T, text string) {
		var rows []map[string]any
		if json.Unmarshal([]byte(text), &rows) != nil {
			return
		}
		if i := interfaceOf(rows); i == nil {
			t.Errorf("%s: nothing", text)
		}
	})
}

// fuzzedRule makes expressions of a rule from bytes: four for each.
func fuzzedRule(b []byte) []expr.Any {
	var out []expr.Any
	for ; len(b) >= 4; b = b[4:] {
		reg, data := uint32(b[1]%4), b[2:4:4]
		switch b[0] % 10 {
		case 0:
			out = append(out, &expr.Meta{Key: expr.MetaKey(b[2]), Register: reg})
		case 1:
			out = append(out, &expr.Payload{DestRegister: reg, Base: expr.PayloadBase(b[2] % 4), Offset: uint32(b[3]), Len: 4})
		case 2:
			out = append(out, &expr.Bitwise{SourceRegister: reg, DestRegister: reg, Mask: data, Xor: []byte{b[1] >> 7}})
		case 3:
			out = append(out, &expr.Cmp{Op: expr.CmpOp(b[1] >> 5), Register: reg, Data: b[2 : 2+b[1]%3]})
		case 4:
			out = append(out, &expr.Verdict{Kind: expr.VerdictKind(int8(b[2]))})
		case 5:
			out = append(out, &expr.Lookup{SourceRegister: reg})
		case 6:
			out = append(out, &expr.Reject{})
		case 7:
			out = append(out, &expr.Target{Name: strings.Repeat("REJECT", int(b[2]%2))})
		case 8:
			out = append(out, nil)
		default:
			out = append(out, &expr.Counter{})
		}
	}
	return out
}

// Whatever expressions a rule of nftables has, it is read and judged, and a rule of which
// something is not understood never decides alone.
func FuzzFilterRule(f *testing.F) {
	f.Add([]byte{0, 1, byte(expr.MetaKeyIIFNAME), 0, 3, 1, 'a', 0, 4, 0, 0, 0})
	f.Add([]byte{1, 1, 1, 16, 2, 1, 255, 255, 3, 2, 10, 0, 4, 0, 0, 0})
	f.Add([]byte{5, 0, 0, 0, 4, 0, 0, 0, 8, 0, 0, 0})
	addr, src := netip.MustParseAddr("198.51.100.7"), netip.MustParseAddr("192.0.2.4")
	f.Fuzz(func(t *testing.T, b []byte) {
		rule := filterRule(fuzzedRule(b))
		rule.Text = "rule 1" + describe(rule)
		v := reach.Judge(reach.Facts{
			Way: reach.Way{Addr: addr}, Uplinks: []reach.Device{{Name: "a", Up: true, Carrier: true, Forwarding: true}},
			In:      []reach.Lookup{{From: "a", Src: src, Dst: addr}},
			Filters: []reach.Chain{{Family: "inet", Name: "x", Hook: "forward", Rules: []reach.FilterRule{rule}}},
		})
		sure := true
		for _, c := range rule.Conditions {
			sure = sure && c.Field != ""
		}
		for _, s := range v.Stages {
			if s.Code == reach.CodePacketFilter && (!sure || rule.Action != reach.Drop) {
				t.Errorf("%v: %+v decides: %+v", b, rule, s)
			}
		}
	})
}

// What the rules of nftables mean: by hand, as nft(8) compiles them.
func TestFilterRule(t *testing.T) {
	name := func(s string) []byte { return append([]byte(s), make([]byte, unix.IFNAMSIZ-len(s))...) }
	drop := &expr.Verdict{Kind: expr.VerdictDrop}
	for _, tt := range []struct {
		want  string
		exprs []expr.Any
	}{
		{" (iifname eth0 drop)", []expr.Any{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: 1}, &expr.Cmp{Register: 1, Data: name("eth0")}, drop,
		}},
		{" (oifname br-* drop)", []expr.Any{
			&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Register: 1, Data: []byte("br-")}, drop,
		}},
		{" (family ip daddr != 10.0.0.0/8 drop)", []expr.Any{
			&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Register: 1, Data: []byte{unix.NFPROTO_IPV4}},
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 1},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: []byte{10}}, drop,
		}},
		{" (saddr 192.0.2.0/25 drop)", []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Mask: []byte{255, 255, 255, 128}, Xor: make([]byte, 4)},
			&expr.Cmp{Register: 1, Data: []byte{192, 0, 2, 0}}, drop,
		}},
		{" (... drop)", []expr.Any{
			&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 12, Len: 4},
			&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Mask: []byte{255, 0, 255, 0}, Xor: make([]byte, 4)},
			&expr.Cmp{Register: 1, Data: []byte{192, 0, 2, 0}}, drop,
		}},
		{" (... drop)", []expr.Any{&expr.Lookup{SourceRegister: 1}, drop}},
		{"", []expr.Any{&expr.Counter{}}},
	} {
		if got := describe(filterRule(tt.exprs)); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if len(families) != 4 || families[nftables.TableFamilyINet] != "inet" {
		t.Error("the families that forwarded packets meet")
	}
}

// A database that hangs, hangs up, refuses, or answers with something else is an error in
// time, and never more than that.
func TestTransact(t *testing.T) {
	for name, answer := range map[string]string{
		"silence": "", "hang up": "-", "refusal": `{"id":0,"error":{"error":"unknown database"},"result":null}`,
		"not JSON": `<html>`, "another form": `{"id":0,"error":null,"result":{"rows":1}}`,
	} {
		path := filepath.Join(t.TempDir(), "db")
		listener, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			conn, err := listener.Accept()
			if err != nil || answer == "-" {
				listener.Close()
				conn.Close()
				return
			}
			conn.Write([]byte(answer))
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, err := transact(ctx, "unix:"+path, []any{"Open_vSwitch"}); err == nil {
			t.Errorf("%s: no error", name)
		}
		cancel()
		listener.Close()
	}
	if _, err := transact(t.Context(), "ssl:192.0.2.1:6640", nil); err == nil {
		t.Error("TLS is not spoken here")
	}
}
