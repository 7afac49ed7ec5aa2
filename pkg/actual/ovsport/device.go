package ovsport

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ovn-org/libovsdb/ovsdb"

	"github.com/bgp-ovn/bgp-ovn/pkg/conn/vswitch"
	"github.com/bgp-ovn/bgp-ovn/pkg/desired/object"
)

// ifindexKey is the key of Interface.external_ids under which a port that takes a device of the
// kernel has that device's index. ovs-vswitchd finds devices by name and goes on using the one
// that it has open: with the userspace datapath a port whose device is deleted and made again
// receives and sends nothing any more, and nothing in the database says so but the column
// ifindex, which follows the name. Where the two differ the port has to be made again.
const ifindexKey = object.OVSPortMark + "-ifindex"

// followLimit is how long ovs-vswitchd has for what is in the database already before a port
// that was deleted is made again.
const followLimit = 2 * time.Second

// errNotFollowing is why a port is not made.
var errNotFollowing = errors.New("ovs-vswitchd has not done yet what is in the Open_vSwitch database " +
	"(cur_cfg is behind next_cfg); does it run?")

// deviceIndex asks the kernel for the index of a device; 0 if there is none of that name.
func deviceIndex(name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err != nil {
		return 0, nil // no device can have a name like that
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("ask for the index of %s: %w", name, err)
	}
	defer func() { _ = unix.Close(fd) }()
	switch err := unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request); {
	case errors.Is(err, unix.ENODEV):
		return 0, nil
	case err != nil:
		return 0, fmt.Errorf("ask for the index of %s: %w", name, err)
	}
	return int(request.Uint32()), nil
}

// takesDevice reports whether a port is made of a device of the kernel.
func takesDevice(p object.OVSPort) bool { return p.Type == "" }

// idsOf are the external_ids of a port's interface.
func idsOf(p object.OVSPort, index func(name string) (int, error)) (ovsdb.OvsMap, error) {
	ids := mark()
	if !takesDevice(p) {
		return ids, nil
	}
	n, err := index(p.Name)
	if n != 0 {
		ids.GoMap[ifindexKey] = strconv.Itoa(n)
	}
	return ids, err
}

// lostDevice says that the device of a port is gone: a port of a device was made of another one
// than has its name now, and of an internal port the device was deleted, which ovs-vswitchd does
// not make again by itself. It is empty if that is not so, or not known.
func lostDevice(i *vswitch.Interface) string {
	if i.Type == object.OVSInternal {
		if i.OFPort != nil && *i.OFPort > 0 && i.IfIndex != nil && *i.IfIndex == 0 {
			return "no device, while Open vSwitch has port " + strconv.Itoa(*i.OFPort)
		}
		return ""
	}
	was, err := strconv.Atoi(i.ExternalIDs[ifindexKey])
	if err != nil || i.IfIndex == nil || *i.IfIndex == 0 || *i.IfIndex == was {
		return ""
	}
	return fmt.Sprintf("device %d, which is gone: %s is device %d now", was, i.Name, *i.IfIndex)
}

// follow waits until ovs-vswitchd has done what is in the database: a port that is deleted and
// made again at once is one that was never away for it, and keeps the device that it has open.
// A switch that did not follow last time is not waited for again until it has. Nobody waits for a
// port that was not there before: a switch with many ports may be busy for long.
func (b *Backend) follow(ctx context.Context, db database, plugs []step) error {
	root := db.Tables(ctx).Root
	if root == nil {
		return errors.New("the Open_vSwitch database has no row of table Open_vSwitch")
	}
	if b.on != db { // the database may be another one, whose numbers begin anew
		b.on, b.behind = db, 0
	}
	if b.behind != 0 {
		if err := b.awaitConfig(ctx, db, root.UUID, 0); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(plugs, func(st step) bool { return b.wasThere(st.name()) }) {
		return nil
	}
	b.mu.Lock()
	b.letGo = maps.Clone(b.gone)
	b.mu.Unlock()
	var err error
	if b.behind, err = nextConfig(ctx, db, root.UUID); err != nil {
		return err
	}
	return b.awaitConfig(ctx, db, root.UUID, followLimit)
}

// awaitConfig waits until cur_cfg is what follow waits for, no longer than limit.
func (b *Backend) awaitConfig(ctx context.Context, db database, root string, limit time.Duration) error {
	milliseconds := int(limit.Milliseconds())
	// The row of the table is there under its UUID once cur_cfg has come far enough.
	_, err := db.Transact(ctx, ovsdb.Operation{
		Op: ovsdb.OperationWait, Table: vswitch.TableRoot, Timeout: &milliseconds,
		Where:   []ovsdb.Condition{ovsdb.NewCondition("cur_cfg", ovsdb.ConditionGreaterThanOrEqual, b.behind)},
		Columns: []string{"_uuid"}, Until: string(ovsdb.WaitConditionEqual),
		Rows: []ovsdb.Row{{"_uuid": ovsdb.UUID{GoUUID: root}}},
	})
	var refusal *vswitch.Refusal
	switch {
	case errors.As(err, &refusal):
		return errNotFollowing
	case err != nil:
		return err
	}
	b.behind = 0
	b.mu.Lock()
	defer b.mu.Unlock()
	for name := range b.letGo {
		delete(b.gone, name)
	}
	return nil
}

// wasThere reports whether ovs-vswitchd may still have a port of that name, which the database
// does not have.
func (b *Backend) wasThere(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.gone[name]
}

// deleting notes which ports are about to be deleted.
func (b *Backend) deleting(steps []step) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, st := range steps {
		if st.change.After == nil {
			b.gone[st.name()] = true
		}
	}
}

// nextConfig asks ovs-vswitchd to say when it has done what is in the database by now: it sets
// Open_vSwitch.cur_cfg to what it found in next_cfg (ovs-vswitchd.conf.db(5)), which is returned.
func nextConfig(ctx context.Context, db database, root string) (int, error) {
	results, err := db.Transact(ctx,
		ovsdb.Operation{
			Op: ovsdb.OperationMutate, Table: vswitch.TableRoot, Where: uuidIs(root),
			Mutations: []ovsdb.Mutation{{Column: "next_cfg", Mutator: ovsdb.MutateOperationAdd, Value: 1}},
		},
		ovsdb.Operation{Op: ovsdb.OperationSelect, Table: vswitch.TableRoot, Columns: []string{"next_cfg"}})
	if err != nil {
		return 0, err
	}
	for _, result := range results {
		for _, row := range result.Rows {
			switch n := row["next_cfg"].(type) {
			case float64:
				return int(n), nil
			case int:
				return n, nil
			}
		}
	}
	return 0, errors.New("the Open_vSwitch database does not tell next_cfg")
}
