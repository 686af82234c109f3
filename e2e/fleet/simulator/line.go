package simulator

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// line is how clients reach a cluster.
type line struct {
	in, out atomic.Int64

	mu      sync.Mutex
	open    map[*connection]bool
	isHole  bool
	refuses bool
}

// connections is a listener that gives each connection to its cluster.
type connections struct {
	net.Listener

	fleet *Fleet
}

// Accept returns the next connection of a cluster. Those that no cluster has the
// address of, and those of clusters that refuse them, are closed.
func (l connections) Accept() (net.Conn, error) {
	for {
		accepted, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if cluster := l.fleet.at(accepted.LocalAddr()); cluster != nil {
			if c := cluster.line.take(accepted); c != nil {
				return c, nil
			}
		}
		reset(accepted)
	}
}

// reset closes a connection in a way that its client is told at once.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // It is closed in any case.
	}
	_ = c.Close() // Nothing is to be saved.
}

// connection is one of a client with a cluster.
type connection struct {
	net.Conn

	line *line
	// isDead is true once bytes were lost in a black hole.
	isDead atomic.Bool
}

// take returns the connection as one of the line, nil if that takes none.
func (l *line) take(accepted net.Conn) *connection {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuses {
		return nil
	}
	c := &connection{Conn: accepted, line: l}
	c.isDead.Store(l.isHole)
	if l.open == nil {
		l.open = make(map[*connection]bool, 2)
	}
	l.open[c] = true
	return c
}

// Read reads what the client sent. What comes into a black hole is lost.
func (c *connection) Read(p []byte) (int, error) {
	for {
		n, err := c.Conn.Read(p)
		c.line.in.Add(int64(n))
		if err != nil || !c.isDead.Load() {
			return n, err
		}
	}
}

// Write sends to the client. What goes into a black hole is lost.
func (c *connection) Write(p []byte) (int, error) {
	if c.isDead.Load() {
		return len(p), nil
	}
	n, err := c.Conn.Write(p)
	c.line.out.Add(int64(n))
	return n, err
}

// Close closes the connection.
func (c *connection) Close() error {
	c.line.mu.Lock()
	delete(c.line.open, c)
	c.line.mu.Unlock()
	err := c.Conn.Close()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOTCONN) {
		return nil
	}
	return err
}

// Disconnect cuts all connections of clients, which can connect again.
func (c *Cluster) Disconnect() { c.line.disconnect() }

func (l *line) disconnect() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		reset(c.Conn) // The server then closes it.
	}
}

// SetBlackHole makes the cluster one that accepts connections and never answers: what
// clients send, or were about to receive, is lost. The end of it cuts the connections
// that lost something.
func (c *Cluster) SetBlackHole(on bool) {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	if c.line.isHole == on {
		return
	}
	c.line.isHole = on
	for open := range c.line.open {
		if on {
			open.isDead.Store(true)
			continue
		}
		reset(open.Conn)
	}
}

// SetRefusing makes the cluster one that takes no connections: it cuts those that are
// open, and new ones as soon as they are open, since all clusters share a listener.
func (c *Cluster) SetRefusing(on bool) {
	c.line.mu.Lock()
	c.line.refuses = on
	c.line.mu.Unlock()
	if on {
		c.line.disconnect()
	}
}

// Connections returns how many connections of clients are open.
func (c *Cluster) Connections() int {
	c.line.mu.Lock()
	defer c.line.mu.Unlock()
	return len(c.line.open)
}
