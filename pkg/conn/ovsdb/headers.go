package ovsdb

import "github.com/bgp-ovn/bgp-ovn/pkg/conn/ovsdb/wire"

// What precedes the table updates in the arrays that servers send. The rows
// behind it are left to be read as a stream: those of a first copy may take 80 MB.

// sinceHeader begins the reply to monitor_cond_since (ovsdb-server(7) section
// 4.1.15): [<found>, <last-txn-id>, <table-updates2>].
type sinceHeader struct {
	// Found is set when the server still has the transaction that was asked for,
	// and that the updates are what has changed since. Else they are all rows.
	Found bool
	// LastTransaction is the newest one that the updates include.
	LastTransaction string
}

// readSinceHeader reads up to the updates.
func readSinceHeader(d *wire.Decoder) (h sinceHeader) {
	d.Open('[')
	d.Next()
	h.Found = d.Bool()
	d.Next()
	h.LastTransaction = d.String()
	d.Next()
	d.Must("reply to monitor_cond_since")
	return h
}

// updateHeader begins the parameters of update and update2, [<monitor id>,
// <updates>], and of update3, [<monitor id>, <last-txn-id>, <updates>].
type updateHeader struct {
	// Monitor is the name that we gave the monitor.
	Monitor string
	// Transaction is the newest one that the updates include; noTransaction
	// where the server does not send it.
	Transaction string
}

// readUpdateHeader reads up to the updates. Which form it is shows in the
// parameters and not in the method: libovsdb's server sends both as update2.
func readUpdateHeader(d *wire.Decoder) updateHeader {
	h := updateHeader{Transaction: noTransaction}
	d.Open('[')
	d.Next()
	h.Monitor = d.String()
	d.Next()
	if d.Kind() == '"' {
		h.Transaction = d.String()
		d.Next()
	}
	d.Must("update")
	return h
}
