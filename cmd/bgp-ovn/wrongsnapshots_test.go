package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wrongSnapshots are files for --snapshot that are none.
func wrongSnapshots(t *testing.T) (all []wrong) {
	t.Helper()
	dir := t.TempDir()
	const uuid = `"_uuid":"11111111-1111-1111-1111-111111111111"`
	node := `"ovs":{"hv1":{"Open_vSwitch":[],"Bridge":[],"Port":[],"Interface":[]}}`
	for i, f := range []struct{ text, want string }{
		{"", "the file is empty: take the snapshot again"},
		{" \n", "the file is empty: take the snapshot again"},
		{"{", "the file was cut short"},
		{`{"sb": {"Port_Binding": [{`, "the file was cut short"},
		{"[]", "this is not a snapshot file"},
		{"null", "this is not a snapshot file"},
		{"true", "this is not a snapshot file"},
		{"12", "this is not a snapshot file"},
		{`"text"`, "this is not a snapshot file"},
		{"<html>", "this is not a snapshot file"},
		{"log: {level: info}\n", "this is not a snapshot file"},
		{"\x00\x00\x00\x00", "this is not a snapshot file"},
		{"{}", `there is no member "sb"`},
		{`{"nb": {}}`, `there is no member "sb"`},
		{`{"sb": 5}`, "this is not a snapshot file"},
		{`{"sb": []}`, "this is not a snapshot file"},
		{`{"sb": {"Port_Binding": {}}}`, "this is not a snapshot file"},
		{`{"sb": {"Port_Binding": [5]}}`, "this is not a snapshot file"},
		{`{"sb": {"Port_Binding": [{}]}}`, "Port_Binding: row 1 has no usable _uuid"},
		{`{"sb": {"Port_Binding": [{"_uuid": "x"}]}}`, "Port_Binding"},
		{
			`{"sb": {"Port_Binding": [{` + uuid + `},{` + uuid + `}]}}`,
			"has the _uuid 11111111-1111-1111-1111-111111111111 of an earlier row",
		},
		{`{"sb": {}} x`, "data follows the end of the snapshot"},
		{`{"sb": {}}{"sb": {}}`, "data follows the end of the snapshot"},
		{`{"sb": {}, "ovs": 5}`, "this is not a snapshot file"},
		{`{"sb": {}, "ovs": []}`, "this is not a snapshot file"},
		{`{"sb": {}, "ovs": {"hv1": 5}}`, "this is not a snapshot file"},
		{`{"sb": {}, "host": {"hv1": 5}}`, "host"},
		{`{"sb": {}, "learned": {"hv1": "x"}}`, "learned"},
		{`{"sb": {}, "meta": 5}`, "meta"},
		{`{"sb": {}, "bad_rows": 5}`, "bad_rows"},
		{`{"sb": {}, "sb": {} "x"}`, "this is not a snapshot file"},
		{`{"sb": {"Chassis": ` + strings.Repeat("[", 100) + `}}`, "nested too deeply"},
		{`{"other": "` + "\xff" + `"}`, "UTF-8"},
		{`{"sb": {}}`, `(member "ovs")`},
		{`{"sb": {}, "ovs": {}}`, `(member "ovs")`},
		{`{"sb": {}, ` + node + `}`, "hv9"},
	} {
		path := filepath.Join(dir, strings.Repeat("s", i+1)+".json")
		if err := os.WriteFile(path, []byte(f.text), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, wrong{
			name: "snapshot " + f.text[:min(len(f.text), 60)], args: []string{"plan", "--chassis", "hv9", "--snapshot", path},
			want: f.want,
		})
	}
	for name, path := range map[string]string{
		"not there": "/nonexistent/s.json", "a directory": dir, "a device": "/dev/zero", "a pipe": pipe(t),
		"a binary": "/bin/sh",
	} {
		for _, command := range []string{"plan", "desired", "explain 192.0.2.1", "evpn"} {
			all = append(all, wrong{
				name: command + " of a snapshot that is " + name, args: append(words(command), "--snapshot", path),
				want: path,
			})
		}
	}
	const provider = fixtures + "provider-flat.json"
	return append(all,
		wrong{name: "no chassis", args: []string{"plan", "--snapshot", provider}, want: "--chassis"},
		wrong{
			name: "another chassis", args: []string{"plan", "--chassis", "moon", "--snapshot", provider},
			want: `no chassis "moon"`,
		},
		wrong{
			name: "unknown VNI", args: []string{"evpn", "7", "--chassis", "hv1", "--snapshot", provider},
			want: "evpn 7: nothing here wants this VNI",
		})
}
