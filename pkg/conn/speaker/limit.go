package speaker

import (
	"fmt"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// What the clients of a speaker process can cost it. A controller has one connection,
// with one stream of events and a few calls.
const (
	// maxClients is how many connections are served at once.
	maxClients = 16
	// helloLimit is how long a client may take to begin with HTTP/2, silenceLimit how
	// long it may stay without a call or stream.
	helloLimit   = 5 * time.Second
	silenceLimit = time.Minute
	// maxStreams is how many calls one client may have open.
	maxStreams = 100
	// maxMessage and maxHeaders bound one message in octets: one with batch paths has
	// less than one MiB.
	maxMessage = 64 << 20
	maxHeaders = 64 << 10
)

// serverOptions are the bounds of the gRPC server. GoBGP opens the listener itself,
// so that connections are counted where they are greeted.
func serverOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.Creds(greeter{insecure.NewCredentials(), make(chan struct{}, maxClients)}),
		grpc.ConnectionTimeout(helloLimit),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: silenceLimit}),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxHeaders),
	}
}

// greeter lets so many connections in as there are places, and closes all others. The
// rights are those of the socket: there is no encryption.
type greeter struct {
	credentials.TransportCredentials
	places chan struct{}
}

// ServerHandshake takes a place, which the end of the connection gives back.
func (g greeter) ServerHandshake(raw net.Conn) (net.Conn, credentials.AuthInfo, error) {
	select {
	case g.places <- struct{}{}:
	default:
		return nil, nil, fmt.Errorf("%d clients are connected already", cap(g.places))
	}
	leave := sync.OnceFunc(func() { <-g.places })
	conn, info, err := g.TransportCredentials.ServerHandshake(raw)
	if err != nil {
		leave()
		return nil, nil, err
	}
	return &guest{Conn: conn, leave: leave}, info, nil
}

// Clone keeps the places: they are those of the server.
func (g greeter) Clone() credentials.TransportCredentials { return g }

// guest is a connection that has a place.
type guest struct {
	net.Conn
	leave func()
}

// Close gives the place back.
func (c *guest) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
