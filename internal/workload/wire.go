package workload

import (
	"context"
	"net"
	"sync"
)

// dialer opens a network connection.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// wire has the network connections of one client that are open. A transport does not
// tell when it loses one: that it closes it does.
type wire struct {
	// onLost is called when the transport closed the last one.
	onLost func()

	mu    sync.Mutex
	open  map[*wireConn]struct{}
	ended bool
}

func newWire(onLost func()) *wire { return &wire{onLost: onLost, open: make(map[*wireConn]struct{})} }

// through returns dial with what it opens noted.
func (w *wire) through(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		opened, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &wireConn{Conn: opened, wire: w}
		if !w.add(c) {
			_ = opened.Close() // nothing was sent
			return nil, net.ErrClosed
		}
		return c, nil
	}
}

// add notes a connection, and reports whether one may still be opened.
func (w *wire) add(c *wireConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.open[c] = struct{}{}
	}
	return !w.ended
}

// remove reports whether a connection that was open was the last one.
func (w *wire) remove(c *wireConn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, wasOpen := w.open[c]
	delete(w.open, c)
	return wasOpen && len(w.open) == 0
}

// isOpen reports whether there is a connection.
func (w *wire) isOpen() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.open) > 0
}

// cut closes what is open, in the middle of requests, without calling onLost.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.open {
		_ = c.Conn.Close() // nobody waits for what was written
	}
	clear(w.open)
}

// end is cut, after which nothing is opened any more.
func (w *wire) end() {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.cut()
}

// wireConn is one network connection.
type wireConn struct {
	net.Conn

	wire *wire
}

// Close closes the connection.
func (c *wireConn) Close() error {
	err := c.Conn.Close()
	if c.wire.remove(c) {
		c.wire.onLost()
	}
	return err
}
