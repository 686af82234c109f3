package testenv

import (
	"net"
	"sync/atomic"
)

// wire counts what goes over the connections of a proxy's clients.
type wire struct{ sent, received atomic.Int64 }

// Wire returns how many bytes the clients sent and received since the proxy started
// or was Reset: all that went over their connections, with headers and TLS, and also
// what came of watches that were open before.
func (p *Proxy) Wire() (sent, received int64) {
	return p.wire.sent.Load(), p.wire.received.Load()
}

func (w *wire) reset() {
	w.sent.Store(0)
	w.received.Store(0)
}

// countedListener counts what goes over the connections that it accepts.
type countedListener struct {
	net.Listener

	wire *wire
}

// Accept waits for the next connection.
func (l countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{Conn: conn, wire: l.wire}, nil
}

// countedConn is a connection of a client.
type countedConn struct {
	net.Conn

	wire *wire
}

// Read reads what the client sent.
func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.sent.Add(int64(n))
	return n, err
}

// Write writes what the client receives.
func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wire.received.Add(int64(n))
	return n, err
}
