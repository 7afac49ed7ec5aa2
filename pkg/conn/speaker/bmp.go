package speaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"time"

	api "github.com/osrg/gobgp/v4/api"
)

// Station is a monitoring station that is told of sessions and paths (RFC 7854).
type Station struct {
	Remote netip.AddrPort
	Policy Policy
	// Statistics is how often, in seconds, counters are sent; 0 is never.
	Statistics uint16
	// Name is what the station calls this node (sysName).
	Name string
}

// Policy is which tables a station is told of.
type Policy string

// The policies.
const (
	PolicyPre   Policy = "pre-policy"  // Adj-RIB-In before the import policy
	PolicyPost  Policy = "post-policy" // Adj-RIB-In after it
	PolicyLocal Policy = "local-rib"   // the best paths, our own among them (RFC 9069)
	PolicyAll   Policy = "all"
)

// Policies are all of them.
func Policies() []Policy { return []Policy{PolicyPre, PolicyPost, PolicyLocal, PolicyAll} }

// wire is the policy as GoBGP takes it.
func (p Policy) wire() api.AddBmpRequest_MonitoringPolicy {
	switch p {
	case PolicyPre:
		return api.AddBmpRequest_MONITORING_POLICY_PRE
	case PolicyPost:
		return api.AddBmpRequest_MONITORING_POLICY_POST
	case PolicyLocal:
		return api.AddBmpRequest_MONITORING_POLICY_LOCAL
	}
	return api.AddBmpRequest_MONITORING_POLICY_ALL
}

// GoBGP's own client of a station queues without a bound while the station does not read, and
// begins anew without a pause with its whole table if the station closes the connection.
// So it gets a station of ours in this process, which passes on what it writes: it is
// there only while the real one is, and it ends a connection that stands still.
const (
	// bmpDial bounds connecting to a station, bmpAccept GoBGP's connecting to us.
	bmpDial, bmpAccept = 10 * time.Second, 10 * time.Second
	// bmpStall is how long a station may take nothing.
	bmpStall = 30 * time.Second
	// The pause before the next attempt grows from one to the other, and begins anew after
	// a connection that lasted for bmpLasted.
	bmpMinPause, bmpMaxPause = time.Second, time.Minute
	bmpLasted                = time.Minute
	// bmpCall bounds a call to the speaker.
	bmpCall = 5 * time.Second
)

// bmpAddress is where our stations listen: what GoBGP has at this address is ours, whoever
// put it there. It is the loopback address with the letters BMP.
var bmpAddress = netip.AddrFrom4([4]byte{127, 66, 77, 80})

// Monitor tells a station of sessions and paths until the context ends. connected is
// called with true when it is connected, and with false and the reason when it is not any
// more, or cannot be.
func (c *Conn) Monitor(ctx context.Context, s Station, connected func(bool, error)) {
	for wait := bmpMinPause; ctx.Err() == nil; {
		began := time.Now()
		err := c.monitor(ctx, s, connected)
		if ctx.Err() != nil {
			return
		}
		connected(false, err)
		if time.Since(began) > bmpLasted {
			wait = bmpMinPause
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
		wait = min(2*wait, bmpMaxPause)
	}
}

// monitor is one connection to a station, from its beginning to its end.
func (c *Conn) monitor(ctx context.Context, s Station, connected func(bool, error)) error {
	dialer := net.Dialer{Timeout: bmpDial}
	station, err := dialer.DialContext(ctx, "tcp", s.Remote.String())
	if err != nil {
		return err
	}
	defer station.Close()
	local, drop, err := c.feed(ctx, s)
	if err != nil {
		return fmt.Errorf("set up monitoring in the speaker: %w", err)
	}
	defer drop()
	defer local.Close()
	connected(true, nil)
	// Whichever end is over ends the other one.
	done := make(chan error, 2)
	go func() { done <- relay(station, local, bmpStall) }()
	go func() {
		_, err := io.Copy(io.Discard, station) // a station has nothing to say
		done <- errors.Join(errors.New("the station has closed the connection"), err)
	}()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return err
}

// relay copies until one end is over, or takes nothing for as long as stall.
func relay(to, from net.Conn, stall time.Duration) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if err := to.SetWriteDeadline(time.Now().Add(stall)); err != nil {
				return err
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return errors.New("the speaker has ended")
		}
		if err != nil {
			return err
		}
	}
}

// feed has the speaker connect to us. What it returns takes that back.
func (c *Conn) feed(ctx context.Context, s Station) (local net.Conn, drop func(), err error) {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(bmpAddress, 0)))
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = l.Close() }()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	port := uint32(l.Addr().(*net.TCPAddr).Port)
	call := func(ctx context.Context, fn func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, bmpCall)
		defer cancel()
		return fn(ctx)
	}
	err = call(ctx, func(ctx context.Context) error {
		return c.AddBmp(ctx, &api.AddBmpRequest{
			Address: bmpAddress.String(), Port: port, Policy: s.Policy.wire(), StatisticsTimeout: int32(s.Statistics),
			SysName: s.Name, SysDescr: "bgp-ovn",
		})
	})
	if err != nil {
		return nil, nil, err
	}
	drop = func() {
		// Also where ctx has ended: a speaker in another process goes on without us.
		err := call(context.WithoutCancel(ctx), func(ctx context.Context) error { return c.dropStation(ctx, port) })
		if err != nil {
			c.log.Debug("cannot take a monitoring station out of the speaker", slog.Any("err", err))
		}
	}
	if err = l.SetDeadline(time.Now().Add(bmpAccept)); err == nil {
		local, err = l.Accept()
	}
	if err != nil {
		drop()
		return nil, nil, err
	}
	return local, drop, nil
}

func (c *Conn) dropStation(ctx context.Context, port uint32) error {
	return c.DeleteBmp(ctx, &api.DeleteBmpRequest{Address: bmpAddress.String(), Port: port})
}

// ForgetStations takes out of a speaker what a process before this one has left there, which
// was killed.
func (c *Conn) ForgetStations(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bmpCall)
	defer cancel()
	var ports []uint32
	err := c.ListBmp(ctx, &api.ListBmpRequest{}, func(s *api.ListBmpResponse_BmpStation) {
		if s.GetConf().GetAddress() == bmpAddress.String() {
			ports = append(ports, s.GetConf().GetPort())
		}
	})
	for _, port := range ports {
		err = errors.Join(err, c.dropStation(ctx, port))
	}
	return err
}
